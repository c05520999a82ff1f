"""One heavy run at a time on a machine: chains of processes that share two cores miss each other's deadlines, not their own."""

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

LOCK = Path(tempfile.gettempdir()) / "b2stream-heavy-tests.lock"

HAS_TURN_VARIABLE = "B2STREAM_HAS_TURN"
"""Set for what the holder of the turn starts."""

_held: list[IO[str]] = []  # for the life of the process


def take_turn(say: Callable[[str], None], lock: Path = LOCK) -> None:
    """Wait until no other process on this machine has the turn, and keep it to the end of this one. What it starts has it, too."""
    if os.environ.get(HAS_TURN_VARIABLE):
        return
    file = lock.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say(f"another run of the faults is under way on this machine ({lock}); waiting for its end")
        fcntl.flock(file, fcntl.LOCK_EX)
    _held.append(file)
    os.environ[HAS_TURN_VARIABLE] = str(os.getpid())
