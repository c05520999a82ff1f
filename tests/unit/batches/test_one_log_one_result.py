"""One log gives one result: what is in the archive is a function of the log, not of who read it, when, or how often."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from b2stream.contracts.messages import LogMessage
from tests.unit.batches.log_runner import Result, run_in_pieces, run_whole
from tests.unit.batches.samples import START_US, Sent, abandonment, attempt_name, cut, message, sent, table

HALF_HOUR_US = 1_800_000_000
FILE = b"TIMESTAMP,CO2\r\n" + b"20240301101500,410.2\r\n" * 9

Step = tuple[str, int, int]
"""What comes next in the log: `block` (batch, sequence), `close` (batch, 0), `abandon` (batch, how many offsets too early)."""


def batches(count: int, borders: Sequence[Sequence[int]]) -> list[Sent]:
    """Streams of two series and files in turn, one attempt each."""
    found = []
    for number in range(count):
        whole = table(12, seed=number, start_us=START_US + number * HALF_HOUR_US, series=f"EC_L99_F0{number % 2}")
        file = FILE + str(number).encode() if number % 3 == 2 else None
        found.append(sent(cut(whole, borders[number]), attempt=number, file=file, stem=f"day{number}"))
    return found


def written(all_sent: Sequence[Sent], steps: Sequence[Step]) -> list[LogMessage]:
    """The log that these steps make."""
    log: list[LogMessage] = []
    latest: dict[int, int] = {}
    for kind, batch, which in steps:
        offset, one = len(log), all_sent[batch]
        if kind == "block":
            log.append(one.block(which, offset))
            latest[batch] = offset
        elif kind == "close":
            log.append(one.end(offset))
        else:
            last_offset = latest.get(batch, 0) - which
            log.append(abandonment(one.close.station, one.close.attempt, last_offset, offset))
    return log


def whole_batch(batch: int, blocks: int) -> list[Step]:
    return [*(("block", batch, sequence) for sequence in range(blocks)), ("close", batch, 0)]


cuts = st.lists(st.integers(0, 12), max_size=4)
some_cuts = st.lists(cuts, min_size=4, max_size=4)


@st.composite
def interleaved(draw: st.DrawFn, lists: list[list[Step]]) -> list[Step]:
    """The lists merged; the order within each is kept."""
    turns = draw(st.permutations([at for at, each in enumerate(lists) for _ in each]))
    rest = [iter(each) for each in lists]
    return [next(rest[turn]) for turn in turns]


@st.composite
def troubled_steps(draw: st.DrawFn, blocks: list[int]) -> list[Step]:
    """What may become of an attempt: sent in disorder, with repeats, with a hole, resent behind its close, given up, begun again."""
    histories: list[list[Step]] = []
    for batch, count in enumerate(blocks):
        sequences = draw(st.permutations(range(count)))
        repeats = draw(st.lists(st.sampled_from(range(count)), max_size=2))
        steps: list[Step] = [("block", batch, sequence) for sequence in [*sequences, *repeats]]
        trouble = draw(st.sampled_from(["none", "hole", "silent", "begun again", "not silent at all", "tail again"]))
        if trouble == "hole":
            steps = [step for step in steps if step[2] != count - 1]
        if trouble == "not silent at all":
            steps.insert(draw(st.integers(1, len(steps))), ("abandon", batch, draw(st.integers(1, 3))))
        if trouble in ("silent", "begun again"):
            steps = [*steps, ("abandon", batch, 0)]
        if trouble == "begun again":
            steps += whole_batch(batch, count)
        if trouble in ("none", "hole", "not silent at all", "tail again"):
            steps.append(("close", batch, 0))
        if trouble == "tail again":
            tail = draw(st.integers(0, count))
            steps += [*(("block", batch, sequence) for sequence in range(count - tail, count)), ("close", batch, 0)]
        histories.append(steps)
    return draw(interleaved(histories))


@given(some_cuts, st.data())
def test_any_split_into_runs_and_any_replay_gives_the_same_bytes_and_the_same_dead_letters(
    borders: list[list[int]], data: st.DataObject
) -> None:
    all_sent = batches(3, borders)
    steps = data.draw(troubled_steps([each.close.count for each in all_sent]))
    log = written(all_sent, steps)
    stops = sorted(data.draw(st.lists(st.integers(0, len(log)), max_size=4)))
    once = run_whole(log)
    again = run_in_pieces(log, stops, lambda committed: data.draw(st.integers(0, committed)))
    assert again == once


@given(some_cuts, st.data())
def test_eviction_at_any_time_changes_nothing(borders: list[list[int]], data: st.DataObject) -> None:
    all_sent = batches(3, borders)
    log = written(all_sent, data.draw(troubled_steps([each.close.count for each in all_sent])))
    evictions = data.draw(st.sets(st.integers(0, len(log))))
    assert run_whole(log, evict_after=evictions.__contains__) == run_whole(log)


@given(some_cuts, st.data())
def test_order_within_an_attempt_interleaving_and_repeats_change_only_the_member_log(
    borders: list[list[int]], data: st.DataObject
) -> None:
    all_sent = batches(4, borders)
    tidy = [step for batch, one in enumerate(all_sent) for step in whole_batch(batch, one.close.count)]
    histories = []
    for batch, one in enumerate(all_sent):
        count = one.close.count
        repeats = data.draw(st.lists(st.sampled_from(range(count)), max_size=2))
        order = data.draw(st.permutations([*range(count), *repeats]))
        histories.append([*(("block", batch, sequence) for sequence in order), ("close", batch, 0)])
    expected = run_whole(written(all_sent, tidy))
    found = run_whole(written(all_sent, data.draw(interleaved(histories))))
    assert len(expected.objects) == 4
    assert found.objects == expected.objects
    assert found.without_log() == expected.without_log()


@given(some_cuts, st.data())
def test_a_resent_tail_with_its_close_changes_nothing(borders: list[list[int]], data: st.DataObject) -> None:
    all_sent = batches(3, borders)
    histories = []
    for batch, one in enumerate(all_sent):
        tail = data.draw(st.integers(0, one.close.count))
        resent = whole_batch(batch, one.close.count)[one.close.count - tail :]
        histories.append([*whole_batch(batch, one.close.count), *resent])
    steps = data.draw(interleaved(histories))
    first_closes = {step: at for at, step in reversed(list(enumerate(steps))) if step[0] == "close"}
    without = [step for at, step in enumerate(steps) if at <= first_closes["close", step[1], 0]]
    found, expected = run_whole(written(all_sent, steps)), run_whole(written(all_sent, without))
    assert found.objects == expected.objects
    assert found.without_log() == expected.without_log()
    assert not found.letters


@given(some_cuts, st.integers(0, 30), st.integers(0, 30), st.data())
def test_a_conflict_poisons_only_its_own_attempt(
    borders: list[list[int]], where: int, later: int, data: st.DataObject
) -> None:
    all_sent = batches(3, borders)
    steps = data.draw(interleaved([whole_batch(batch, each.close.count) for batch, each in enumerate(all_sent)]))
    log = written(all_sent, steps)
    victim = all_sent[0]
    closes_at = steps.index(("close", 0, 0))
    other = Sent(victim.close, tuple(reversed(all_sent[1].bodies)) + victim.bodies).block(0, 0)
    at = min(where, closes_at)
    log.insert(at, replace(other, offset=at))
    log = [replace(each, offset=offset) for offset, each in enumerate(log)]
    expected, found = run_whole(written(all_sent, steps)), run_whole(log)
    poisoned = {path: content for path, content in expected.objects.items() if path not in found.objects}
    assert len(poisoned) == 1
    assert next(iter(poisoned)).rpartition("/")[2].startswith("day0~")
    assert {path: expected.objects[path] for path in found.objects} == found.objects
    mine = {each.offset for each in log[: closes_at + 2] if _attempt(each) == victim.close.attempt}
    assert found.letters == dict.fromkeys(mine, "conflict")


def _attempt(each: LogMessage) -> str:
    return dict(each.headers)["ce_attempt"].decode()


def test_two_stations_with_one_attempt_name_do_not_meet() -> None:
    mine = sent(cut(table(8), [4]), attempt=1)
    theirs = sent([replace(part, station="HTM") for part in cut(table(8, seed=9), [4])], attempt=1)
    result = run_whole(
        written(
            [mine, theirs],
            [("block", 0, 0), ("block", 1, 0), ("block", 1, 1), ("block", 0, 1), ("close", 0, 0), ("close", 1, 0)],
        )
    )
    assert len(result.objects) == 2
    assert not result.letters


def test_an_abandonment_that_names_an_older_offset_takes_no_effect() -> None:
    one = sent(cut(table(8), [2, 4, 6]))
    blocks: list[Step] = [("block", 0, sequence) for sequence in range(4)]
    log = written([one], [*blocks[:3], ("abandon", 0, 1), blocks[3], ("close", 0, 0)])
    result = run_whole(log)
    assert len(result.objects) == 1
    assert not result.letters


def test_what_follows_an_abandonment_is_assembled_anew_from_sequence_0() -> None:
    one = sent(cut(table(8), [2, 4, 6]))
    blocks: list[Step] = [("block", 0, sequence) for sequence in range(4)]
    only_the_rest = run_whole(written([one], [*blocks[:2], ("abandon", 0, 0), *blocks[2:], ("close", 0, 0)]))
    assert only_the_rest == Result(letters={0: "abandoned", 1: "abandoned", 3: "hole", 4: "hole", 5: "hole"})
    all_again = run_whole(written([one], [*blocks[:2], ("abandon", 0, 0), *blocks, ("close", 0, 0)]))
    assert len(all_again.objects) == 1
    assert set(all_again.letters) == {0, 1}


def test_open_blocks_of_a_superseded_attempt_are_dropped_without_a_letter() -> None:
    lost, kept = sent(cut(table(8), [4]), attempt=1), sent(cut(table(8), [4]), attempt=2, supersedes=(attempt_name(1),))
    log = written([lost, kept], [("block", 0, 0), ("block", 1, 0), ("block", 1, 1), ("close", 1, 0), ("abandon", 0, 0)])
    result = run_whole(log)
    assert len(result.objects) == 1
    assert not result.letters


def test_the_first_manifest_stays_when_another_attempt_brings_the_same_batch() -> None:
    first, second = sent(cut(table(8), [4]), attempt=1), sent(cut(table(8), [4]), attempt=2)
    steps = [*whole_batch(0, 2), *whole_batch(1, 2)]
    result = run_whole(written([first, second], steps))
    (manifest,) = result.without_log().values()
    assert manifest["close"]["attempt"] == attempt_name(1)
    assert not result.letters


def test_the_runner_sees_what_the_log_says() -> None:
    """The runner must be able to fail: a byte of a block changed is a close that does not match."""
    one = sent(cut(table(8), [4]))
    log = written([one], whole_batch(0, 2))
    value = bytearray(log[1].value or b"")
    value[-3] ^= 1
    log[1] = message(1, one.close.station, bytes(value), log[1].headers)
    assert set(run_whole(log).letters) == {0, 1, 2}
