"""The means of the fault tests: moments cover every step whatever the seed, and two ends that differ are told apart."""

import hashlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from b2stream import failpoints
from b2stream.sandbox.demo.check.canonical import canonical, close_digest
from tests.faults import load, moments
from tests.faults.chain import PROCESSOR, REPLICATOR
from tests.faults.clocks import HOUR_S, YEAR_2100_S, Clock
from tests.faults.judging import Archive, assert_same_end
from tests.faults.moments import Moment, Survived

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


@pytest.mark.parametrize("seed", range(20))
def test_at_least_twenty_moments_are_judged_and_the_end_of_each_tour(seed: int) -> None:
    tours = moments.in_tours(moments.all_of_them(seed), 3)
    judged = moments.judged_rounds(tours, 20, seed)
    assert 20 <= sum(number < len(tour) for tour in tours for number in judged) < sum(map(len, tours))
    assert {len(tour) - 1 for tour in tours} <= judged
    assert moments.judged_rounds(tours, 20, seed) == judged
    assert moments.judged_rounds(tours, sum(map(len, tours)), seed) == set(range(max(map(len, tours))))


def test_the_table_counts_kills_per_step_and_checks() -> None:
    first, second = Moment("stage", 3, PROCESSOR, twice=True), Moment("copy", 1, REPLICATOR)
    told = moments.table([Survived(first, 5, 1.0, None), Survived(second, 5, 1.0, 8), Survived(second, 5, 1.0, 8)])
    assert "kills per step: stage 2, copy 2\n4 kills at 2 steps, 2 times judged afterwards" in told


def test_a_program_with_another_clock_writes_down_what_time_it_read(tmp_path: Path) -> None:
    """Whoever claims that a program lived in 1970 can show it."""
    clock = Clock(tmp_path / "a.clock", YEAR_2100_S + HOUR_S - time.time())
    assert clock.seen() == {}
    program = [
        sys.executable,
        "-c",
        "import time; assert time.time_ns() // 10**9 - time.time() < 2; print(time.time())",
    ]
    printed = subprocess.run(
        program, env={**os.environ, **clock.environment}, capture_output=True, text=True, check=True
    )
    (read,) = clock.seen().values()
    assert read.year == 2100
    assert read.timestamp() == pytest.approx(float(printed.stdout), abs=60)


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
