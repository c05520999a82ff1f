"""A schedule: what the stations send and what goes wrong, as plain data. It can be drawn from a seed or by hypothesis, cut
shorter, printed and kept as a test."""

import random
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from hypothesis import strategies as st

from tests.simulator import centres, fleet, kafka

ENDINGS = ("closed", "closed", "closed", "open", "wrong rows", "forged")
ACTS = ("kill", "freeze", "lose", "rebalance")
CENTRES = ("first", "second")
COPIER = 9
"""The number of the replicator among the processes."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a batch of the fleet: blocks in this order (sequences may be missing or come twice), then its end."""

    batch: int
    at_s: float = 0.0
    gap_s: float = 0.0
    order: tuple[int, ...] = (0, 1, 2)
    conflict: bool = False
    ending: str = "closed"
    tail: bool = False  # the last block and the close are sent again
    supersedes: bool = False  # the attempts of this batch that were left open before it


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with a call to a centre, a publishing (`log`) or a commit of an offset (`offsets`), counted from 1."""

    where: str
    number: int
    kind: str


@dataclass(frozen=True, slots=True)
class Act:
    """What is done to a process when it comes to a step, counted from 1 over all its lives."""

    process: int
    step: int
    kind: str
    seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Outage:
    """A centre answers nothing (`away`) or refuses everything (`refused`) for a while."""

    centre: str
    at_s: float
    seconds: float
    kind: str = "away"


@dataclass(frozen=True, slots=True)
class LostOffsets:
    """Committed offsets of the processors (or the replicator) go back to a part of what they were."""

    at_s: float
    part: float = 0.0
    group: str = "processors"


@dataclass(frozen=True, slots=True)
class Stray:
    """An abandonment of an attempt comes from a processor that thinks it silent; `late`: more of it came in between."""

    attempt: int
    at_s: float
    late: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """One run. `jitter` is where delays are drawn from; 0: each is the same."""

    attempts: tuple[Attempt, ...]
    faults: tuple[Fault, ...] = ()
    acts: tuple[Act, ...] = ()
    outages: tuple[Outage, ...] = ()
    offsets: tuple[LostOffsets, ...] = ()
    strays: tuple[Stray, ...] = ()
    full_at: tuple[int, ...] = ()  # writings to the spool that find the disk full
    workers: int = 1
    partitions: int = 1
    spool_bytes: int = 1 << 30
    letters_per_minute: int = 1_000_000
    key_at_s: float = 0.0  # when the key of the station that signs is published
    amnesia: bool = False  # at the end Kafka is lost, and all is sent again
    jitter: int = 0

    def __repr__(self) -> str:
        """Only what is not as usual, so that it can be read, and pasted into a test."""
        usual = {each.name: each.default for each in fields(self)}
        said = ((name, getattr(self, name)) for name in usual)
        return f"Schedule({', '.join(f'{name}={value!r}' for name, value in said if value != usual[name])})"


REMOVABLE = ("faults", "acts", "outages", "offsets", "strays", "full_at", "attempts")


def elements(schedule: Schedule) -> list[tuple[str, int]]:
    """What can be left out of a schedule."""
    return [(name, at) for name in REMOVABLE for at in range(len(getattr(schedule, name)))]


def without(schedule: Schedule, left_out: set[tuple[str, int]]) -> Schedule:
    """The schedule without some of its elements."""
    changed: dict[str, Any] = {
        name: tuple(each for at, each in enumerate(getattr(schedule, name)) if (name, at) not in left_out)
        for name in REMOVABLE
    }
    return replace(schedule, **changed)


# From a seed -------------------------------------------------------------------------------------------------------------

_KINDS = {
    "first": centres.KINDS,
    "second": centres.OF_SECOND,
    "log": kafka.PUBLISHING,
    "offsets": kafka.COMMITTING,
}
_CALLS = {"first": 45, "second": 30, "log": 16, "offsets": 8}


def from_seed(seed: int) -> Schedule:
    """The schedule of a seed."""
    dice = random.Random(seed)
    pick, below = dice.choice, dice.randrange
    batches = [below(len(fleet.FLEET))]
    for _ in range(pick((0, 0, 0, 1, 1, 2))):
        batches.append(batches[0] if not below(3) else below(len(fleet.FLEET)))
    attempts = tuple(_attempt(dice, number) for number in batches)
    faults = []
    for _ in range(pick((0, 1, 1, 2, 3, 5))):
        where = pick(("first", "first", "first", "second", "second", "log", "offsets"))
        faults.append(Fault(where, 1 + below(_CALLS[where]), pick(_KINDS[where])))
    workers = 1 + below(2)
    acts = tuple(
        Act(COPIER if not below(4) else below(workers), 1 + below(60), pick(ACTS), pick((1.0, 5.0, 15.0, 40.0)))
        for _ in range(pick((0, 0, 1, 1, 2, 3)))
    )
    return Schedule(
        attempts=attempts,
        faults=tuple(faults),
        acts=acts,
        outages=_some(
            dice, 8, lambda: Outage(pick(CENTRES), dice.random() * 8, pick((3.0, 30.0, 90.0)), _outage(dice))
        ),
        offsets=_some(dice, 8, lambda: LostOffsets(dice.random() * 15, pick((0.0, 0.5)), _group(dice))),
        strays=_some(dice, 8, lambda: Stray(below(3), dice.random() * 6, not below(2))),
        full_at=_some(dice, 12, lambda: 1 + below(6)),
        workers=workers,
        partitions=1 + below(2),
        spool_bytes=pick((1 << 30, 1 << 30, 600, 1)),
        letters_per_minute=pick((1_000_000, 1_000_000, 3)),
        key_at_s=pick((0.0,) * 6 + (8.0, 90.0)),
        amnesia=not below(24),
        jitter=seed,
    )


def _attempt(dice: random.Random, number: int) -> Attempt:
    count = len(fleet.FLEET[number].content)
    order = list(range(count))
    if dice.random() < 0.3:
        dice.shuffle(order)
    if count and dice.random() < 0.1:
        order.pop(dice.randrange(len(order)))
    if order and dice.random() < 0.2:
        order.insert(dice.randrange(len(order) + 1), dice.choice(order))
    return Attempt(
        batch=number,
        at_s=round(dice.random() * 5, 2),
        gap_s=dice.choice((0.0, 0.01, 0.3)),
        order=tuple(order),
        conflict=bool(order) and dice.random() < 0.1,
        ending=dice.choice(ENDINGS) if dice.random() < 0.6 else "closed",
        tail=dice.random() < 0.1,
        supersedes=dice.random() < 0.5,
    )


def _some(dice: random.Random, one_in: int, make: Callable[[], Any]) -> tuple[Any, ...]:
    return () if dice.randrange(one_in) else (make(),)


def _outage(dice: random.Random) -> str:
    return dice.choice(("away", "refused"))


def _group(dice: random.Random) -> str:
    return dice.choice(("processors", "processors", "replicator"))


# By hypothesis -----------------------------------------------------------------------------------------------------------


@st.composite
def attempts(draw: st.DrawFn) -> Attempt:
    """Any attempt."""
    number = draw(st.integers(0, len(fleet.FLEET) - 1))
    count = len(fleet.FLEET[number].content)
    order = draw(st.permutations(range(count)) | st.lists(st.integers(0, count - 1), max_size=5)) if count else ()
    return Attempt(
        batch=number,
        at_s=draw(st.sampled_from((0.0, 0.5, 3.0))),
        gap_s=draw(st.sampled_from((0.0, 0.01, 0.3))),
        order=tuple(order),
        conflict=bool(order) and draw(st.integers(0, 9)) == 9,
        ending=draw(st.sampled_from(ENDINGS)),
        tail=draw(st.booleans()),
        supersedes=draw(st.booleans()),
    )


def _faults() -> st.SearchStrategy[Fault]:
    return st.one_of(
        *(
            st.builds(Fault, st.just(where), st.integers(1, _CALLS[where]), st.sampled_from(kinds))
            for where, kinds in _KINDS.items()
        )
    )


def schedules() -> st.SearchStrategy[Schedule]:
    """Any schedule; what hypothesis finds it makes as short as it can."""

    def few(what: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[tuple[Any, ...]]:
        return st.lists(what, max_size=most).map(tuple)

    moments = st.sampled_from((0.5, 2.0, 6.0, 12.0))
    acts = st.builds(
        Act,
        st.sampled_from((0, 1, COPIER)),
        st.integers(1, 60),
        st.sampled_from(ACTS),
        st.sampled_from((1.0, 15.0, 40.0)),
    )
    return st.builds(
        Schedule,
        attempts=st.lists(attempts(), min_size=1, max_size=4).map(tuple),
        faults=few(_faults(), 5),
        acts=few(acts, 3),
        outages=few(
            st.builds(
                Outage,
                st.sampled_from(CENTRES),
                moments,
                st.sampled_from((3.0, 90.0)),
                st.sampled_from(("away", "refused")),
            ),
            1,
        ),
        offsets=few(
            st.builds(LostOffsets, moments, st.sampled_from((0.0, 0.5)), st.sampled_from(("processors", "replicator"))),
            1,
        ),
        strays=few(st.builds(Stray, st.integers(0, 3), moments, st.booleans()), 1),
        full_at=few(st.integers(1, 6), 1),
        workers=st.integers(1, 2),
        partitions=st.integers(1, 2),
        spool_bytes=st.sampled_from((1 << 30, 600, 1)),
        letters_per_minute=st.sampled_from((1_000_000, 3)),
        key_at_s=st.sampled_from((0.0, 8.0, 90.0)),
        amnesia=st.booleans(),
        jitter=st.integers(0, 1 << 16),
    )
