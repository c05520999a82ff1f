"""The records of the topics as Python types; field by field they are the schemas of `/schemas`.

An instant's attribute ends in `_us` (microseconds since 1970, UTC); in Avro the same field has the logical type
timestamp-micros and no suffix. Batch ids and digests are lower-case hexadecimal SHA-256.
"""

from b2stream.contracts.records.commits import Aggregate, BatchCommitted, BatchReplicated
from b2stream.contracts.records.events import (
    BatchRepeated,
    CoverageStarted,
    DeadLetter,
    FurtherLocation,
    ObjectEvent,
    OffsetsAccepted,
)
from b2stream.contracts.records.measurements import (
    CONTAINER_AVRO,
    CONTAINER_FILE,
    LONGEST_CLOSE_BYTES,
    LONGEST_WINDOW_S,
    SIGNED_PREFIX,
    BatchAbandoned,
    BatchClosed,
)
from b2stream.contracts.records.record import Record, Relation

__all__ = [
    "CONTAINER_AVRO",
    "CONTAINER_FILE",
    "LONGEST_CLOSE_BYTES",
    "LONGEST_WINDOW_S",
    "SIGNED_PREFIX",
    "Aggregate",
    "BatchAbandoned",
    "BatchClosed",
    "BatchCommitted",
    "BatchRepeated",
    "BatchReplicated",
    "CoverageStarted",
    "DeadLetter",
    "FurtherLocation",
    "ObjectEvent",
    "OffsetsAccepted",
    "Record",
    "Relation",
]
