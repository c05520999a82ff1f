"""Carry out a plan of repair. Every act begins with what lies there now, so one that was done, or half done, is finished by the next run.

The bytes of a copy are hashed on their way; what is set aside is kept below `.quarantine/`; everything done is an event on
`<community>.events`.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from b2stream.archive.announcing import REPAIR
from b2stream.archive.placing import NewObject, Placing, Writer
from b2stream.archive.store import QUARANTINE_FOLDER, ObjectStore, Placement
from b2stream.archive.waiting import Clock
from b2stream.contracts.records import BatchCommitted, ObjectEvent
from b2stream.errors import DamagedObject, MissingObject, Stuck
from b2stream.programs.audit.acknowledged import WITHIN_S
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.events import ANNOUNCEMENT, DELETION, METADATA_MODIFICATION, REPLICATION, SET_ASIDE
from b2stream.programs.audit.judging.apart import station_of
from b2stream.programs.audit.repair.planning import ANNOUNCE, COPY, DISCARD, REGISTER, TELL, Act, RepairPlan
from b2stream.programs.audit.repair.reannouncing import Terms, reannounce
from b2stream.programs.audit.repair.untold import Told, untold
from b2stream.programs.audit.verify.registered import IS_RIGHT
from b2stream.software import software, who_runs_this

NAME = REPAIR


@dataclass(frozen=True, slots=True)
class Done:
    """What became of an act: `trouble` says why it was not done."""

    act: Act
    outcome: str
    trouble: str = ""

    def line(self) -> str:
        """The outcome in one line."""
        return f"{'✗' if self.trouble else '✓'} {self.outcome or 'not done'}: {self.act.line()} {self.trouble}".rstrip()


@dataclass(frozen=True, slots=True)
class Registration:
    """How the writing of a PID record ended, and the commit event of the data object that it is about."""

    outcome: str
    commit: BatchCommitted


@dataclass
class Repair:
    """Does what a plan says. `stores` by centre; under these `terms` commit events are published again."""

    stores: Mapping[str, ObjectStore]
    announcer: Announcer
    clock: Clock
    terms: Terms = field(default_factory=Terms)
    register: Callable[[Act], Registration] | None = None  # writes a PID record
    now_s: Callable[[], float] = time.time
    who: str = field(default_factory=who_runs_this)
    writer: Writer = field(default_factory=Writer)
    told: Callable[[], Told] = lambda: Told.by(())  # what the log tells now
    batch_of: Callable[[str], str] = lambda path: ""  # batch of an object at a path, as the log knows it
    acknowledged_within_s: float = WITHIN_S

    def apply(self, plan: RepairPlan) -> Iterator[Done]:
        """What an earlier run did not tell, then each act in turn. One that the server refuses is named, and the next goes on.

        Raises Retryable, Fatal.
        """
        told = self.told()
        for aside in untold(self.stores.values(), told):
            batch = self.batch_of(aside.path)
            act = Act(TELL, aside.centre, aside.path, batch, why="the run that set it aside ended before it told")
            self._tell(act, SET_ASIDE, f"moved to {aside.aside}; {act.why}", at_us=aside.at_us)
            yield Done(act, "told")
        steps: dict[str, Callable[[Act], Done]] = {
            COPY: self._copy,
            REGISTER: lambda act: self._register(act, told.lacks_record(act.path, plan.made_at_us)),
            ANNOUNCE: self._announce,
            DISCARD: self._discard,
        }
        for act in plan.acts:
            try:
                done = steps[act.act](act)
                is_right = act.act == COPY and done.outcome == IS_RIGHT
                if is_right and told.lacks_copy(act.centre, act.path, plan.made_at_us):
                    self._tell(act, REPLICATION, f"found right; no event tells who placed it; {act.why}")
                yield done
            except Stuck as error:
                yield Done(act, "", f"{error}")

    def _copy(self, act: Act) -> Done:
        target, source = self.stores[act.centre], self.stores[act.source]
        if self._is_right(target, act):
            return Done(act, IS_RIGHT)
        copied = NewObject(act.path, act.size_bytes, act.sha256, lambda: _verified(source, act))
        placing = Placing(target, self.writer, act.batch[:32] or "repair", clock=self.clock)
        try:
            staged_name = placing.stage_object(copied)  # reads and verifies the source before anything is moved
            aside = self._set_aside(target, act)
            placed = placing.place_data_object(staged_name, copied)
        except Exception:
            placing.give_up()
            raise
        state = target.describe(act.path)
        if state is None or not state.is_exactly(placed.size_bytes, placed.sha256):
            raise DamagedObject(f"{target.url(act.path)} after it was repaired")
        self._tell(act, REPLICATION, f"copied from {act.source}; {act.why}")
        return Done(act, f"copied{f', the damaged one is {aside}' if aside else ''}")

    def _is_right(self, target: ObjectStore, act: Act) -> bool:
        """Whether the object is there with the right bytes, read again by the centre."""
        state = target.describe(act.path)
        if state is None or not state.is_exactly(act.size_bytes, act.sha256):
            return False
        try:
            return target.recompute_sha256(act.path) == act.sha256
        except (DamagedObject, MissingObject):
            return False

    def _set_aside(self, target: ObjectStore, act: Act) -> str:
        """Move what lies at the path to quarantine; empty where nothing lies there."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now_s()))
        for number in range(100):
            aside = f"{QUARANTINE_FOLDER}/{act.path}.{stamp}.{number}"
            placement = target.set_aside(act.path, aside)
            if placement is Placement.SOURCE_GONE:
                return ""
            if placement is Placement.PLACED:
                self._tell(act, SET_ASIDE, f"moved to {aside}; {act.why}")
                return aside
        raise Stuck(f"{act.path} cannot be set aside at {target.centre}")

    def _announce(self, act: Act) -> Done:
        first = self.stores[act.centre]
        (found,) = reannounce(
            first,
            self.announcer,
            second=next((store for centre, store in self.stores.items() if centre != act.centre), None),
            terms=self.terms,
            manifest_paths=[act.path],
            now_s=self.now_s,
            acknowledged_within_s=self.acknowledged_within_s,
        )
        if found.trouble:
            return Done(act, "", found.trouble)
        self._tell(replace(act, batch=found.batch), ANNOUNCEMENT, f"its commit event was published again; {act.why}")
        return Done(act, "announced")

    def _register(self, act: Act, is_untold: bool) -> Done:
        """`is_untold`: no event tells of this record since the plan was made, so if it is right, a run that ended early wrote it."""
        if self.register is None:
            return Done(act, "", "the settings name no Handle server")
        registration = self.register(act)
        if registration.outcome != IS_RIGHT or is_untold:
            commit = registration.commit
            facts = {"path": commit.path, "batch": commit.batch, "sha256": commit.sha256}
            about = replace(act, size_bytes=commit.size_bytes, **facts)
            was_late = registration.outcome == IS_RIGHT
            outcome = "found right; no event tells who wrote it" if was_late else registration.outcome
            self._tell(about, METADATA_MODIFICATION, f"PID record {act.path}: {outcome}; {act.why}")
        return Done(act, registration.outcome)

    def _discard(self, act: Act) -> Done:
        self.stores[act.centre].discard_staged(act.path)
        self._tell(act, DELETION, f"debris of staging; {act.why}")
        return Done(act, "removed")

    def _tell(self, act: Act, event: str, detail: str, *, at_us: int | None = None) -> None:
        record = ObjectEvent(
            event=event,
            outcome="success",
            batch=act.batch or None,
            station="" if act.act == DISCARD else station_of(act.path),  # a staged name tells none
            path=act.path,
            centre=act.centre,
            at_us=int(self.now_s() * 1e6) if at_us is None else at_us,
            sha256=act.sha256 or None,
            size_bytes=act.size_bytes or None,
            detail=detail,
            who=self.who,
            software=software(NAME),
            policy=self.terms.policy,
        )
        self.announcer.tell(record, within_s=self.acknowledged_within_s)


def _verified(source: ObjectStore, act: Act) -> Iterator[bytes]:
    """The object's bytes at the other centre; it ends only if they are what was committed."""
    digest, seen_bytes = hashlib.sha256(), 0
    for piece in source.read(act.path):
        digest.update(piece)
        seen_bytes += len(piece)
        yield piece
    if (seen_bytes, digest.hexdigest()) != (act.size_bytes, act.sha256):
        raise DamagedObject(f"{source.url(act.path)} is no longer what was committed: nothing is copied from it")
