"""Named places where a test may stop a program dead: `B2STREAM_FAIL_AT="announce:3"` kills it with SIGKILL at the third passing.

`<step>:<n>[:<act>]` with act `kill` (default), `raise` (Retryable) or `stall` (for ever); several are separated by commas. Unset, a
passing costs one look at an empty dictionary. `B2STREAM_PASSINGS=FILE` appends a line per passing, so that a test can show
that the step was reached with work in flight.
"""

import os
import signal
import threading
from collections import Counter

from b2stream.errors import ConfigurationError, Retryable

FAIL_VARIABLE = "B2STREAM_FAIL_AT"
PASSINGS_VARIABLE = "B2STREAM_PASSINGS"
STEPS = (
    "journal write",
    "append",
    "stage",
    "verify",
    "place data object",
    "place manifest",
    "announce",
    "acknowledge",
    "copy",
)
_ACTS = ("kill", "raise", "stall")


def _armed(text: str) -> dict[str, dict[int, str]]:
    armed: dict[str, dict[int, str]] = {}
    for part in filter(None, text.split(",")):
        step, _, rest = part.partition(":")
        number, _, act = rest.partition(":")
        act = act or "kill"
        if step not in STEPS or not number.isdecimal() or int(number) < 1 or act not in _ACTS:
            raise ConfigurationError(
                f"{FAIL_VARIABLE}: {part!r} is not <step>:<n>[:kill|raise|stall]; steps are {STEPS}"
            )
        armed.setdefault(step, {})[int(number)] = act
    return armed


_points = _armed(os.environ.get(FAIL_VARIABLE, ""))
_record = os.environ.get(PASSINGS_VARIABLE) or None
_passed: Counter[str] = Counter()
_lock = threading.Lock()


def passing(step: str) -> None:
    """Say that the program reaches this step; does nothing unless a test armed it."""
    if not _points and _record is None:
        return
    assert step in STEPS, f"{step!r} is none of {STEPS}"
    with _lock:
        _passed[step] += 1
        number = _passed[step]
        if _record is not None:
            with open(_record, "a", encoding="utf-8") as record:
                record.write(f"{os.getpid()} {step} {number}\n")
    act = _points.get(step, {}).get(number)
    if act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif act == "raise":
        raise Retryable(f"fail point {step!r}, passing {number}")
    elif act == "stall":
        threading.Event().wait()
