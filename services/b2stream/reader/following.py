"""Following the log: commit or replica events as they come."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.contracts.topics import COMMITS, REPLICAS
from b2stream.contracts.upgrades import waits_for_upgrade
from b2stream.errors import Fatal, Poison, Retryable
from b2stream.kafka import Consumer
from b2stream.kafka.admin import Admin
from b2stream.reader.batch import Batch, Centres
from b2stream.registry import framing_from
from b2stream.settings import Settings, load

CLIENT_ID = "b2stream-reader"
_POLL_S = 0.25
_ACKNOWLEDGE_EVERY_S = 1.0

log = logging.getLogger("b2stream.reader")


class UpgradeReader(Fatal):
    """A later release wrote this event: upgrade b2stream here; a group goes on with this event then."""

    reason = "later_release"


def follow(
    config: str | Path | Settings | None = None,
    *,
    from_beginning: bool = False,
    station: str | None = None,
    series: str | None = None,
    group: str | None = None,
    replicas: bool = False,
    count: int | None = None,
    timeout_s: float | None = None,
) -> Iterator[Batch]:
    """Committed batches as they are announced; with `replicas` those whose second copy is announced.

    `config` is a TOML file or loaded settings; None means as for every program: `$B2STREAM_CONFIG`, `./b2stream.toml`,
    the environment. Without `group` it begins now, or at the log's start with `from_beginning`. With `group` it goes on
    where that group stopped (at the log's start the first time): a batch counts as done when the next one is asked for,
    so a crash repeats one and loses none. It ends after `count` batches, or `timeout_s` seconds without one.

    An event may come more than once; the batch id says so. Raises Retryable (nobody answers at the start, or the schema
    registry does not), Fatal (configuration, credentials, LostOffsets, UpgradeReader).
    """
    settings = config if isinstance(config, Settings) else load(config).settings
    centres, framing = Centres(settings), framing_from(settings)
    position = _Position(_open(settings, from_beginning, station, group, replicas), group is not None)
    found, heard_s = 0, time.monotonic()
    try:
        while count is None or found < count:
            message = position.next()
            if message is None:
                if timeout_s is not None and time.monotonic() - heard_s >= timeout_s:
                    return
                continue
            batch = _batch(message, replicas, centres, framing)
            if batch is not None and station in (None, batch.event.station) and series in (None, batch.event.series):
                yield batch
                found, heard_s = found + 1, time.monotonic()
            position.done(message)
    finally:
        position.close()


def _open(settings: Settings, from_beginning: bool, station: str | None, group: str | None, replicas: bool) -> Consumer:
    topic = (REPLICAS if replicas else COMMITS).full_name(settings.general.community)
    facts = Admin(settings.kafka, CLIENT_ID).topic(topic)
    if group is not None:
        return Consumer(settings.kafka, topic, client_id=CLIENT_ID, group=f"reader-{group}-{facts.topic_id}")
    partitions = None if station is None else [partition_of(station, facts.partitions)]
    return Consumer(settings.kafka, topic, client_id=CLIENT_ID, partitions=partitions, from_beginning=from_beginning)


class _Position:
    """A consumer and how far its group is done."""

    def __init__(self, consumer: Consumer, in_group: bool) -> None:
        self._consumer = consumer
        self._in_group = in_group
        self._done: dict[int, int] = {}
        self._acknowledge_at_s = 0.0
        consumer.on_revoked = self._revoked

    def next(self) -> LogMessage | None:
        message = self._consumer.poll(_POLL_S)
        if message is None or time.monotonic() >= self._acknowledge_at_s:
            self._acknowledge()
        return message

    def done(self, message: LogMessage) -> None:
        if self._in_group:
            self._done[message.partition] = message.offset + 1

    def close(self) -> None:
        self._acknowledge()
        self._consumer.close()

    def _acknowledge(self) -> None:
        self._acknowledge_at_s = time.monotonic() + _ACKNOWLEDGE_EVERY_S
        for partition, next_offset in list(self._done.items()):
            try:
                self._consumer.done_up_to(partition, next_offset)
            except Retryable as error:
                log.warning("Kafka did not take the group's offset, so events may come again: %s", error)
                return
            del self._done[partition]

    def _revoked(self, partitions: list[int]) -> None:
        self._acknowledge()
        for partition in partitions:
            self._done.pop(partition, None)


def _batch(message: LogMessage, replicas: bool, centres: Centres, framing: Framing) -> Batch | None:
    try:
        framed = framing.unframe(message.value)
        if not replicas:
            return Batch(BatchCommitted.from_framed(framed), None, centres)
        replica = BatchReplicated.from_framed(framed)
        return Batch(replica.commit, replica, centres)
    except Poison as error:
        if waits_for_upgrade(error, message, time.time_ns() // 1000):
            raise UpgradeReader(f"{message.topic}[{message.partition}] offset {message.offset}") from error
        log.warning("%s[%d] offset %d is left out: %s", message.topic, message.partition, message.offset, error)
        return None
