"""Named places where a test may stop a program dead: `B2STREAM_FAIL_AT="announce:3"` kills it with SIGKILL at the third passing.

`<step>:<n>[:<act>]` with act `kill` (default), `raise` (Retryable), `stall` (for ever) or `stall=20` (so many seconds); several are
separated by commas. Unset, a passing costs one look at an empty dictionary. `B2STREAM_PASSINGS=FILE` appends a line per passing, so
that a test can show that the step was reached with work in flight.
"""

import os
import signal
import threading
from collections import Counter
from dataclasses import dataclass

from b2stream.errors import ConfigurationError, Retryable

FAIL_VARIABLE = "B2STREAM_FAIL_AT"
PASSINGS_VARIABLE = "B2STREAM_PASSINGS"
GATEWAY = (
    "journal write",  # in the transaction, before its commit
    "journal written",
    "publish block",  # handed to the producer, not acknowledged
    "blocks sent",  # all of an attempt are acknowledged, its close is not in the journal
    "close sent",  # it is acknowledged, and the journal does not know it
    "receipts read",  # and not written
)
PLACING = (
    "verify",  # both objects are staged, nobody has looked at them
    "place data object",
    "data object placed",
    "place manifest",  # the data object is in place without its manifest
    "manifest placed",  # the batch is committed, and not checked at its final path
)
"""What processor and replicator do alike."""
TELLING = (
    "announce",  # the work is done, nobody knows it
    "announced",  # Kafka has the event, where there is one; the offset is behind
    "acknowledge",
    "acknowledged",
)
"""What all three consumers of the log do alike."""
PROCESSOR = ("append", "stage", *PLACING, *TELLING, "write letter", "letter written")
REPLICATOR = ("copy", *PLACING, *TELLING)
REGISTRAR = ("write PID record", "PID record written", "write attributes", "attributes written", *TELLING)
STEPS = tuple(dict.fromkeys((*GATEWAY, *PROCESSOR, *REPLICATOR, *REGISTRAR)))
"""`stage` and `copy` are passed in the middle of the first write of each object; `append` once the spool has a block."""
_ACTS = ("kill", "raise", "stall")


@dataclass(frozen=True, slots=True)
class _Act:
    what: str
    length_s: float | None = None  # of a stall; None is for ever


def _armed(text: str) -> dict[str, dict[int, _Act]]:
    armed: dict[str, dict[int, _Act]] = {}
    for part in filter(None, text.split(",")):
        step, _, rest = part.partition(":")
        number, _, act = rest.partition(":")
        what, _, length = (act or "kill").partition("=")
        is_length = not length or (what == "stall" and length.isdecimal())
        if step not in STEPS or not number.isdecimal() or int(number) < 1 or what not in _ACTS or not is_length:
            raise ConfigurationError(
                f"{FAIL_VARIABLE}: {part!r} is not <step>:<n>[:kill|raise|stall|stall=<seconds>]; steps are {STEPS}"
            )
        armed.setdefault(step, {})[int(number)] = _Act(what, float(length) if length else None)
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
    if act is None:
        return
    if act.what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif act.what == "raise":
        raise Retryable(f"fail point {step!r}, passing {number}")
    else:
        threading.Event().wait(act.length_s)
