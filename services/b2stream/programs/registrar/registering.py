"""What is done with one event: the PID record first, then the attributes at the centres. All of it may be done twice.

A commit event only creates. A replica event creates or rewrites the whole record, but only where the record names its own
batch's location. So either may come first, and two registrars at once end at the same record.
"""

import time

from b2stream.archive.announcing import committed_us, replicated_us
from b2stream.archive.store import ObjectStore
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.errors import MissingObject, Poison
from b2stream.failpoints import passing
from b2stream.handles.describing import CHECKSUM_DATE, Describing, checksum_dates
from b2stream.handles.records import Prefixes, first_record, second_record
from b2stream.handles.registering import ContentConflict, Registered, create, create_or_rewrite
from b2stream.handles.service import URL, HandleRecord, HandleService
from b2stream.programs.registrar import metrics
from b2stream.programs.registrar.events import Events
from b2stream.programs.registrar.reading import ReadTogether
from b2stream.work.outgoing import Outgoing
from b2stream.work.schedule import Work
from b2stream.work.upgrading import wait_for_upgrade
from b2stream.work.workers import Done, Unfit

CONFLICT = ContentConflict.reason
NO_OBJECT = "object_missing"


class PidTaken(Unfit):
    """The PID of this content has a record of another content: find out who wrote it; `reannounce` tries the batch again."""

    reason = CONFLICT


class NothingToDescribe(Unfit):
    """The data object that was announced is not there: `audit` finds out why; `reannounce` tries the batch again."""

    reason = NO_OBJECT

    def __init__(self, detail: str, centre: str) -> None:
        super().__init__(detail)
        self.centre = centre


class Registering:
    """The registrar's job. `second` is None where there is no second centre; then a replica event is one of somebody else's."""

    def __init__(
        self,
        service: HandleService,
        first: ObjectStore,
        second: ObjectStore | None,
        events: Events,
        reading: ReadTogether,
        prefixes: Prefixes,
        describing: Describing,
    ) -> None:
        self._service = service
        self._first = first
        self._second = second
        self._events = events
        self._reading = reading
        self._prefixes = prefixes
        self._describing = describing
        self._seen_s: dict[str, float] = {}  # when a centre last showed an object

    def try_once(self, work: Work) -> Done:
        event = self._events.read(work.message)
        try:
            if isinstance(event, BatchReplicated):
                return self._replicated(event)
            return self._committed(event)
        except ContentConflict as conflict:
            metrics.CONFLICTS.inc()
            raise PidTaken(conflict.detail) from conflict

    def before_letter(self, work: Work, why: Poison) -> None:
        """An object is missing only while its centre shows us others: without a permission iRODS hides all of them."""
        wait_for_upgrade(work, why)
        if isinstance(why, NothingToDescribe):
            since_s = work.first_tried_s if work.first_tried_s is not None else float("inf")
            if self._seen_s.get(why.centre, float("-inf")) < since_s:
                raise MissingObject(f"{why.detail}; nothing else is to be seen at {why.centre} either")

    def letter(self, message: LogMessage, why: Poison) -> Outgoing:
        return self._events.letter(self._reading.original(message), why)

    def give_up(self, work: Work) -> None:
        """Nothing is left half done that the next try would not complete."""

    def _committed(self, commit: BatchCommitted) -> Done:
        passing("write PID record")
        outcome, _ = create(self._service, first_record(commit, self._prefixes))
        passing("PID record written")
        self._describe(self._first, commit.path, self._describing.at_first(commit), committed_us(commit))
        return Done(None, outcome.value)

    def _replicated(self, replica: BatchReplicated) -> Done:
        commit = replica.commit
        passing("write PID record")
        outcome, found = create_or_rewrite(self._service, first_record(commit, self._prefixes, replica))
        passing("PID record written")
        copy = second_record(replica, self._prefixes)
        if copy is not None:
            create_or_rewrite(self._service, copy)
        self._describe(self._first, commit.path, self._describing.at_first(commit, replica), committed_us(commit))
        if self._second is not None and self._second.centre == replica.centre:
            described = self._describing.at_second(replica)
            self._describe(self._second, commit.path, described, replicated_us(replica))
        return Done(self._elsewhere(outcome, found, replica), outcome.value)

    def _elsewhere(self, outcome: Registered, found: HandleRecord, replica: BatchReplicated) -> Outgoing | None:
        if outcome is not Registered.ELSEWHERE:
            return None
        return self._events.further_location(replica, found.handle, found.text(URL) or "")

    def _describe(self, store: ObjectStore, path: str, described: dict[str, str], verified_at_us: int) -> None:
        """One atomic call, and none where all is said already.

        A date of the checksum that is there stays: an event may be of a copy that was in place already, and then nobody read its bytes.
        """
        try:
            present = store.attributes(path)
            self._seen_s[store.centre] = time.monotonic()
            undated = [name for name in present.resources if CHECKSUM_DATE + name not in present.values]
            wanted = described | checksum_dates(undated, verified_at_us, present)
            if present.lacks(wanted):
                passing("write attributes")
                store.set_attributes(path, wanted)
                passing("attributes written")
        except MissingObject as error:
            raise NothingToDescribe(error.detail, store.centre) from error
