"""What a fault does to the bytes of one direction of one connection: pure, without a socket and without a clock of its own."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

UP, DOWN, BOTH = "up", "down", "both"
ENDS = ("cut", "reset", "half_close")
KINDS = ("pass", "delay", "throttle", "hold", "black_hole", "flip", *ENDS)
_TAIL_BYTES = 512  # a trigger is found also where it comes in two pieces


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to bytes on their way `up` to the server or `down` to the client.

    `delay` (seconds), `throttle` (bytes per second), `hold` (kept until the next fault is set), `black_hole` (swallowed), `flip` (the
    lowest bit of one byte), `cut` (both sides closed), `reset` (RST to both), `half_close` (the end of this direction alone).

    It begins `after_bytes` bytes after it was set; with a `trigger`, a regular expression on the bytes (as Latin-1), so many after
    the match begins; `trigger_in` looks for the trigger in the other direction, so that the reply to a request can be lost. `only`
    keeps it to connections whose first bytes match, `times` to so many connections (0: all).
    """

    kind: str = "pass"
    direction: str = BOTH
    after_bytes: int = 0
    trigger: str = ""
    trigger_in: str = BOTH
    only: str = ""
    times: int = 0
    seconds: float = 0.0
    bytes_per_s: float = math.inf

    def __post_init__(self) -> None:
        if self.kind not in KINDS or not {self.direction, self.trigger_in} <= {UP, DOWN, BOTH}:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, direction up, down or both")
        if min(self.after_bytes, self.times, self.seconds) < 0 or self.bytes_per_s <= 0:
            raise ValueError("no number of a fault is negative, and bytes_per_s is more than 0")

    @property
    def at_once(self) -> bool:
        """Whether it ends connections without waiting for a byte."""
        return self.kind in ENDS and not self.trigger and self.after_bytes == 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes to be sent when `due_s` has come, and what happens to the connection then (one of ENDS, or nothing)."""

    content: bytes
    due_s: float
    end: str = ""


class Lane:
    """One direction. `may_hit` is asked once, when the fault would begin here. Used by one thread."""

    def __init__(self, direction: str) -> None:
        self.direction = direction
        self.other: Lane | None = None
        self.swallowed = False
        """Whether bytes are missing in this stream, so that nobody can go on with it."""
        self.set(Fault())

    def set(self, fault: Fault) -> None:
        """Put a fault in force; its position is counted from here."""
        acts = fault.direction in (self.direction, BOTH)
        watches = bool(fault.trigger) and (fault.trigger_in == self.direction or (acts and fault.trigger_in == BOTH))
        self._fault = fault if acts else Fault()
        self._trigger = re.compile(fault.trigger.encode("latin-1"), re.DOTALL) if watches else None
        self._tells_other = watches and fault.trigger_in == self.direction
        self._start = None if fault.trigger else fault.after_bytes
        self._seen = 0
        self._tail = b""
        self._free_s = -math.inf
        self._begun = self._over = False

    def take(self, content: bytes, now_s: float, may_hit: Callable[[], bool]) -> list[Piece]:
        """What becomes of bytes that arrive now."""
        whole = [Piece(content, now_s)]
        begin = self._begin(content)
        if self._fault.kind == "pass" or self._over or begin is None:
            return whole
        if not self._begun:
            self._begun, self._over = True, not may_hit()
            if self._over:
                return whole
        before, rest = content[:begin], content[begin:]
        return [piece for piece in self._struck(before, rest, now_s) if piece.content or piece.end]

    def _struck(self, before: bytes, rest: bytes, now_s: float) -> list[Piece]:
        kind = self._fault.kind
        if kind == "delay":
            return [Piece(before, now_s), Piece(rest, now_s + self._fault.seconds)]
        if kind == "throttle":
            self._free_s = max(self._free_s, now_s) + len(rest) / self._fault.bytes_per_s
            return [Piece(before, now_s), Piece(rest, self._free_s)]
        if kind == "hold":
            return [Piece(before, now_s), Piece(rest, math.inf)]
        if kind == "flip":
            self._over = True
            return [Piece(before + bytes([rest[0] ^ 1]) + rest[1:], now_s)]
        self.swallowed |= bool(rest)
        return [Piece(before, now_s, "" if kind == "black_hole" else kind)]

    def _begin(self, content: bytes) -> int | None:
        """Where in these bytes the fault is in force from; None: later, if ever."""
        self._look(content)
        seen, self._seen = self._seen, self._seen + len(content)
        if self._start is None or self._start > self._seen:
            return None
        if (
            self._start == self._seen and self._fault.kind not in ENDS
        ):  # what comes after so many bytes needs no further one
            return None
        return max(0, self._start - seen)

    def _look(self, content: bytes) -> None:
        """Look for the trigger; where it is found the fault begins here, or in the other direction with what comes next there."""
        if self._trigger is None:
            return
        text_begins = self._seen - len(self._tail)
        text = self._tail + content
        self._tail = text[-_TAIL_BYTES:]
        if match := self._trigger.search(text):
            self._trigger = None
            self._start = text_begins + match.start() + self._fault.after_bytes
            if self._tells_other and self.other is not None:
                self.other.begin_here()

    def begin_here(self) -> None:
        """The trigger was found in the other direction."""
        if self._start is None:
            self._start = self._seen + self._fault.after_bytes
