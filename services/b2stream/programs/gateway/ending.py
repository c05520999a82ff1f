"""SIGTERM and Ctrl-C: the gateway is asked to stop, and is gone after its grace time, whatever hangs."""

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from typing import NoReturn

SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it

log = logging.getLogger(__name__)


def stop_on_signals(stop: threading.Event, grace_s: float, exit_code: int) -> None:
    """Set `stop` at the first signal, end the process with `exit_code` after `grace_s`, or at once at the second signal.

    A thread does it, woken by the operating system's own handler: Python's runs only between two steps of the main thread, and
    that may wait for a frozen Kafka within librdkafka. Nothing is lost by ending: what was not acknowledged is in the journal.
    """
    ours, woken = socket.socketpair()
    woken.setblocking(False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)

    def wait() -> None:
        ours.recv(1)
        woken.fileno()  # held for as long as the thread lives
        stop.set()
        ours.settimeout(grace_s)
        with contextlib.suppress(TimeoutError):
            again = ours.recv(1)
            _end(128 + again[0])
        log.warning(
            "something hangs; ending without it: what is not acknowledged is in the journal and is sent next time"
        )
        _end(exit_code)

    threading.Thread(target=wait, name="ending", daemon=True).start()


def _end(exit_code: int) -> NoReturn:
    logging.shutdown()
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), SHOW_CURSOR.encode())
    os._exit(exit_code)
