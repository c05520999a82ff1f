"""Runs many schedules, adds up what was hit, and makes the first bad one as short as it can be.

`python -m tests.simulator --seconds 600` on a terminal; the tests run a part of it.
"""

import gc
import itertools
import logging
import random
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, find, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from tests.simulator.remembering import remembering
from tests.simulator.schedule import Schedule, elements, from_seed, without
from tests.simulator.simulation import Outcome, run

_COLLECT_EVERY = 100


@dataclass
class Summary:
    """What many schedules came to."""

    schedules: int = 0
    steps: int = 0
    cpu_s: float = 0.0
    hit: Counter[str] = field(default_factory=Counter)
    in_flight: Counter[str] = field(default_factory=Counter)
    found: list[tuple[int, Schedule, Outcome]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One more."""
        self.schedules += 1
        self.steps += outcome.steps
        self.hit += outcome.hit
        self.in_flight += outcome.in_flight

    def take_in(self, other: "Summary") -> None:
        """What another process came to."""
        self.schedules += other.schedules
        self.steps += other.steps
        self.cpu_s += other.cpu_s
        self.hit += other.hit
        self.in_flight += other.in_flight
        self.found += other.found

    @property
    def per_minute(self) -> float:
        """Schedules per minute of one core's time."""
        return 60 * self.schedules / self.cpu_s if self.cpu_s else 0.0

    def __str__(self) -> str:
        rate = f"{self.per_minute:,.0f} schedules a minute on one core"
        lines = [
            f"{self.schedules} schedules, {self.steps} steps, {self.cpu_s:.1f} s of processor time: {rate}",
            f"{'fault':<34}{'hit':>8}{'with work in flight':>22}",
        ]
        lines += [f"{kind:<34}{count:>8}{self.in_flight[kind]:>22}" for kind, count in sorted(self.hit.items())]
        return "\n".join(lines)


@contextmanager
def simulating() -> Iterator[None]:
    """Quiet, and quick: thousands of programs log what goes wrong with them, and all of them leave circles to be collected."""
    before = logging.root.manager.disable
    if before == logging.CRITICAL:
        yield  # it is so already
        return
    logging.disable(logging.CRITICAL)
    gc.disable()
    try:
        with remembering(), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a killed process never awaits what it was about to
            yield
            gc.collect()
    finally:
        gc.enable()
        logging.disable(before)


def explore(seeds: Iterable[int], is_over: Callable[[Summary], bool], most_found: int = 1) -> Summary:
    """Run the schedules of these seeds until it is over, or so many were found bad."""
    summary, started_s = Summary(), time.process_time()
    with simulating():
        gc.freeze()  # what is loaded is never to be collected
        for seed in seeds:
            schedule = from_seed(seed)
            outcome = run(schedule)
            summary.add(outcome)
            summary.cpu_s = time.process_time() - started_s
            if outcome.violations:
                summary.found.append((seed, schedule, outcome))
            if is_over(summary) or len(summary.found) >= most_found:
                break
            if summary.schedules % _COLLECT_EVERY == 0:
                gc.collect()
                gc.freeze()  # what is left is what is remembered
        gc.unfreeze()
    return summary


def explore_for(seconds: float, first: int, step: int, most_found: int) -> Summary:
    """Every `step`-th seed from the first one on, for so long."""
    until_s = time.monotonic() + seconds
    return explore(itertools.count(first, step), lambda _: time.monotonic() > until_s, most_found)


def shortened(schedule: Schedule, most: int = 400) -> Schedule:
    """A schedule that is bad, too, and has as little in it as hypothesis can leave over."""
    parts = elements(schedule)

    def kept(choices: list[int]) -> Schedule:
        return without(schedule, {part for part, choice in zip(parts, choices, strict=True) if choice == 0})

    with simulating():
        choices = st.lists(st.integers(0, 15), min_size=len(parts), max_size=len(parts))
        wanted = settings(max_examples=most, database=None, deadline=None, suppress_health_check=list(HealthCheck))
        try:
            short = kept(find(choices, lambda each: _is_bad(kept(each)), settings=wanted, random=random.Random(0)))
        except NoSuchExample:
            short = schedule
        for name, usual in (
            ("amnesia", False),
            ("key_at_s", 0.0),
            ("jitter", 0),
            ("workers", 1),
            ("partitions", 1),
            ("spool_bytes", 1 << 30),
            ("letters_per_minute", 1_000_000),
        ):
            simpler = replace(short, **{name: usual})  # type: ignore[arg-type]
            if simpler != short and _is_bad(simpler):
                short = simpler
    return short


def described(seed: int | None, schedule: Schedule, outcome: Outcome) -> str:
    """A bad schedule in words that can be pasted into a test."""
    found = "\n  ".join(outcome.violations)
    origin = "" if seed is None else f"seed {seed}: "
    return f"{origin}{schedule!r}\n  {found}"


def _is_bad(schedule: Schedule) -> bool:
    return bool(schedule.attempts) and bool(run(schedule).violations)
