"""Messages that cannot be read are passed over, because each has a letter of its own; not so events of a later release."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import (
    BatchCommitted,
    BatchRepeated,
    BatchReplicated,
    CoverageStarted,
    ObjectEvent,
    OffsetsAccepted,
)
from b2stream.contracts.upgrades import waits_for_upgrade
from b2stream.errors import ConfigurationError, Poison

_RECORDS = (BatchCommitted, BatchReplicated, BatchRepeated, ObjectEvent, CoverageStarted, OffsetsAccepted)
_TOLD_BY = {f"b2stream.{record.SCHEMA}".encode() for record in _RECORDS}


class UpgradeAudit(ConfigurationError):
    """A later release wrote an event, and whoever cannot read it would call missing what it tells: upgrade this program."""

    reason = "later_release"


@contextmanager
def passing_over(message: LogMessage) -> Iterator[None]:
    """Read a message, or pass it over. Raises UpgradeAudit for an event of a later release, for a week."""
    try:
        yield
    except Poison as error:
        is_told_by = dict(message.headers or ()).get("ce_type") in _TOLD_BY
        if is_told_by and waits_for_upgrade(error, message, time.time_ns() // 1000):
            where = f"{message.topic}[{message.partition}] offset {message.offset}"
            raise UpgradeAudit(where) from error
