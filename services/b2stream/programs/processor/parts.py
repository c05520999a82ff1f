"""The parts of a processor process, put together from its settings once Kafka knows the topic."""

import logging
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from b2stream.archive.centres import open_centre
from b2stream.archive.placing import Writer
from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import StoppableClock
from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.messages import LogMessage
from b2stream.errors import B2streamError
from b2stream.handles.kinds import data_levels
from b2stream.kafka import Producer, read_range
from b2stream.kafka.admin import TopicFacts
from b2stream.policies import Policies, policies_of
from b2stream.programs.processor import metrics
from b2stream.programs.processor.bodies import OnceMore, Reread
from b2stream.programs.processor.burial import Undertaker
from b2stream.programs.processor.commits import Limits
from b2stream.programs.processor.committing import Committer
from b2stream.programs.processor.examining.examiners import Elsewhere, Examiner, Here
from b2stream.programs.processor.letters import BURIALS_AT_ONCE
from b2stream.programs.processor.origin import OriginRules
from b2stream.programs.processor.outbox import Outbox
from b2stream.programs.processor.processor import Processor
from b2stream.programs.processor.source import FaustSource
from b2stream.programs.processor.spool import Spool
from b2stream.programs.processor.status import LiveStatus
from b2stream.settings import Settings
from b2stream.stations.known import KnownStations

_log = logging.getLogger(__name__)

_GIVE_UP_PART_OF_RETENTION = 0.25
_FLUSH_S = 1.0


@dataclass(slots=True)
class Parts:
    """What one processor process consists of."""

    processor: Processor
    source: FaustSource
    outbox: Outbox
    reread: Reread
    producer: Producer
    store: ObjectStore
    spool: Spool
    status: LiveStatus
    examiner: Examiner
    stations: KnownStations
    executors: tuple[ThreadPoolExecutor, ...]

    def close(self) -> None:
        """Let go of everything; threads that still wait for a server are not waited for."""
        for executor in self.executors:
            executor.shutdown(wait=False, cancel_futures=True)
        self.examiner.close()
        self.producer.close(_FLUSH_S)
        self.status.close()
        self.stations.close()
        self.spool.close()
        self.store.close()


def put_together(
    settings: Settings,
    framing: Framing,
    facts: TopicFacts,
    group: str,
    *,
    stopping: threading.Event,
    crash: Callable[[B2streamError], None],
    assigned: Callable[[set[int]], Awaitable[None]],
    handle: Callable[[LogMessage], Awaitable[None]],
) -> Parts:
    """All parts, none of them started. Raises ConfigurationError."""
    brokers, community = settings.kafka, settings.general.community
    reread = _rereading(settings, stopping)
    log = OnceMore(reread, framing, settings.kafka.partitions)
    store = open_centre("first", settings.first)
    clock, writer = StoppableClock(stopping), Writer(metrics.DEBRIS.inc)
    producer = Producer(brokers, "b2stream-processor")
    outbox = Outbox(producer, framing, community, settings.kafka.partitions)
    status = LiveStatus(settings.redis, community)
    spool = Spool(settings.processor.spool_directory, settings.processor.spool_bytes)
    committing = ThreadPoolExecutor(settings.processor.commits_in_flight, "commit")
    burying = ThreadPoolExecutor(BURIALS_AT_ONCE, "burial")
    count = settings.processor.examining_processes
    examiner = Elsewhere(framing, count) if count else Here(framing)
    stations = KnownStations.of(settings, framing, "b2stream-processor")
    policies = policies_of(settings)
    committer = Committer(
        store,
        framing,
        examiner,
        facts.topic_id,
        settings.first.prefix,
        clock,
        writer=writer,
        policy=policies.label,
        copies=policies.copies,
        descriptions=lambda: stations.descriptions,
    )
    processor = Processor(
        committer=committer,
        outbox=outbox,
        undertaker=Undertaker(outbox, log, store, clock, facts.topic_id, burying, writer),
        log=log,
        spool=spool,
        framing=framing,
        limits=_limits(settings),
        origin=_origin(settings, stations, policies),
        executor=committing,
        crash=crash,
        announced=status.committed,
    )
    source = FaustSource(
        brokers=brokers,
        group=group,
        topic=topics.MEASUREMENTS.full_name(community),
        data_directory=str(spool.folder / "faust"),
        assigned=assigned,
        revoked=processor.revoked,
        handle=handle,
    )
    threads = (committing, burying)
    return Parts(processor, source, outbox, reread, producer, store, spool, status, examiner, stations, threads)


def _rereading(settings: Settings, stopping: threading.Event) -> Reread:
    """Ranges of the measurements' log, read once more by a consumer without a group, until the program stops."""
    topic = topics.MEASUREMENTS.full_name(settings.general.community)

    def reread(partition: int, first: int, last: int) -> Iterator[LogMessage]:
        name = "b2stream-processor-reread"
        return read_range(settings.kafka, topic, partition, first, last, client_id=name, give_up=stopping.is_set)

    return reread


def _origin(settings: Settings, stations: KnownStations, policies: Policies) -> OriginRules:
    """The descriptions in the topic of stations (`topics.STATIONS`) say whose signatures hold, and who may publish what; the policies,
    what is taken of that."""
    return OriginRules(
        stations=stations,
        accept_unsigned=settings.processor.unsigned == "accept",
        unknown_key_s=settings.processor.unknown_key_s,
        now_us=lambda: time.time_ns() // 1000,
        levels=data_levels(settings.registrar.kinds_file),
        takes=policies.takes,
    )


def _limits(settings: Settings) -> Limits:
    retention_s = topics.MEASUREMENTS_RETENTION_MS / 1000
    return Limits(
        commits_in_flight=settings.processor.commits_in_flight,
        closed_limit=settings.processor.closed_limit,
        silence_s=settings.processor.silence_s,
        overtake_s=settings.processor.overtake_s,
        give_up_s=retention_s * _GIVE_UP_PART_OF_RETENTION,
        partitions=settings.kafka.partitions,
        dead_letters_per_minute=settings.processor.dead_letters_per_minute,
        open_attempts=settings.processor.open_attempts,
    )
