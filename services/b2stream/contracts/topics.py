"""The topics, their retention and size limits: the same table is created, checked and documented.

Every topic uses the broker's append time: a gateway whose clock says 1970 must not let retention delete unread data. And the broker
unpacks what a producer compressed: so 10 MB that fit into 10 KB are refused as too large, and no program needs a codec to read on.
"""

from dataclasses import dataclass

_DAY_MS = 86_400_000
MEASUREMENTS_RETENTION_MS = 14 * _DAY_MS
BLOCK_LIMIT_BYTES = 1_000_000
"""A message of measurements is never larger; blocks aim at 256 KiB."""
DEAD_LETTER_EXTRA_BYTES = 65_536
IN_SYNC = "min.insync.replicas"
_FOR_EVER_MS = -1


def least_in_sync(replication: int) -> int:
    """Replicas that must have a message before it is acknowledged: two, so that the loss of a broker loses nothing (I1).

    Kafka's default is 1: then acks=all may mean one copy. With fewer than three replicas two would stop writing at each loss.
    """
    return 2 if replication >= 3 else 1


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its name without the community's prefix, records, retention in ms (-1 keeps for ever), largest message."""

    name: str
    records: tuple[str, ...]
    retention_ms: int
    max_message_bytes: int
    about: str
    is_compacted: bool = False  # the latest message of each key stays, older ones may go

    def full_name(self, community: str) -> str:
        """Name in Kafka, e.g. `icos.measurements`."""
        return f"{community}.{self.name}"

    def config(self) -> dict[str, str]:
        """Kafka's settings of the topic; `topics check` compares exactly these."""
        return {
            "cleanup.policy": "compact" if self.is_compacted else "delete",
            "retention.ms": str(self.retention_ms),
            "retention.bytes": "-1",
            "message.timestamp.type": "LogAppendTime",
            "compression.type": "uncompressed",
            "max.message.bytes": str(self.max_message_bytes),
        }


_LARGEST = BLOCK_LIMIT_BYTES + 48_576  # what Kafka adds around a block stays far below this; 1 MiB together

MEASUREMENTS = Topic(
    "measurements",
    ("MeasurementBlock", "BatchClosed", "BatchAbandoned"),
    MEASUREMENTS_RETENTION_MS,
    _LARGEST,
    "What stations measured: blocks, closes and abandonments, keyed by station.",
)
AGGREGATES = Topic(
    "aggregates",
    ("Aggregate",),
    MEASUREMENTS_RETENTION_MS,
    _LARGEST,
    "The summary of each batch, keyed by series and batch.",
)
DEAD_LETTERS = Topic(
    "dead-letters",
    ("DeadLetter",),
    _FOR_EVER_MS,
    _LARGEST + DEAD_LETTER_EXTRA_BYTES,
    "What could not become part of a batch, with the original value and the reason in headers.",
)
COMMITS = Topic("commits", ("BatchCommitted",), _FOR_EVER_MS, _LARGEST, "One commit event per batch, keyed by station.")
REPLICAS = Topic(
    "replicas", ("BatchReplicated",), _FOR_EVER_MS, _LARGEST, "One replica event per batch, keyed by station."
)
EVENTS = Topic(
    "events",
    ("CoverageStarted", "OffsetsAccepted", "BatchRepeated", "FurtherLocation", "ObjectEvent"),
    _FOR_EVER_MS,
    _LARGEST,
    "What happened to objects, groups and chains.",
)
STATIONS = Topic(
    "stations",
    ("StationDescription",),
    _FOR_EVER_MS,
    _LARGEST,
    "The description of each station with its public keys, keyed by station. Only those who review descriptions may write here.",
    is_compacted=True,
)
ALL = (MEASUREMENTS, AGGREGATES, DEAD_LETTERS, COMMITS, REPLICAS, EVENTS, STATIONS)
