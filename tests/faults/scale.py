"""How much shorter than in life outages, T and timeouts are: one factor, printed at the head of a run.

`FULL=1 make faults` runs them at full length. Where 1/8 of a length in life would be waited for too long, a module gives a shorter one,
which counts only where lengths are scaled.
"""

import os

FULL_VARIABLE = "B2STREAM_FAULTS_FULL"
SHORTER_BY = 8.0
"""A broker that is away 90 s is still away for longer than a consumer's session (10 s) then."""


def factor() -> float:
    """What lengths are divided by: 1 where full lengths are asked for."""
    return 1.0 if os.environ.get(FULL_VARIABLE, "") not in ("", "0") else SHORTER_BY


def scaled_s(full_s: float, *, at_least_s: float = 0.0, short_s: float | None = None) -> float:
    """The length in this run, seconds, of what takes `full_s` in life; never below what a session or a poll sets.

    `short_s`: where lengths are scaled, this one instead.
    """
    by = factor()
    return max(full_s / by if by == 1 or short_s is None else short_s, at_least_s)


def deadline_s(shortened_s: float) -> float:
    """The longest wait in this run, seconds, where `shortened_s` is enough for shortened lengths: it grows with them."""
    return shortened_s * SHORTER_BY / factor()


def told() -> str:
    """The factor, for the head of a run."""
    by = factor()
    if by == 1:
        return "faults: full lengths"
    return f"faults: outages, T and timeouts are 1/{by:g} of full length, and no shorter than a session or a poll needs (FULL=1)"
