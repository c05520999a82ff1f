"""The slope of a process's memory: by least squares, of its longest life, without its warm-up."""

import os
import sys
from pathlib import Path

import pytest

from b2stream.sandbox import processes
from tests.faults.soak_memory import MB, Memory, Sample, complaints, slope
from tests.waiting import until


def line(pid: int, begin_s: float, length_s: float, mb: float, mb_per_ten_minutes: float) -> list[Sample]:
    """A sample every ten seconds on a straight line, with a saw-tooth of 0.2 MB on it."""
    steps = range(int(length_s / 10) + 1)
    return [
        Sample(begin_s + 10 * at, pid, round((mb + mb_per_ten_minutes * at / 60 + 0.2 * (at % 2)) * MB)) for at in steps
    ]


@pytest.mark.parametrize(("growth", "is_too_steep"), [(0.0, False), (0.5, False), (1.5, True), (-3.0, False)])
def test_I10_a_straight_line_has_its_slope_and_the_bar_is_one_mb_in_ten_minutes(
    growth: float, is_too_steep: bool
) -> None:
    found = slope("processor", line(1, 0, 1800, 80, growth), warm_up_s=300)
    assert found.mb_per_ten_minutes == pytest.approx(growth, abs=0.02)
    assert found.is_too_steep is is_too_steep
    assert found.measured_s == 1500


def test_what_a_program_takes_at_its_start_is_no_growth() -> None:
    starting = line(1, 0, 300, 40, 60)
    found = slope("processor", [*starting, *line(1, 310, 1500, 70, 0)], warm_up_s=310)
    assert found.mb_per_ten_minutes == pytest.approx(0, abs=0.02)


def test_only_the_longest_life_counts() -> None:
    lives = [*line(1, 0, 200, 80, 0), *line(2, 210, 1500, 90, 2), *line(3, 1800, 100, 70, 0)]
    found = slope("processor", lives, warm_up_s=300)
    assert found.lives == 3
    assert found.mb_per_ten_minutes == pytest.approx(2, abs=0.02)


def test_a_short_life_is_told_and_not_judged() -> None:
    found = slope("processor", line(1, 0, 500, 80, 50), warm_up_s=300)
    assert found.measured_s == 200
    assert not found.is_too_steep
    assert slope("processor", line(1, 0, 100, 80, 50), warm_up_s=300).mb_per_ten_minutes is None


def test_whose_memory_is_judged_is_named_and_others_are_not() -> None:
    slopes = [slope(name, line(1, 0, 1800, 80, 2), warm_up_s=300) for name in ("first", "kafka", "processor")]
    found = complaints(slopes, {"first", "processor"}, 1799)
    assert [each.split()[2] for each in found] == ["first", "processor"]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells it so")
@pytest.mark.parametrize(("length_s", "said"), [(1799, 0), (1800, 2)])
def test_I10_a_program_that_was_not_measured_for_long_enough_fails_a_load_of_half_an_hour(
    length_s: float, said: int
) -> None:
    """`replicator` was never seen; `kafka` is not ours."""
    slopes = [slope("registrar", line(1, 0, 1800, 80, 0)), slope("first", line(1, 0, 890, 80, 0))]
    slopes.append(slope("kafka", line(1, 0, 100, 80, 0)))
    found = complaints(slopes, {"registrar", "first", "replicator"}, length_s)
    assert found == [f"memory of {name} was not measured for 600 s" for name in ("first", "replicator")][:said]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only Linux tells it so")
def test_a_process_counts_with_its_children(tmp_path: Path) -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; print(1); time.sleep(600)'])"
    parent = processes.start("parent", [sys.executable, "-u", "-c", script], tmp_path / "log")
    memory = Memory()
    try:
        until(lambda: (tmp_path / "log").read_text(), "the child never began")
        memory.sample(1.0, {"parent": parent})
        alone = int(Path(f"/proc/{parent.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        assert memory.samples["parent"][0].rss_bytes > alone + 2 * MB
    finally:
        parent.kill()
    memory.sample(2.0, {"parent": parent})
    assert len(memory.samples["parent"]) == 1
