"""One closed attempt's way into the first centre: examined, looked up, staged, verified, placed. Runs in a thread of its own.

Every step is idempotent: a crash after any of them, a second processor, or a replay of the log ends at the same two objects.
"""

import hashlib
import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from b2stream.archive.announcing import commit_event
from b2stream.archive.placing import NewObject, PlacedPair, Placing, Writer, look_up
from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import Clock
from b2stream.batches.container import container_header, frame, sync_marker
from b2stream.batches.examining import Examined
from b2stream.batches.manifest import InLog, Manifest, batch_of, build_manifest, paths_of, read_manifest
from b2stream.batches.permission import NotPermitted, check_variables
from b2stream.batches.summary import Summary
from b2stream.contracts import blocks, schemas
from b2stream.contracts.canonical import canonical_json
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import CONTAINER_AVRO, Aggregate, BatchClosed, BatchCommitted, BatchRepeated
from b2stream.contracts.stations import Described, StationDescription
from b2stream.errors import DamagedObject, Fatal, Poison, Retryable
from b2stream.failpoints import passing
from b2stream.programs.processor import metrics
from b2stream.programs.processor.bodies import Conflicting, Incomplete, RereadBodies, SpooledBodies
from b2stream.programs.processor.examining.examiners import Examiner
from b2stream.programs.processor.patience import NEWS_S
from b2stream.software import software, who_runs_this

MOST_STATISTICS_AT_REST = 300  # about 0.5 KB each
NAME = "b2stream-processor"


class NotPermittedYet(Retryable):
    """The station's description does not allow this, and a new one may be on its way: it is judged again in a moment."""

    reason = "not_permitted_yet"


@dataclass(slots=True)
class ClosedBatch:
    """A closed attempt on its way. `bodies` gives its framed blocks in sequence; `problem` is why they cannot be examined."""

    close: BatchClosed
    partition: int
    close_offset: int
    closed_at_us: int
    bodies: SpooledBodies | RereadBodies
    problem: Poison | None = None
    examined: Examined | None = None
    placing: Placing | None = None

    @property
    def batch(self) -> str:
        return batch_of(self.close)

    def rest(self) -> None:
        """Between two tries: a large summary is not kept, because hundreds of batches may wait for one centre (I10)."""
        if self.examined is not None:
            windows = self.examined.summary.windows
            if sum(1 + len(window["variables"]) for window in windows) > MOST_STATISTICS_AT_REST:
                self.examined = None


@dataclass(frozen=True, slots=True)
class Committed:
    """A batch that verifies at the first centre, and what is to be published about it."""

    event: BatchCommitted
    aggregate: Aggregate
    repeated: BatchRepeated | None
    was_there: bool


@dataclass(slots=True)
class Committer:
    """Commits closed attempts at one centre. `commit` may run in several threads at once.

    `copies` says how many the policy demands, by station and series; `descriptions` are those of stations now.
    """

    store: ObjectStore
    framing: Framing
    examiner: Examiner
    topic_id: str
    prefix: str
    clock: Clock
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000
    writer: Writer = field(default_factory=Writer)
    policy: str | None = None
    copies: Callable[[str, str], int] | None = None
    descriptions: Callable[[], Mapping[str, StationDescription]] = dict

    def commit(self, closed: ClosedBatch) -> Committed:
        """Bring it into place. Raises Retryable, Stuck, Poison (a hole, or a close that is not true) or Fatal."""
        close = closed.close
        complete = self._examine(closed)
        paths = paths_of(close)
        found = look_up(self.store, paths.series_folder, paths.object_name)
        placing = closed.placing
        if placing is None:
            placing = closed.placing = Placing(
                self.store, self.writer, close.attempt, clock=self.clock, passing=passing
            )
        data_path = found.data_path or paths.data_object
        data_object = NewObject(data_path, close.raw_size_bytes, close.raw_sha256, lambda: self._data_object(closed))
        if found.committed and (found.data_object is not None or not complete):
            pair = placing.accept_committed(found, data_object, self._names(closed.batch))
            placing.give_up()  # another process placed it while our own staged objects waited
            return self._committed(closed, pair, was_there=True)
        if not complete:
            assert closed.problem is not None
            raise closed.problem
        assert closed.examined is not None
        self._permit(closed, closed.examined)
        in_log = InLog(
            self.topic_id, closed.partition, closed.bodies.offset_runs(), closed.close_offset, closed.closed_at_us
        )
        content = build_manifest(close, closed.examined, in_log, data_path)
        manifest = NewObject.of(f"{data_path}.manifest.json", content)
        pair = placing.place_pair(data_object, manifest, self._names(closed.batch), found)
        return self._committed(closed, pair, ours=Manifest(closed.batch, close, in_log, {}))

    def _examine(self, closed: ClosedBatch) -> bool:
        """Whether all blocks are here and true; a problem that a look into the archive may heal is kept in `closed`."""
        if closed.examined is not None:
            return True
        if closed.problem is not None:
            return False
        try:
            closed.examined = self.examiner.examine(closed.close, closed.bodies)
        except (Incomplete, Conflicting) as problem:
            closed.problem = problem
            return False
        return True

    def _permit(self, closed: ClosedBatch, examined: Examined) -> None:
        """Only what is not archived yet: what a description allowed once stays, whatever it says by now.

        Nothing is refused before the news had their time, as with series (`origin.py`). Raises NotPermittedYet, NotPermitted.
        """
        try:
            check_variables(closed.close, ((name, unit) for name, unit, _ in examined.variables), self.descriptions())
        except NotPermitted as refused:
            if self.now_us() - closed.closed_at_us < NEWS_S * 1e6:
                raise NotPermittedYet(refused.detail) from refused
            metrics.REFUSED_CLOSES.labels(refused.reason).inc()
            raise

    def _data_object(self, closed: ClosedBatch) -> Iterator[bytes | memoryview]:
        close = closed.close
        framed = (self.framing.unframe(value) for value in closed.bodies())
        if close.container_format == CONTAINER_AVRO:
            assert close.start_us is not None
            sync = sync_marker(close.station, close.series, close.start_us)
            header = container_header(schemas.released(close.schema_fingerprint), sync)
            pieces = itertools.chain.from_iterable(frame(each.body, sync) for each in framed)
            return itertools.chain([header], pieces)
        examined = closed.examined
        if examined is not None and close.schema_fingerprint == schemas.current("MeasurementBlock").fingerprint:
            # The piece of the file is the record's last field, and its size is known: nothing need be decoded again.
            return (each.body[len(each.body) - size :] for each, size in zip(framed, examined.raw_sizes, strict=True))
        return (blocks.decode(each).raw or b"" for each in framed)

    def _names(self, batch: str) -> Callable[[bytes], bool]:
        def names_our_batch(content: bytes) -> bool:
            return read_manifest(content).batch == batch

        return names_our_batch

    def _committed(
        self, closed: ClosedBatch, pair: PlacedPair, *, ours: Manifest | None = None, was_there: bool = False
    ) -> Committed:
        manifest, summary = self._manifest(closed, pair, ours)
        return Committed(
            self._event(manifest, pair),
            aggregate_of(manifest, summary),
            self._repeated(closed, manifest),
            was_there or pair.other_manifest is not None,
        )

    def _event(self, manifest: Manifest, pair: PlacedPair) -> BatchCommitted:
        series = manifest.close.station, manifest.close.series
        return commit_event(
            manifest,
            pair,
            self.store,
            self.prefix,
            self.now_us(),
            software(NAME),
            self.policy,
            None if self.copies is None else self.copies(*series),
            who=who_runs_this(),
            described=Described.by(self.descriptions(), *series),
        )

    def _manifest(self, closed: ClosedBatch, pair: PlacedPair, ours: Manifest | None) -> tuple[Manifest, Summary]:
        """What the manifest in place says: ours, or the one that someone else placed first."""
        if pair.other_manifest is None:
            if ours is None or closed.examined is None:
                raise Fatal("a manifest is in place whose bytes nobody knows")
            return ours, closed.examined.summary
        if hashlib.sha256(pair.other_manifest).hexdigest() != pair.manifest.sha256:
            raise DamagedObject(f"{self.store.url(pair.manifest.path)}: not the bytes that its checksum names")
        manifest = read_manifest(pair.other_manifest)
        try:
            return manifest, manifest.summary()
        except (KeyError, TypeError, ValueError) as error:
            wrong = f"{self.store.url(pair.manifest.path)}: its summary is no summary: {error!r}"
            raise DamagedObject(wrong) from error

    def _repeated(self, closed: ClosedBatch, manifest: Manifest) -> BatchRepeated | None:
        """The close as a link of its own; also under the same number: a station that lost its journal begins again at 0."""
        close = closed.close
        if manifest.close is close or manifest.close.signed_bytes() == close.signed_bytes():
            return None
        return BatchRepeated(
            batch=closed.batch,
            station=close.station,
            series=close.series,
            series_number=close.series_number,
            close=canonical_json({**close.to_json(), "signature": close.signature}).decode(),
            topic_id=self.topic_id,
            partition=closed.partition,
            close_offset=closed.close_offset,
        )


def aggregate_of(manifest: Manifest, summary: Summary) -> Aggregate:
    """The summary in a manifest, as it goes to the aggregates topic."""
    return Aggregate(
        batch=manifest.batch,
        station=manifest.close.station,
        series=manifest.close.series,
        rule=summary.rule,
        window_s=summary.window_s,
        windows=summary.windows,
    )
