"""The means of the fault tests: moments cover every step whatever the seed, and two ends that differ are told apart."""

import hashlib
import json
from collections import Counter
from itertools import chain

import pytest

from b2stream import failpoints
from b2stream.sandbox.demo.check.canonical import canonical, close_digest
from tests.faults import load, moments
from tests.faults.judging import Archive, assert_same_end

PATH = "XX-For/EC/2024/03/{}.csv"


@pytest.mark.parametrize("seed", range(50))
def test_moments_hit_every_step_by_every_program_that_passes_it_twice(seed: int) -> None:
    pairs = {(step, victim) for victim, steps in moments.WHO_PASSES.items() for step in steps}
    drawn = moments.all_of_them(seed)
    assert all(each.twice for each in drawn)
    assert {(each.step, each.label.partition("-")[0]) for each in drawn} == pairs
    assert len(drawn) == len(pairs)
    assert sum(each.waits for each in drawn) == moments.LONG_WAITS
    assert Counter(chain.from_iterable(moments.in_tours(drawn, 3))) == Counter(drawn)
    assert moments.all_of_them(seed) == drawn


def test_every_step_is_killed_at_somewhere() -> None:
    hit = {step for steps in moments.WHO_PASSES.values() for step in steps}
    assert hit | {"write letter", "letter written"} == set(failpoints.STEPS)
    assert {step for step, _ in moments.OF_TODAY} <= hit


def test_the_load_has_twelve_batches_of_three_stations_and_is_drawn_from_its_seed() -> None:
    files = load.round_of_files(1, 0)
    assert len(files) == 12
    assert {file.station for file in files} == set(load.STATIONS)
    assert sum(len(file.content) > 2 * load.BLOCK_BYTES for file in files) >= 8, "of several blocks"
    assert files == load.round_of_files(1, 0)
    assert not {file.content for file in files} & {file.content for file in load.round_of_files(1, 1)}
    assert not {file.content for file in files} & {file.content for file in load.round_of_files(2, 0)}


def test_attempts_digests_and_places_in_the_log_may_differ() -> None:
    assert_same_end(archive(["a", "b"], offset=0), archive(["c", "d"], offset=7))


def test_anything_else_may_not() -> None:
    expected = archive(["a", "b"])
    for wrong in (
        archive(["a"]),
        archive(["a", "b", "c"]),
        archive(["a", "b"], content=b"other"),
        archive(["a", "b"], rows=3),
        archive(["a", "b"], chained=False),
    ):
        with pytest.raises(AssertionError):
            assert_same_end(wrong, expected)


def archive(
    attempts: list[str], *, content: bytes = b"1\n", rows: int = 2, offset: int = 0, chained: bool = True
) -> Archive:
    """Batches of one series, one for each attempt, each naming the one before."""
    found, previous = Archive(), None
    for number, attempt in enumerate(attempts):
        path = PATH.format(number)
        close = {"attempt": hashlib.md5(attempt.encode()).hexdigest(), "rows": rows, "previous": previous}
        document = {"close": close, "log": {"close_offset": offset + number}}
        previous = close_digest(close) if chained else hashlib.sha256(attempt.encode()).hexdigest()
        manifest = canonical(document).encode()
        assert json.loads(manifest) == document
        found.manifests[f"{path}.manifest.json"] = manifest
        found.objects[f"{path}.manifest.json"] = hashlib.sha256(manifest).hexdigest()
        found.objects[path] = hashlib.sha256(content).hexdigest()
    return found
