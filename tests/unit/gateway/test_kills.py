"""I1 at the gateway: killed at any moment and started again, it neither loses nor doubles a row.

A moment is a passing of the journal's fail point (before and after each commit), or just before or after Kafka has a message.
Between lives the files may change. The judge is the log alone: what a processor would make of it.
"""

import tempfile
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b2stream import failpoints
from b2stream.errors import Retryable
from b2stream.programs.gateway import snapshot as snapshots
from tests.unit.gateway.stands import Stand, judge, toa5

NAMES = ("met.dat", "blob.bin")
IN_MEMORY = "/dev/shm"
"""Where a journal is on disk without a disk: thousands of them are written."""


class Killed(BaseException):
    """SIGKILL, as far as one process can play it."""


def content(name: str, version: int) -> bytes:
    return toa5(120 + version, version) if name == "met.dat" else bytes([version]) * (9_000 + version)


class Countdown:
    """Kills at the n-th passing of any step."""

    def __init__(self, moments: list[int]) -> None:
        self.moments = moments
        self.passed = 0

    def step(self, *_: str) -> None:
        self.passed += 1
        if self.moments and self.passed >= self.moments[0]:
            self.moments.pop(0)
            self.passed = 0
            raise Killed


def live(stand: Stand, rounds: int) -> bool:
    """One life of a gateway; False where it was killed."""
    try:
        gateway = stand.start()
        for _ in range(rounds):
            try:
                gateway.step()
            except Retryable:
                continue
    except Killed:
        return False
    return True


def run(moments: list[int], edits: list[tuple[str, int]], large_bytes: int) -> tuple[Stand, dict[str, list[bytes]]]:
    """Lives until no moment is left, with an edit before each; gives the stand and the versions that each file had."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if Path(IN_MEMORY).is_dir() else None) as directory:
        stand = Stand(Path(directory), block_bytes=4096)
        versions = {name: [content(name, 0)] for name in NAMES}
        for name in NAMES:
            stand.write(name, versions[name][0])
        countdown = Countdown(list(moments))
        stand.log.before_append = stand.log.after_append = countdown.step
        changes = list(edits)
        with (
            mock.patch.object(failpoints, "passing", countdown.step),
            mock.patch.object(snapshots.take, "__defaults__", (large_bytes,)),
        ):
            while True:
                whole = live(stand, rounds=3)
                if whole and not changes:
                    break
                if changes:
                    name, version = changes.pop(0)
                    stand.write(name, content(name, version))
                    versions[name].append(content(name, version))
        stand.close()
        return stand, versions


@settings(max_examples=settings.default.max_examples // 2)  # type: ignore[union-attr]  # a profile is loaded
@given(
    moments=st.lists(st.integers(1, 40), max_size=6),
    edits=st.lists(st.tuples(st.sampled_from(NAMES), st.integers(0, 2)), max_size=4),
    large_bytes=st.sampled_from([1 << 20, 5_000]),  # above it files stay on disk and are read again for each pass
)
def test_I1_killed_at_any_moment_nothing_is_lost_or_doubled(
    moments: list[int], edits: list[tuple[str, int]], large_bytes: int
) -> None:
    stand, versions = run(moments, edits, large_bytes)
    batches = judge(stand.log)
    for name in NAMES:
        archived = [batch.raw for batch in batches.values() if batch.close.name == name]
        assert len(archived) == len(set(archived)), "one content in two batches"
        assert set(archived) <= set(versions[name]), "a content that the file never had"
        assert versions[name][-1] in archived, "the latest content is missing"
        last = [close for close in stand.log.closes() if close.name == name][-1]
        assert last.raw_size_bytes == len(versions[name][-1])
        for batch in batches.values():
            assert len(batch.times_us) == batch.close.rows == len(set(batch.times_us)), "a row is lost or doubled"
    closed = {close.attempt for close in stand.log.closes()}
    superseded = {attempt for close in stand.log.closes() for attempt in close.supersedes}
    for attempt in {headers_attempt for _, headers in stand.log.messages for headers_attempt in _attempts(headers)}:
        unfinished = attempt not in closed and attempt not in superseded
        # Only a file that went back to what was published already leaves an attempt for the processor to abandon.
        assert not unfinished or len(edits) > 1, f"attempt {attempt} is neither closed nor superseded"


def _attempts(headers: list[tuple[str, bytes]]) -> list[str]:
    return [value.decode() for name, value in headers if name == "ce_attempt"]


@pytest.mark.parametrize("large_bytes", [1 << 20, 5_000])
def test_I1_a_kill_at_each_single_moment_of_a_whole_run_leads_to_the_same_batches(large_bytes: int) -> None:
    whole, _ = run([], [], large_bytes)
    wanted = {batch: found.raw for batch, found in judge(whole.log).items()}
    twice = 0
    for moment in range(1, 41):
        stand, _ = run([moment], [], large_bytes)
        found = judge(stand.log)
        assert {batch: each.raw for batch, each in found.items()} == wanted
        assert all(close.supersedes == () for close in stand.log.closes())
        twice += len(stand.log.messages) > len(whole.log.messages)
    assert twice > 10, "the kills met no work in flight"
