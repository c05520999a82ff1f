"""The metrics that a loop keeps; each program brings its own, with its own name."""

from dataclasses import dataclass
from typing import Self

from prometheus_client import Counter, Gauge, Histogram

from b2stream.monitoring import Pauses


@dataclass(frozen=True, slots=True)
class Standstill:
    """What does not go on at this moment, and for how long."""

    stuck: Gauge
    unanswered: Gauge
    outage_seconds: Gauge
    pauses: Pauses

    @classmethod
    def of(cls, prefix: str) -> Self:
        """With names that begin with `prefix`."""
        return cls(
            Gauge(f"{prefix}_stuck_batches", "Batches that a server refused at their last try."),
            Gauge(f"{prefix}_unanswered_batches", "Batches whose last try found nobody who answers."),
            Gauge(f"{prefix}_outage_seconds", "For how long every try has failed; 0 while one succeeds."),
            Pauses(prefix, ("backlog",)),
        )


@dataclass(frozen=True, slots=True)
class Meters:
    """`outcomes` and `failures` have one label, outcome and reason."""

    lag_events: Gauge
    oldest_seconds: Gauge
    waiting: Gauge
    refused: Gauge
    running: Gauge
    away: Gauge
    outcomes: Counter
    failures: Counter
    event_to_done_seconds: Histogram
    standstill: Standstill
