"""What PID record and attributes say of a data object, beside what its events say they must."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from b2stream.archive.attributes import clean
from b2stream.archive.store import ObjectStore
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.errors import MissingObject, Stuck
from b2stream.handles.describing import Describing
from b2stream.handles.kinds import read_kinds
from b2stream.handles.opening import open_handles, prefixes_from
from b2stream.handles.records import Prefixes, first_record, second_record
from b2stream.handles.service import CHECKSUM, URL, HandleRecord, HandleService
from b2stream.programs.audit.judging.differing import differences
from b2stream.programs.audit.unanswered import UNANSWERED, unanswered
from b2stream.programs.audit.verify.checks import Check, Outcome, compared
from b2stream.settings import Settings

IS_RIGHT = "it is right already"
"""How it ended where nothing was to be done."""


@dataclass(frozen=True, slots=True)
class Registered:
    """Compares with the Handle server and with the attributes at the centres. `first` is the name of the first centre."""

    service: HandleService
    prefixes: Prefixes
    describing: Describing
    first: str

    @classmethod
    def of(cls, settings: Settings) -> "Registered | None":
        """Those of a deployment, None where it registers nothing. Raises ConfigurationError."""
        if not settings.handle.url or not settings.first.prefix:
            return None
        prefixes = prefixes_from(settings)
        describing = Describing(settings.general.community, prefixes, read_kinds(settings.registrar.kinds_file))
        return cls(open_handles(settings.handle), prefixes, describing, settings.first.name)

    def records(
        self, commit: BatchCommitted, replica: BatchReplicated | None, places: Collection[str]
    ) -> Iterator[Check]:
        """The PID record of the data object, and that of its copy where it has one. `places`: URLs of all batches with this content."""
        expected = [first_record(commit, self.prefixes, replica)]
        if replica is not None and (copy := second_record(replica, self.prefixes)) is not None:
            expected.append(copy)
        for record in expected:
            try:
                yield from self._record(record, places)
            except (*UNANSWERED, Stuck) as error:
                yield unanswered(record.handle, "the Handle server answers", error)

    def rewrite(self, pid: str, commit: BatchCommitted, replica: BatchReplicated | None) -> str:
        """Write the record of a PID as the events say, over whatever is there; says how it ended. For repair alone.

        A PID that is not the data object's own is its copy's, also under a prefix that the second centre had once.
        """
        record = first_record(commit, self.prefixes, replica)
        if pid.casefold() != record.handle.casefold():
            prefixes = replace(self.prefixes, second=pid.partition("/")[0])
            copy = None if replica is None else second_record(replica, prefixes)
            if copy is None or pid.casefold() != copy.handle.casefold():
                raise Stuck(f"{pid}: no event says what its record must be")
            record = copy
        found = self.service.read(record.handle)
        if found is not None and found.says_the_same(record):
            return IS_RIGHT
        self.service.rewrite(record)
        return "registered" if found is None else "registered anew"

    def _record(self, expected: HandleRecord, places: Collection[str]) -> Iterator[Check]:
        found = self.service.read(expected.handle)
        if found is None:
            yield Check(expected.handle, "the PID has a record", Outcome.BAD, "there is none")
            return
        if found.text(URL) != expected.text(URL) and found.text(URL) in places:
            about = "the PID record names another batch of the same content, and its checksum"
            yield compared(expected.handle, about, found.text(CHECKSUM), expected.text(CHECKSUM))
            return
        wrong = list(differences(found, expected))
        if not wrong:
            yield Check(expected.handle, "the PID record is as the events say", Outcome.GOOD)
        for each in wrong:
            detail = f"{each.found}, expected {each.expected}"
            yield Check(expected.handle, f"{each.type} in the PID record", Outcome.BAD, detail)

    def attributes(
        self, store: ObjectStore, commit: BatchCommitted, replica: BatchReplicated | None
    ) -> Iterator[Check]:
        """The attributes (AVUs) of the data object at a centre."""
        if store.centre == self.first:
            wanted: Mapping[str, str] = self.describing.at_first(commit, replica)
        elif replica is not None:
            wanted = self.describing.at_second(replica)
        else:
            return
        try:
            attributes = store.attributes(commit.path)
        except MissingObject:
            return  # said already
        present = attributes.values
        wrong = {name: value for name, value in clean(wanted).items() if present.get(name) != (value,)}
        if not wrong:
            yield Check(store.centre, "its attributes are as the events say", Outcome.GOOD)
        for name, value in wrong.items():
            yield compared(store.centre, f"attribute {name}", ", ".join(present.get(name, ())) or "none", value)
        if (failed := self.describing.failed_check(attributes)) is not None:
            detail = f"its attributes say {failed}: `b2stream scrub` looks again"
            yield Check(store.centre, "the centre's own latest check of it went well", Outcome.BAD, detail)
