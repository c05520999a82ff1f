"""The gateway's work: look at the folder, publish what is new, read what came back, send again what the rules say.

One thread does it all, one file after the other; the journal is written before each step is relied on, so that the order of what
follows is the whole recovery: first the closes that may or may not have been published, then everything else.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from b2stream import failpoints
from b2stream.batches.identity import batch_id
from b2stream.batches.paths import split_name
from b2stream.contracts.records import BatchClosed, Relation
from b2stream.formats.base import Station
from b2stream.programs.gateway import metrics
from b2stream.programs.gateway.closing import Prepared, draft, prepare, same_blocks
from b2stream.programs.gateway.journal.journal import Attempt, Journal
from b2stream.programs.gateway.outstanding import Outstanding
from b2stream.programs.gateway.publisher import Publisher
from b2stream.programs.gateway.signing import unsigned
from b2stream.programs.gateway.snapshot import FileChanged, FileUnreadable, Snapshot, take
from b2stream.programs.gateway.sources import BadSources, settled_sources_of
from b2stream.programs.gateway.watch import SOURCES_ENDING, Folder, Seen, Signature, list_of

log = logging.getLogger(__name__)


class ReceiptsLike(Protocol):
    """What is needed of `receipts.Receipts`."""

    def poll(self, timeout_s: float = 0.0) -> int: ...


@dataclass(slots=True)
class Gateway:
    """Publishes the files of one folder for one station. `topic_id` tells which topic a close went to; `beat` says that work goes on;
    `forget` lets the journal forget what it need not know; `warn` says what the processor will refuse."""

    station: Station
    journal: Journal
    folder: Folder
    publisher: Publisher
    topic_id: Callable[[], str]
    receipts: ReceiptsLike | None = None
    outstanding: Outstanding | None = None
    block_bytes: int = 262_144
    window_s: int = 1_800
    beat: Callable[[], None] = lambda: None
    forget: Callable[[], None] = lambda: None
    sign: Callable[[BatchClosed], BatchClosed] = unsigned
    warn: Callable[[BatchClosed, Prepared], None] = lambda close, prepared: None
    new_attempt: Callable[[], str] = lambda: secrets.token_hex(16)
    present: dict[str, Seen] = field(default_factory=dict)
    unsettled: dict[str, Seen] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    _done: dict[str, Signature] = field(default_factory=dict)
    _lists: dict[str, Seen] = field(default_factory=dict)
    _compared: dict[str, Signature] = field(default_factory=dict)
    _alone: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        unfinished = self.journal.unfinished()
        self._done = {
            name: signature for name, signature in self.journal.signatures().items() if name not in unfinished
        }

    def step(self) -> None:
        """Go round once. Raises Retryable where Kafka or the folder is away: go round again later."""
        self.beat()
        self._scan()
        self._finish_closes()
        for seen in list(self.present.values()):
            if self._done.get(seen.name) != seen.signature:
                self._attend(seen, self._consider)
        if self.receipts is not None:
            self.receipts.poll()
        if self.outstanding is not None:
            self._send_again(self.outstanding.due())
        self.forget()

    def is_taken(self, name: str) -> bool:
        """Whether a file of the folder was published as it looks now."""
        seen = self.present.get(name)
        return seen is not None and self._done.get(name) == seen.signature

    def all_taken(self) -> bool:
        """Whether every file in the folder was published, or cannot be read."""
        return not self.unsettled and all(self.is_taken(name) or name in self.unreadable for name in self.present)

    def _scan(self) -> None:
        scan = self.folder.scan()
        metrics.SCANNED_AT.set(time.time())
        self.present = {seen.name: seen for seen in scan.complete}
        self.unsettled = {seen.name: seen for seen in scan.unsettled}
        self.unreadable = {name: why for name, why in self.unreadable.items() if name in self.present}
        metrics.UNREADABLE.set(len(self.unreadable))
        self._lists = {seen.name: seen for seen in scan.lists}
        for seen in scan.lists:
            if self._compared.get(seen.name) != seen.signature and self.is_taken(list_of(seen.name)):
                self._compare_list(list_of(seen.name), seen)
        self._name_lists_alone({seen.name for seen in scan.alone})

    def _compare_list(self, name: str, listed: Seen) -> None:
        """Say it where a file was sent without the sources that now stand beside it: what is archived does not change."""
        latest = self.journal.latest(name)
        try:
            if latest is not None:  # else archived and forgotten
                sources = settled_sources_of(self.present[name].path, listed)
                if sources != latest.close.sources:
                    told = {"facts": {"file": name}}
                    log.warning("sources came or changed after their file was sent: not archived", extra=told)
        except FileChanged:
            return  # until it has settled
        except BadSources as error:
            log.error("%s", error)
        self._compared[listed.name] = listed.signature

    def _name_lists_alone(self, alone: set[str]) -> None:
        """Say it once where a list waits for a file that nobody knows: one of the two may have another name than was meant."""
        for name in sorted(alone - self._alone):
            if self.journal.published(list_of(name)) is None:
                told = {"facts": {"list": name, "file": list_of(name)}}
                log.warning("%s names sources of %s, which is not in the folder", name, list_of(name), extra=told)
        self._alone = alone

    def _sources(self, seen: Seen) -> tuple[str, ...]:
        """What the list beside a file names. Asked before the file is read: a bad list costs a look at each scan, not all of that."""
        return settled_sources_of(seen.path, self._lists.get(seen.name + SOURCES_ENDING))

    def _attend(self, seen: Seen, work: Callable[[Seen], None]) -> None:
        """Do something with a file; trouble with the file itself does not keep the others waiting."""
        self.beat()
        try:
            work(seen)
            self.unreadable.pop(seen.name, None)
        except FileChanged as change:
            log.info("a file changed while it was read and is taken anew", extra={"facts": {"file": change.detail}})
            self.folder.unsettle(seen.name)
            self._done.pop(seen.name, None)
        except FileUnreadable as error:
            if self.unreadable.get(seen.name) != error.detail:
                log.error("%s", error)
            self.unreadable[seen.name] = error.detail

    def _consider(self, seen: Seen) -> None:
        """A file that is new or looks other than before: publish it, go on with it, or find that nothing changed."""
        sources = self._sources(seen)
        snapshot = take(seen)
        unfinished = self.journal.open_attempt(seen.name)
        if unfinished is not None and (prepared := self._as_before(unfinished, snapshot)):
            log.info("going on with a file that was begun", extra={"facts": {"file": seen.name}})
            self._send(unfinished, prepared)
            return
        published = self.journal.published(seen.name)
        if published is not None and published.raw_sha256 == snapshot.raw_sha256:
            if unfinished is not None:
                self.journal.give_up(unfinished.attempt)
            self.journal.unchanged(seen.name, seen.signature)
            self._done[seen.name] = seen.signature
            return
        self._publish(snapshot, sources)

    def _publish(
        self, snapshot: Snapshot, sources: tuple[str, ...], again: Attempt | None = None, cause: str = ""
    ) -> None:
        """Publish a content as a new attempt; `again` is the attempt that it repeats."""
        prepared = prepare(snapshot, self.station, self.block_bytes)
        batch = self._batch(prepared)
        sources = sources or (again.close.sources if again is not None else ())
        repeats = again.batch if again is not None else None
        tries = again.tries + 1 if again is not None and cause != "asked" else 0
        supersedes = self.journal.superseded_by_next(snapshot.name, repeats)
        relation = self._relation(snapshot.name, batch)
        planned = draft(prepared, self.new_attempt(), self.window_s, relation, supersedes, sources)
        self.warn(planned, prepared)
        self.journal.plan(planned, prepared.cuts, tries)
        attempt = self.journal.open_attempt(snapshot.name)
        assert attempt is not None
        self._send(attempt, prepared)

    def _send(self, attempt: Attempt, prepared: Prepared) -> None:
        snapshot = prepared.snapshot
        self._done.pop(snapshot.name, None)
        try:
            self.publisher.send_blocks(attempt.close.series, attempt.attempt, prepared.bodies())
        except FileChanged:
            self.journal.give_up(attempt.attempt)
            raise
        failpoints.passing("blocks sent")
        close = self.journal.begin_close(attempt, snapshot.signature, self.sign)
        self._send_close(close)
        self._done[snapshot.name] = snapshot.signature

    def _send_close(self, close: BatchClosed) -> None:
        topic_id = self.topic_id()
        delivered = self.publisher.send_close(close)
        failpoints.passing("close sent")
        self.journal.end_close(close.attempt, topic_id, delivered.offset)
        metrics.FILES.inc()
        metrics.ROWS.inc(close.rows)
        metrics.BYTES.inc(close.raw_size_bytes)
        if close.opaque_reason is not None:
            metrics.OPAQUE.labels(close.opaque_reason).inc()
        facts = {"file": close.name, "series": close.series, "format": close.input_format, "rows": close.rows}
        facts |= {"bytes": close.raw_size_bytes, "blocks": close.count, "number": close.series_number}
        if close.opaque_reason is not None:
            facts |= {"opaque": close.opaque_reason, "why": close.opaque_detail}
        log.info("sent", extra={"facts": facts})

    def _finish_closes(self) -> None:
        """Closes of which nobody knows whether they were published are published again; with their blocks where the file is the same.

        The blocks are in the log already, but the attempt may have been abandoned while this gateway was down.
        """
        for attempt in self.journal.closing():
            seen = self.present.get(attempt.name) or self.unsettled.get(attempt.name)  # its digest tells, not its rest
            if seen is not None:
                try:
                    prepared = self._as_before(attempt, take(seen))
                    if prepared is not None:
                        self.publisher.send_blocks(attempt.close.series, attempt.attempt, prepared.bodies())
                except (FileChanged, FileUnreadable) as error:
                    log.info("a close is sent again without its blocks: %s", error)
            self._send_close(attempt.close)
            signature = self.journal.signatures().get(attempt.name)
            if signature is not None:
                self._done[attempt.name] = signature

    def _as_before(self, attempt: Attempt, snapshot: Snapshot) -> Prepared | None:
        """The file prepared with an attempt's own cuts, None where that would not give the same blocks."""
        if attempt.close.raw_sha256 != snapshot.raw_sha256:
            return None
        try:
            prepared = prepare(snapshot, self.station, self.block_bytes, attempt.cuts)
        except FileChanged:
            return None
        return prepared if same_blocks(draft(prepared, attempt.attempt, self.window_s), attempt.close) else None

    def _send_again(self, due: list[tuple[Attempt, str]]) -> None:
        wanted = {attempt.name for attempt, _ in due} | self.journal.unfinished()
        missing = {name for name in wanted if name not in self.present and name not in self.unsettled}
        for name in missing - self.gone:
            log.error("a file that has to be sent is not in the folder any more", extra={"facts": {"file": name}})
        self.gone = missing
        metrics.GONE.set(len(missing))
        for attempt, cause in due:
            seen = self.present.get(attempt.name)
            if seen is not None:
                self._attend(seen, lambda seen, attempt=attempt, cause=cause: self._repeat(seen, attempt, cause))  # type: ignore[misc]

    def _repeat(self, seen: Seen, attempt: Attempt, cause: str) -> None:
        sources = self._sources(seen)
        snapshot = take(seen)
        if snapshot.raw_sha256 != attempt.close.raw_sha256:
            self._done.pop(seen.name, None)  # another content by now: it is published as such
            return
        log.warning("sent again", extra={"facts": {"file": seen.name, "cause": cause, "tries": attempt.tries + 1}})
        metrics.RESENT.labels(cause).inc()
        self._publish(snapshot, sources, attempt, cause)

    def _relation(self, name: str, batch: str) -> Relation | None:
        """What a content replaces: the latest accepted one of that name. The same content again stands as it stood."""
        before = self.journal.accepted(name)
        if before is None:
            return None
        return before.relation if before.batch == batch else Relation("replaces", before.batch)

    def _batch(self, prepared: Prepared) -> str:
        snapshot = prepared.snapshot
        name = "".join(split_name(snapshot.name))
        return batch_id(prepared.station, prepared.reading.series, name, snapshot.raw_sha256)
