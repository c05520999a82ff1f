"""Days whose history a centre lacks, archived at each centre that answers. Which they are, the log tells: each document has its event."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from b2stream.archive.placing import Writer
from b2stream.archive.store import ObjectStore
from b2stream.archive.waiting import Clock
from b2stream.errors import B2streamError, Stuck
from b2stream.programs.audit.acknowledged import WITHIN_S
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.events import INGESTION
from b2stream.programs.audit.history.daily import Archived, Events, archive, documents, stem_of
from b2stream.programs.audit.unanswered import UNANSWERED

DAYS = 14
"""So many days back a run looks for what a centre lacks: a centre may be away for as long."""
_EPOCH = date(1970, 1, 1)
_DAY_US = 86_400 * 1_000_000


@dataclass
class Archiving:
    """One run over the centres. Where one does not answer, the others get their documents all the same."""

    log: Events
    stores: Sequence[ObjectStore]
    announcer: Announcer
    clock: Clock
    who: str
    writer: Writer = field(default_factory=Writer)
    now_s: Callable[[], float] = time.time
    acknowledged_within_s: float = WITHIN_S

    def run(self, day: date, days_back: int = 0) -> Iterator[Archived]:
        """Every station's document of a day, and of so many days before it what a centre lacks.

        Raises Retryable where Kafka does not answer; when the rest is done, what the first centre that did not take its documents answered.
        """
        before = [day - timedelta(days=number) for number in range(1, days_back + 1)]
        told = _told(self.log, [day, *before])
        stations = _stations(self.log, before)
        failures: list[B2streamError] = []
        answering = list(self.stores)

        def is_wanted(station: str, on: date) -> bool:
            centres = {centre for centre, _ in told[stem_of(station, on)]}
            return on == day or any(store.centre not in centres for store in answering)

        for each in (day, *before):
            if each != day and not any(is_wanted(station, each) for station in stations[each]):
                continue  # a day's documents take a reading of the log
            for station, document in sorted(documents(self.log, each).items()):
                for store in [store for store in answering if is_wanted(station, each)]:
                    try:
                        done = archive(document, station, each, store, self.writer, self.clock)
                    except (*UNANSWERED, Stuck) as error:
                        failures.append(error)
                        if isinstance(error, UNANSWERED):
                            answering.remove(store)
                        continue
                    if (done.centre, done.path) not in told[stem_of(station, each)]:
                        self._tell(done, station, each)
                    yield done
        if failures:
            raise failures[0]

    def _tell(self, done: Archived, station: str, day: date) -> None:
        event = done.event(station, day, int(self.now_s() * 1e6), self.who)
        self.announcer.tell(event, f"{done.centre}/{done.path}", self.acknowledged_within_s)


def _told(log: Events, days: Sequence[date]) -> defaultdict[str, set[tuple[str, str]]]:
    """(centre, path) of the documents of these days that events tell of, by what their names begin with."""
    found: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    wanted = {f"{day:%Y%m%d}" for day in days}
    for event in log.object_events():
        stem = event.path.rpartition("~")[0]
        if event.event == INGESTION and stem[-8:] in wanted:
            found[stem].add((event.centre, event.path))
    return found


def _stations(log: Events, days: Sequence[date]) -> dict[date, set[str]]:
    """Stations to whose objects something happened, by day (UTC): those of which `documents` may have one."""
    found: dict[date, set[str]] = {day: set() for day in days}
    by_number = {(day - _EPOCH).days: found[day] for day in days}

    def note(station: str, at_us: int) -> None:
        if (stations := by_number.get(at_us // _DAY_US)) is not None:
            stations.add(station)

    if not days:
        return found
    for commit in log.commits():
        note(commit.station, commit.committed_at_us)
    for replica in log.replicas():
        note(replica.commit.station, replica.replicated_at_us)
    for event in log.object_events():
        if event.batch is not None:
            note(event.station, event.at_us)
    return found
