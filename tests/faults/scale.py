"""How much shorter than in life outages, T and timeouts are: one factor, printed at the head of a run.

`FULL=1 make faults` runs them at full length.
"""

import os

FULL_VARIABLE = "B2STREAM_FAULTS_FULL"
SHORTER_BY = 8.0
"""A broker that is away 90 s is still away for longer than a consumer's session (10 s) then."""


def factor() -> float:
    """What lengths are divided by: 1 where full lengths are asked for."""
    return 1.0 if os.environ.get(FULL_VARIABLE, "") not in ("", "0") else SHORTER_BY


def scaled_s(full_s: float) -> float:
    """The length in this run, seconds, of what takes `full_s` in life."""
    return full_s / factor()


def told() -> str:
    """The factor, for the head of a run."""
    by = factor()
    return (
        "faults: full lengths" if by == 1 else f"faults: outages, T and timeouts are 1/{by:g} of full length (FULL=1)"
    )
