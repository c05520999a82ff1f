"""What the processor holds of one partition while it owns it: open attempts, unfinished work, what it has seen and when."""

from dataclasses import dataclass, field

from b2stream.batches.assembling import Assembler
from b2stream.batches.progress import OffsetFrontier
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import BatchClosed
from b2stream.programs.processor.openings import Openings


@dataclass(frozen=True, slots=True, eq=False)
class WaitingClose:
    """A close for which its station's description may still come, `wait_s` seconds after it at most; its attempt stays open."""

    message: LogMessage
    close: BatchClosed
    wait_s: float
    reason: str


@dataclass(slots=True, eq=False)
class Partition:
    """State of one owned partition, read from `start_offset`. A rebalance throws it away; the log and the archive have everything."""

    number: int
    generation: int
    start_offset: int
    next_offset: int
    frontier: OffsetFrontier
    openings: Openings  # of all partitions of this process
    assembler: Assembler = field(default_factory=Assembler)
    committed_offset: int | None = None
    heard_s: dict[tuple[str, str], float] = field(default_factory=dict)  # (station, attempt) -> monotonic time
    at_end_since_s: float | None = None
    looked_s: float | None = None
    abandoning: dict[tuple[str, str], int] = field(default_factory=dict)  # (station, attempt) -> last offset
    waiting: list[WaitingClose] = field(default_factory=list)
    begun_at_us: dict[int, int] = field(default_factory=dict)  # first offset of unfinished work -> its append time

    def begin(self, offset: int, appended_at_us: int) -> None:
        """Work that starts with this message is unfinished."""
        self.frontier.begin(offset)
        self.begun_at_us[offset] = appended_at_us

    def finish(self, offset: int) -> None:
        """The work that starts there is done."""
        self.frontier.finish(offset)
        self.begun_at_us.pop(offset, None)

    def oldest_us(self) -> int | None:
        """Append time of the message that holds the frontier; None where nothing is unfinished."""
        return self.begun_at_us.get(self.frontier.frontier())

    def heard(self, station: str, attempt: str, now_s: float) -> None:
        """A message of an open attempt came."""
        self.heard_s[station, attempt] = now_s
        self.openings.heard(station, attempt)

    def forget(self, station: str, attempt: str) -> None:
        """The attempt is not open any more."""
        self.heard_s.pop((station, attempt), None)
        self.openings.ended(station, attempt)
        self.abandoning.pop((station, attempt), None)

    def note_end(self, end_offset: int | None, now_s: float, longest_gap_s: float) -> None:
        """What Kafka says of the log's end now, None where it says nothing: only at the end does silence mean anything.

        Time in which nobody looked, because Kafka was away or this process stood still, is not silence.
        """
        looked_s, self.looked_s = self.looked_s, now_s
        if end_offset is None or self.next_offset < end_offset:
            self.at_end_since_s = None
        elif self.at_end_since_s is None or looked_s is None or now_s - looked_s > longest_gap_s:
            self.at_end_since_s = now_s

    def silent(self, silence_s: float, now_s: float) -> list[tuple[str, str, int]]:
        """(station, attempt, last offset) of attempts to abandon: silent for T, all of it spent at the end of the log."""
        if self.at_end_since_s is None:
            return []
        found = []
        closed = {(one.close.station, one.close.attempt) for one in self.waiting}
        for (station, name), attempt in self.assembler.open.items():
            if (station, name) in closed:
                continue
            since_s = max(self.at_end_since_s, self.heard_s.get((station, name), self.at_end_since_s))
            if now_s - since_s >= silence_s and self.abandoning.get((station, name)) != attempt.last_offset:
                found.append((station, name, attempt.last_offset))
        return found
