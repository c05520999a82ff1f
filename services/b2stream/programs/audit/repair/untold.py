"""What a repair did and could not tell any more, because it ended in the middle: the next one tells it.

A copy that was set aside lies below `.quarantine/` with its path and time in its name, so the listing tells what the log lacks. A copy
that was planned, and is right, and of which no event told since the plan was made, was placed by a run that ended too early. So was a
PID record. A commit event that was published and not told is published again, and told.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from b2stream.archive.store import QUARANTINE_FOLDER, ObjectStore
from b2stream.contracts.records import ObjectEvent
from b2stream.programs.audit.events import METADATA_MODIFICATION, REPLICATION, SET_ASIDE
from b2stream.programs.audit.gathering.log_rows import aside_of, pid_of

_ASIDE = re.compile(rf"{re.escape(QUARANTINE_FOLDER)}/(?P<path>.+)\.(?P<stamp>\d{{8}}T\d{{6}}Z)\.\d+")
_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True)
class Aside:
    """A copy in quarantine: where it lay, where it lies, and when it was moved (µs)."""

    centre: str
    path: str
    aside: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Told:
    """What the events tell.

    (Centre, place in quarantine) of what was set aside; when a copy was last placed, by (centre, path); when a record was last
    written, by PID in lower case.
    """

    aside: frozenset[tuple[str, str]]
    copied_us: Mapping[tuple[str, str], int]
    registered_us: Mapping[str, int]

    @classmethod
    def by(cls, events: Iterable[ObjectEvent]) -> "Told":
        """Read it out of events. Raises Retryable as these do."""
        aside, copied_us, registered_us = set(), dict[tuple[str, str], int](), dict[str, int]()
        for event in events:
            if event.event == SET_ASIDE:
                aside.add((event.centre, aside_of(event)))
            elif event.event == REPLICATION:
                copied_us[event.centre, event.path] = max(event.at_us, copied_us.get((event.centre, event.path), 0))
            elif event.event == METADATA_MODIFICATION:
                pid = pid_of(event).casefold()
                registered_us[pid] = max(event.at_us, registered_us.get(pid, 0))
        return cls(frozenset(aside), copied_us, registered_us)

    def lacks_copy(self, centre: str, path: str, since_us: int) -> bool:
        """Whether no event tells of a copy placed since then."""
        return self.copied_us.get((centre, path), 0) < since_us

    def lacks_record(self, pid: str, since_us: int) -> bool:
        """Whether no event tells of a record written since then."""
        return self.registered_us.get(pid.casefold(), 0) < since_us


def untold(stores: Iterable[ObjectStore], told: Told) -> Iterator[Aside]:
    """The copies in quarantine that no event tells of. Raises Retryable."""
    for store in stores:
        for state in store.list(QUARANTINE_FOLDER):
            named = _ASIDE.fullmatch(state.path)
            if named is not None and (store.centre, state.path) not in told.aside:
                moved = datetime.strptime(named["stamp"], _STAMP).replace(tzinfo=UTC)
                yield Aside(store.centre, named["path"], state.path, int(moved.timestamp()) * 1_000_000)
