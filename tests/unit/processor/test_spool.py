"""The spool's folder: of one process alone, and gone with it, however it ends."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from b2stream.batches.assembling import Piece
from b2stream.programs.processor.spool import Spool

LIMIT_BYTES = 1 << 20
HOLDER = """
import sys
from b2stream.batches.assembling import Piece
from b2stream.programs.processor.spool import Spool
spool = Spool(sys.argv[1], 1 << 20)
spool.append("0-0-0-a", b"block")
print("holding", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("named", [True, False], ids=["a folder of the settings", "the temporary folder"])
def test_I10_what_a_killed_processor_left_is_removed_by_the_next_that_starts(
    named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    setting = str(tmp_path) if named else ""
    command = [sys.executable, "-c", HOLDER, setting]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"holding\n"
        beside = Spool(setting, LIMIT_BYTES)
        assert [path.read_bytes() for path in tmp_path.rglob("*.blocks")] == [b"block"], "its owner lives"
        beside.close()
        holder.send_signal(signal.SIGKILL)
    following = Spool(setting, LIMIT_BYTES)
    assert list(tmp_path.iterdir()) == [following.folder]
    following.close()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_another_process_took_for_left_over_is_replaced_by_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, made = tempfile.mkdtemp, []

    def lost_once(*, prefix: str, dir: Path) -> str:  # noqa: A002  # the name of mkdtemp's own parameter
        made.append(make(prefix=prefix, dir=dir))
        if len(made) == 1:
            Path(made[0]).rmdir()  # before it could be locked
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", lost_once)
    spool = Spool(str(tmp_path), LIMIT_BYTES)
    position, size_bytes = spool.append("0-0-0-a", b"block")
    assert (position, size_bytes) == (0, 5)
    assert len(made) == 2
    spool.close()


def test_I10_descriptors_do_not_grow_with_open_attempts(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), LIMIT_BYTES)
    before = len(os.listdir("/proc/self/fd"))
    for block in (b"first", b"second"):
        for attempt in range(500):
            spool.append(f"0-0-0-{attempt}", block + b"%d" % attempt)
    assert len(os.listdir("/proc/self/fd")) < before + 100
    assert list(spool.read("0-0-0-7", [Piece(0, 0, 0, 6), Piece(1, 1, 6, 7)])) == [b"first7", b"second7"]
    for attempt in range(500):
        spool.forget(f"0-0-0-{attempt}")
    assert len(os.listdir("/proc/self/fd")) == before
    spool.close()


def test_a_forgotten_attempt_begins_anew(tmp_path: Path) -> None:
    spool = Spool(str(tmp_path), LIMIT_BYTES)
    spool.append("0-0-0-a", b"forgotten")
    spool.forget("0-0-0-a")
    assert spool.append("0-0-0-a", b"new") == (0, 3)
    assert list(spool.read("0-0-0-a", [Piece(0, 0, 0, 3)])) == [b"new"]
    spool.close()
