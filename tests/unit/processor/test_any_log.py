"""Any log, any crashes, any failures of the centre: I1 to I5 and I8 hold, and the archive ends as it would have without them."""

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from b2stream.batches.identity import batch_id
from b2stream.batches.manifest import read_manifest
from b2stream.contracts import schemas
from b2stream.contracts.envelopes import abandonment_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchAbandoned, BatchClosed, BatchCommitted
from b2stream.errors import LostReply, Poison, Retryable, Stuck
from b2stream.programs.processor.intake import Address, read_message
from tests.unit.processor.harness import COMMUNITY, Deployment, Running
from tests.unit.processor.stations import Sent, StationBatch, attempt_name
from tests.unit.processor.virtual_time import Dead, run

STATIONS, SERIES = ("SE-Htm", "HTM", "26NA"), ("s1", "s2")
PIECES = (b"aaa", b"bb", b"c" * 40, b"d")


@dataclass(frozen=True)
class Try:
    """One attempt of a batch, with everything that may go wrong on the station's side."""

    batch: StationBatch
    order: tuple[int, ...]  # sequences in the order they are sent; some missing, some twice
    conflict: int | None
    is_closed: bool
    wrong_rows: bool
    resent_tail: int
    abandoned_after: int | None  # an abandonment after so many messages, true or not
    true_abandonment: bool


@st.composite
def tries(draw: st.DrawFn) -> Try:
    pieces = tuple(draw(st.lists(st.sampled_from(PIECES), min_size=0, max_size=4)))
    batch = StationBatch(
        station=draw(st.sampled_from(STATIONS)),
        series=draw(st.sampled_from(SERIES)),
        number=draw(st.integers(0, 2)),
        content=pieces,
        rows_per_block=2,
        is_stream=draw(st.booleans()) and bool(pieces),
    )
    sequences = list(range(len(pieces)))
    order = draw(st.permutations(sequences)) if draw(st.booleans()) else sequences
    if draw(st.integers(0, 4)) == 0 and order:
        order = [each for each in order if each != draw(st.sampled_from(sequences))]
    order = order + (draw(st.lists(st.sampled_from(sequences), max_size=2)) if sequences else [])
    conflict = draw(st.sampled_from(sequences)) if sequences and draw(st.integers(0, 2)) == 0 else None
    return Try(
        batch=batch,
        order=tuple(order),
        conflict=conflict,
        is_closed=draw(st.integers(0, 5)) > 0,
        wrong_rows=draw(st.integers(0, 7)) == 0,
        resent_tail=draw(st.sampled_from((0, 0, 0, 1, 2))),
        abandoned_after=draw(st.none() | st.integers(0, 6)) if draw(st.integers(0, 3)) == 0 else None,
        true_abandonment=draw(st.booleans()),
    )


@dataclass(frozen=True)
class Failure:
    """What the centre does at its n-th call."""

    call_number: int
    kind: str


failures = st.builds(Failure, st.integers(0, 60), st.sampled_from(("retryable", "lost", "lost but done", "stuck")))


@dataclass
class World:
    """A deployment, what was sent, and the rules that must hold at every moment."""

    deployment: Deployment
    batch_of_attempt: dict[str, str] = field(default_factory=dict)
    superseded: dict[str, str] = field(default_factory=dict)  # attempt: batch whose close supersedes it
    steps: int = 0
    open_attempts: Iterator[int] = field(default_factory=lambda: itertools.repeat(20_000))  # limit of each life

    def send_all(self, chosen: list[Try], picks: list[int], supersede: bool) -> None:
        """Everything that the stations send, interleaved as picked."""
        queues = [self._messages(number, each, chosen, supersede) for number, each in enumerate(chosen)]
        at = 0
        last_offset: dict[str, int] = {}
        while any(queues):
            alive = [queue for queue in queues if queue]
            queue = alive[picks[at % len(picks)] % len(alive)]
            at += 1
            what, attempt, sent = queue.pop(0)
            if what == "abandon":
                station = sent.key.decode()
                offset = last_offset.get(attempt, 0)
                record = BatchAbandoned(station=station, attempt=attempt, last_offset=offset)
                value = Framing().frame(schemas.current("BatchAbandoned"), record.to_body())
                sent = Sent(sent.key, value, abandonment_headers(station, attempt, offset))
            offset = self.deployment.send(sent)
            if what == "own" or (what == "abandon" and self._is_false(attempt, chosen)):
                last_offset[attempt] = offset

    def _is_false(self, attempt: str, chosen: list[Try]) -> bool:
        return not chosen[int(attempt, 16)].true_abandonment

    def _messages(self, number: int, one: Try, chosen: list[Try], supersede: bool) -> list[tuple[str, str, Sent]]:
        attempt, batch = attempt_name(number), one.batch
        if one.wrong_rows:
            batch = batch.with_close(rows=999)
        record = batch.record(attempt)
        identity = batch_id(record.station, record.series, record.stem + record.extension, record.raw_sha256)
        self.batch_of_attempt[attempt] = identity
        if supersede and number > 0:
            earlier = attempt_name(number - 1)
            if not chosen[number - 1].is_closed and chosen[number - 1].batch.station == batch.station:
                batch = batch.with_close(**{**batch.changes, "supersedes": (earlier,)})
                self.superseded[earlier] = identity
        own = [batch.block(attempt, sequence) for sequence in one.order]
        if one.conflict is not None:
            content = list(batch.content)
            content[one.conflict] = content[one.conflict] + b"!"
            own.append(replace(batch, content=tuple(content)).block(attempt, one.conflict))
        if one.is_closed:
            own.append(batch.close(attempt))
            if one.resent_tail:
                own += [batch.block(attempt, sequence) for sequence in range(len(batch.content))[-one.resent_tail :]]
                own.append(batch.close(attempt))
        found = [("own", attempt, sent) for sent in own]
        if one.abandoned_after is not None:
            found.insert(min(one.abandoned_after, len(found)), ("abandon", attempt, batch.close(attempt)))
        return found

    # Rules ------------------------------------------------------------------------------------------------------------

    def is_accounted(self, number: int, before: int) -> None:
        """I1, I8: each block and close before the offset is in a committed batch, in a letter, or superseded by a committed close."""
        committed = {event.batch for event in self.deployment.events()}
        log = self.deployment.log
        dead = [log.measurements(letter.partition)[letter.offset] for letter in self.deployment.letters()]
        letters = {(message.key, dict(message.headers)["ce_id"], message.value) for message in dead}
        for message in self.deployment.log.measurements(number)[:before]:
            content = read_message(message, Framing(), self.deployment.partitions, Address())
            if isinstance(content, BatchAbandoned):
                continue
            attempt = content.attempt
            assert (
                self.batch_of_attempt[attempt] in committed
                or (message.key, dict(message.headers)["ce_id"], message.value) in letters
                or self.superseded.get(attempt) in committed
            ), f"offset {message.offset} of partition {number} is lost"

    def is_durable(self, topic: str, sent: Sent) -> None:
        """I5: when a commit event becomes visible, both objects are in place with the bytes that it names."""
        if topic == f"{COMMUNITY}.commits":
            event = BatchCommitted.from_framed(Framing().unframe(sent.value))
            for path, size_bytes, sha256 in (
                (event.path, event.size_bytes, event.sha256),
                (event.manifest_path, event.manifest_size_bytes, event.manifest_sha256),
            ):
                state = self.deployment.store.describe(path)
                assert state is not None
                assert state.is_exactly(size_bytes, sha256)

    def is_whole(self, chosen: list[Try]) -> None:
        """I1 to I3 over the archive: each batch once, a manifest beside each data object, the bytes those of the station."""
        expected = {
            self.batch_of_attempt[attempt_name(number)]: one.batch.data_object() for number, one in enumerate(chosen)
        }
        objects, seen = self.deployment.objects(), set()
        for path, content in objects.items():
            if not path.endswith(".manifest.json"):
                assert f"{path}.manifest.json" in objects, "an uncommitted data object is left"
                continue
            manifest = read_manifest(content)
            assert manifest.batch not in seen, "a batch lies there twice"
            seen.add(manifest.batch)
            assert objects[path.removesuffix(".manifest.json")] == expected[manifest.batch]
            assert manifest.document["data_object"]["path"] == path.removesuffix(".manifest.json")
        assert seen == {event.batch for event in self.deployment.events()}


async def live(world: World, crash_at: int | None, faults: dict[int, str]) -> bool:
    """One life of a processor: until it is idle (True), or killed at a step (False)."""
    deployment = world.deployment
    deployment.open_attempts = most_open = next(world.open_attempts)
    running = deployment.running()

    def step(*_: object) -> None:
        world.steps += 1
        if world.steps == crash_at:
            running.is_dead = running.executor.is_dead = running.publisher.is_dead = True
            raise Dead

    def before_call(call: str, about: str) -> None:
        step()
        kind = faults.pop(world.steps, None)
        if kind == "retryable":
            raise Retryable(call)
        if kind == "stuck" and call in ("stage", "place", "find"):
            raise Stuck(call)
        if kind == "lost" and call in ("stage", "place"):
            raise LostReply(call)
        if kind == "lost but done":
            deployment.store.fail(call, LostReply(call), done=True)

    deployment.store.before_call = before_call
    running.publisher.before = step

    async def acknowledge() -> None:
        while not running.is_dead:
            await asyncio.sleep(0.05)
            assert running.processor.open_attempts() <= most_open + 1, "I10: one more while it is refused"
            await check_and_acknowledge(world, running)

    acknowledging = asyncio.ensure_future(acknowledge())
    try:
        await running.until(running.is_idle)
        assert not running.crashes, running.crashes
        if not running.is_dead:
            await check_and_acknowledge(world, running)
        return not running.is_dead
    finally:
        acknowledging.cancel()
        deployment.store.before_call = None
        running.kill()
        running.spool.close()


async def check_and_acknowledge(world: World, running: Running) -> None:
    """I8, checked at the moment of each acknowledgement."""
    before = dict(world.deployment.committed)
    await running.acknowledge()
    for number, offset in world.deployment.committed.items():
        if before.get(number) != offset:
            world.is_accounted(number, offset)


def archive_of(world: World, chosen: list[Try], crashes: list[int], faults: dict[int, str]) -> dict[str, bytes]:
    """Run processors until one gets through; the data objects that are there then."""
    run_until_through(world, crashes, faults)
    world.is_whole(chosen)
    return world.deployment.data_objects()


def run_until_through(world: World, crashes: list[int], faults: dict[int, str]) -> None:
    """Run processors, each until it crashes at its step, and one more."""
    world.deployment.log.on_append = world.is_durable

    async def lives() -> None:
        placed: dict[str, bytes] = {}
        for crash_at in [*sorted(crashes), None]:
            is_through = await live(world, None if crash_at is None else world.steps + 1 + crash_at, faults)
            now = world.deployment.objects()
            assert placed.items() <= now.items(), "I4: what is placed stays as it is"
            placed = now
            if is_through:
                break

    run(lives())


@given(
    chosen=st.lists(tries(), min_size=1, max_size=5),
    picks=st.lists(st.integers(0, 4), min_size=1, max_size=12),
    supersede=st.booleans(),
    crashes=st.lists(st.integers(0, 40), max_size=3),
    scripted=st.lists(failures, max_size=4),
    partitions=st.integers(1, 2),
    spool_bytes=st.sampled_from((1 << 30, 900, 1, 1)),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_I1_to_I5_and_I8_hold_for_any_log_with_any_crashes_and_failures(
    chosen: list[Try],
    picks: list[int],
    supersede: bool,
    crashes: list[int],
    scripted: list[Failure],
    partitions: int,
    spool_bytes: int,
) -> None:
    folder = Path(tempfile.mkdtemp(prefix="b2stream-test-"))
    try:
        calm = World(Deployment(folder / "calm", partitions=partitions))
        calm.send_all(chosen, picks, supersede)
        stormy = World(Deployment(folder / "stormy", partitions=partitions, spool_bytes=spool_bytes))
        stormy.send_all(chosen, picks, supersede)
        expected = archive_of(calm, chosen, [], {})
        faults = {each.call_number: each.kind for each in scripted}
        assert archive_of(stormy, chosen, crashes, faults) == expected
        assert len(expected) <= len({calm.batch_of_attempt[attempt_name(at)] for at in range(len(chosen))})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@given(
    chosen=st.lists(tries(), min_size=2, max_size=6),
    picks=st.lists(st.integers(0, 5), min_size=1, max_size=12),
    supersede=st.booleans(),
    crashes=st.lists(st.integers(0, 40), max_size=3),
    limits=st.lists(st.integers(1, 3), min_size=4, max_size=4),
    spool_bytes=st.sampled_from((1 << 30, 900, 1)),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_I1_to_I5_I8_and_I10_hold_where_few_attempts_may_be_open_and_each_life_refuses_others(
    chosen: list[Try], picks: list[int], supersede: bool, crashes: list[int], limits: list[int], spool_bytes: int
) -> None:
    """What is archived depends on what was refused; nothing is lost by it: once the gateways have sent again, all of it is there.

    Until then a crash between its two moves may have left a data object whose attempt is refused in the next life.
    """
    folder = Path(tempfile.mkdtemp(prefix="b2stream-test-"))
    try:
        lives = itertools.chain(limits, itertools.repeat(20_000))
        world = World(Deployment(folder, spool_bytes=spool_bytes), open_attempts=lives)
        world.send_all(chosen, picks, supersede)
        run_until_through(world, crashes, {})
        world.is_accounted(0, world.deployment.committed[0])
        for number, one in enumerate(chosen):
            again = attempt_name(1_000 + number)
            world.batch_of_attempt[again] = world.batch_of_attempt[attempt_name(number)]
            world.deployment.send(one.batch.sent(again))
        world.open_attempts = itertools.repeat(20_000)
        archive_of(world, chosen, [], {})
        assert {event.batch for event in world.deployment.events()} == set(world.batch_of_attempt.values())
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_the_test_itself_sees_a_block_that_is_acknowledged_and_nowhere(tmp_path: Path) -> None:
    world = World(Deployment(tmp_path))
    one = Try(StationBatch(), (0, 1, 2), None, True, False, 0, None, False)
    world.send_all([one], [0], False)
    try:
        world.is_accounted(0, 1)
    except AssertionError:
        pass
    else:
        raise AssertionError("nothing was archived, and the rule says all is well")
    assert isinstance(read_message(world.deployment.log.measurements(0)[3], Framing(), 1, Address()), BatchClosed)
    assert issubclass(Poison, Exception)
