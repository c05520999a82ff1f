"""Scrub: let the centres read what they store again, first what nobody has looked at for longest, at a rate that disturbs nobody.

When an object was last looked at stands in the log (`ObjectEvent`, fixity check); no state of its own is kept. A mismatch is an event
and a metric at once. A pass may take days, so each object is described anew when its turn comes; the listing only says what to look at.
"""

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from b2stream.archive.store import ObjectState, ObjectStore, ReplicaStatus
from b2stream.archive.waiting import Clock
from b2stream.batches.paths import MANIFEST_SUFFIX
from b2stream.contracts.records import ObjectEvent
from b2stream.errors import Retryable, Stuck
from b2stream.handles.describing import FAIL, SUCCESS, checksum_dates, fixity
from b2stream.programs.audit.acknowledged import WITHIN_S
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.events import FIXITY_CHECK
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.judging.apart import station_of
from b2stream.software import software

NAME = "b2stream-scrub"
_LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True, slots=True)
class ToCheck:
    """An object as the listing and the log know it: its size in bytes, and, where an event names it, the SHA-256 of then."""

    path: str
    size_bytes: int
    sha256: str | None
    batch: str | None


@dataclass(frozen=True, slots=True)
class Checked:
    """One object that was read again. `trouble` says what is wrong with it."""

    centre: str
    path: str
    size_bytes: int
    trouble: str = ""

    @property
    def outcome(self) -> str:
        """In the words of PREMIS."""
        return FAIL if self.trouble else SUCCESS


class Pace:
    """Waits so that no more than `bytes_per_s` are read on the whole; an object counts when it was read."""

    def __init__(self, bytes_per_s: float, clock: Clock) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._free_at_s = clock.monotonic()

    def spend(self, size_bytes: int) -> None:
        """Wait until these bytes are paid for. Raises Retryable when the program is stopping."""
        now_s = self._clock.monotonic()
        self._free_at_s = max(self._free_at_s, now_s) + size_bytes / self._bytes_per_s
        while (left_s := self._free_at_s - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left_s, _LONGEST_PAUSE_S))


def oldest_first(index: Index, centre: str) -> list[ToCheck]:
    """A centre's objects; first what nobody has looked at for longest.

    The commit and the copying verified an object, so one that was never checked since counts from then: with a limit, what keeps
    arriving does not keep what is there from its turn. A check that failed counts too: a damaged object does not do so either.
    An event that was published again, after the log was lost, is younger than what it is about: an object counts from no later than
    when it was modified, and from no earlier than its close.
    """
    query = (
        "SELECT o.path, o.size_bytes, coalesce(e.sha256, k.sha256), e.batch FROM object o "
        "LEFT JOIN checked c ON c.centre = o.centre AND c.path = o.path LEFT JOIN expected e ON e.path = o.path "
        "LEFT JOIN kept k ON k.centre = o.centre AND k.path = o.path "
        "LEFT JOIN committed b ON b.batch = e.batch LEFT JOIN replicated r ON r.batch = e.batch AND r.centre = o.centre "
        "WHERE o.centre = :centre GROUP BY o.path "
        "ORDER BY coalesce(c.at_us, max(coalesce(b.closed_at_us, 0), "
        "min(coalesce(r.appended_at_us, b.appended_at_us), o.modified_s * 1000000)), o.modified_s * 1000000, 0), o.path"
    )
    return [ToCheck(*row) for row in index.rows(query, centre=centre)]


@dataclass
class Scrub:
    """Looks at one centre's objects, in the order given."""

    store: ObjectStore
    objects: Sequence[ToCheck]
    announcer: Announcer
    pace: Pace
    who: str
    policy: str | None = None
    now_s: Callable[[], float] = time.time
    stopping: threading.Event = field(default_factory=threading.Event)
    acknowledged_within_s: float = WITHIN_S

    def run(self) -> Iterator[Checked]:
        """Every object once. Raises Retryable where nobody answers, Kafka among them, or the program is stopping."""
        for each in self.objects:
            self.pace.spend(each.size_bytes)
            state = self.store.describe(each.path)
            if state is None and each.sha256 is None:
                continue  # no event names it, and whoever put it there took it away
            trouble = "it is not there any more" if state is None else self._trouble(each, state)
            done = Checked(self.store.centre, each.path, state.size_bytes if state else 0, trouble)
            sha256, checked_at_us = each.sha256 or (state.sha256 if state else None), int(self.now_s() * 1e6)
            if trouble:
                self._tell(done, sha256, each.batch, checked_at_us)
                with contextlib.suppress(Stuck, Retryable):  # it was told, and must be counted
                    self._describe(done, checked_at_us)
            else:
                # A centre may let us read and not describe: the event tells all the same.
                with contextlib.suppress(Stuck):
                    self._describe(done, checked_at_us)
                self._tell(done, sha256, each.batch, checked_at_us)
            yield done

    def _trouble(self, each: ToCheck, state: ObjectState) -> str:
        """What is wrong with an object as its centre describes it now; empty where nothing is."""
        if state.status is not ReplicaStatus.GOOD:
            return f"its replica is {state.status.value}"
        expected = each.sha256 or state.sha256
        try:
            found = self.store.recompute_sha256(each.path)
        except Stuck as error:
            return error.detail
        if expected is not None and found != expected:
            return f"its bytes hash to {found}, committed was {expected}"
        if state.sha256 != expected:
            return f"its bytes are as committed, and its checksum in the catalogue is {state.sha256 or 'missing'}"
        return ""

    def _describe(self, done: Checked, checked_at_us: int) -> None:
        """Say in the attributes of a data object how the check ended: B2SAFE's has the date of a good one, our own that one failed."""
        if done.path.endswith(MANIFEST_SUFFIX):
            return
        present = self.store.attributes(done.path)
        told = fixity(self.announcer.community, done.outcome, checked_at_us, present)
        if not done.trouble:
            told |= checksum_dates(present.resources, checked_at_us, present)
        if told:
            self.store.set_attributes(done.path, told)

    def _tell(self, done: Checked, sha256: str | None, batch: str | None, checked_at_us: int) -> None:
        event = ObjectEvent(
            event=FIXITY_CHECK,
            outcome=done.outcome,
            batch=batch,
            station=station_of(done.path),
            path=done.path,
            centre=done.centre,
            at_us=checked_at_us,
            sha256=sha256,
            size_bytes=done.size_bytes,
            detail=done.trouble or "recomputed at the centre",
            who=self.who,
            software=software(NAME),
            policy=self.policy,
        )
        self.announcer.tell(event, within_s=self.acknowledged_within_s, stopping=self.stopping)


def side_by_side(scrubs: Sequence[Scrub], limit: int | None, stopping: threading.Event) -> Iterator[Checked]:
    """Each object of each centre as it was read, all centres at once, `limit` of each; one that fails does not stop the others.

    Raises what stopped the first one that failed, when the others are done. Ending the iteration ends them after the object at hand.
    """
    answers: queue.SimpleQueue[Checked | Exception | None] = queue.SimpleQueue()

    def look(scrub: Scrub) -> None:
        try:
            for checked in islice(scrub.run(), limit):
                answers.put(checked)
                if stopping.is_set():
                    break
        except Exception as error:
            answers.put(error)
        finally:
            answers.put(None)

    threads = [threading.Thread(target=look, args=(scrub,), name=f"scrub-{scrub.store.centre}") for scrub in scrubs]
    for thread in threads:
        thread.start()
    failures: list[Exception] = []
    working = len(threads)
    try:
        while working:
            answer = answers.get()
            if answer is None:
                working -= 1
            elif isinstance(answer, Exception):
                failures.append(answer)
            else:
                yield answer
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
