"""A gateway that is asked to stop is gone after its grace time, whatever hangs."""

import os
import signal
import subprocess
import sys

import pytest

# Within SQLite, as within librdkafka, no handler written in Python runs until the call returns; this one never does.
HANGING = """
import sqlite3, sys, threading
from b2stream.programs.gateway.ending import stop_on_signals
stop_on_signals(threading.Event(), float(sys.argv[1]), 7)
db = sqlite3.connect(":memory:")
db.create_function("ready", 0, lambda: print("ready", flush=True))
db.execute("SELECT ready()")
db.execute("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n").fetchone()
"""
LISTENING = """
import sys, threading
from b2stream.programs.gateway.ending import stop_on_signals
stop = threading.Event()
stop_on_signals(stop, 600.0, 7)
print("ready", flush=True)
stop.wait()
"""
pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX")


def ended(code: str, grace_s: float, *signals: int) -> tuple[int, str]:
    words = [sys.executable, "-c", code, str(grace_s)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            for number in signals:
                process.send_signal(number)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    return process.returncode, said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_hangs_is_left_behind_after_the_grace_time(number: int) -> None:
    code, said = ended(HANGING, 0.1, number)
    assert code == 7
    assert "something hangs" in said


def test_a_second_signal_ends_it_at_once() -> None:
    code, said = ended(HANGING, 600.0, signal.SIGINT, signal.SIGTERM)
    assert code in (128 + signal.SIGINT, 128 + signal.SIGTERM)
    assert said == ""


def test_what_does_not_hang_ends_by_itself() -> None:
    assert ended(LISTENING, 600.0, signal.SIGTERM) == (0, "")
