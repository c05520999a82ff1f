"""What a partition of a log holds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LogRange:
    """What a partition holds: offsets `start` to `end - 1`."""

    start: int
    end: int
