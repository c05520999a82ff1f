"""Which event is worked on next, and when a failed one is tried again. Pure: the caller gives time and chance.

An event that fails gives up its slot while it waits, so that one bad batch never stops the others (I11). When different
events find nobody to talk to, the server is away and not the batch bad: then one event at a time goes to see, in
pauses that grow, and as soon as one gets through all others are due.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from b2stream.contracts.messages import LogMessage
from b2stream.errors import Retryable, Stuck

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
"""Between two tries while nobody answers: a server that is back is noticed within half a minute."""
LONGEST_STUCK_PAUSE_S = 600.0
REFUSALS_ARE_AN_OUTAGE_S = 900.0


@dataclass(eq=False, slots=True)
class Work:
    """One event from reading to acknowledgement. Works of one `key` never run at once.

    `task` is what the program keeps of it from one try to the next.
    """

    message: LogMessage
    key: str
    generation: int
    task: Any = None
    tries: int = 0
    unfit_seen: bool = False
    is_refused: bool = False  # at its last try a server answered, and refused it
    first_tried_s: float | None = None


@dataclass(slots=True)
class Schedule:
    """What is to be done. `chance` gives numbers from 0 to 1; pauses are between half of their length and all of it."""

    chance: Callable[[], float]
    running: int = 0
    unreachable: set[str] = field(default_factory=set)  # keys that found nobody since the last success
    refused: set[str] = field(default_factory=set)  # keys that were refused since the last success
    refused_since_s: float | None = None
    _ready: deque[Work] = field(default_factory=deque)
    _behind: dict[str, deque[Work]] = field(default_factory=dict)  # by key: works behind the one that runs or waits
    _count_behind: int = 0  # counted along: the loop asks at each event, and there may be thousands of keys
    _waiting: list[tuple[float, int, Work]] = field(default_factory=list)  # a heap by due time
    _set_aside: int = 0  # refused ones among those that wait
    _count: int = 0
    _probe_tries: int = 0
    _probe_due_s: float = 0.0

    def __len__(self) -> int:
        """Works that are neither finished nor running."""
        return len(self._ready) + len(self._waiting) + self._count_behind

    @property
    def waiting(self) -> int:
        """Works that failed and wait for their next try."""
        return len(self._waiting)

    @property
    def set_aside(self) -> int:
        """Works that a server refused and that wait for their next try."""
        return self._set_aside

    def oldest_us(self) -> int | None:
        """Append time of the oldest event that is not finished, microseconds since 1970; running ones are left out."""
        works = [*self._ready, *(work for _, _, work in self._waiting)]
        return min((work.message.appended_at_us for work in works), default=None)

    @property
    def away(self) -> bool:
        """Whether nobody answers: two different batches found nobody, and none got through since."""
        return len(self.unreachable) > 1

    def refuses_everything(self, now_s: float) -> bool:
        """Whether the server has refused each of several batches for a quarter of an hour: an outage, not bad batches."""
        since_s = self.refused_since_s
        return since_s is not None and len(self.refused) > 1 and now_s - since_s >= REFUSALS_ARE_AN_OUTAGE_S

    def add(self, work: Work) -> None:
        """A new work; behind one of the same key if that is not finished."""
        if work.key in self._behind:
            self._behind[work.key].append(work)
            self._count_behind += 1
        else:
            self._behind[work.key] = deque()
            self._ready.append(work)

    def take(self, now_s: float) -> Work | None:
        """The next work to run now, if any."""
        while self._waiting and self._waiting[0][0] <= now_s:
            due = heapq.heappop(self._waiting)[2]
            self._set_aside -= due.is_refused
            self._ready.append(due)
        if not self._ready or (self.away and (self.running or now_s < self._probe_due_s)):
            return None
        self.running += 1
        work = self._ready.popleft()
        work.tries += 1
        if work.first_tried_s is None:
            work.first_tried_s = now_s
        return work

    def finished(self, work: Work) -> None:
        """A work that was taken got through: whoever waits because nobody answered is due."""
        self.running -= 1
        self._next_of(work.key)
        self.unreachable.clear()
        self.refused.clear()
        self.refused_since_s = None
        if self._probe_tries:
            self._probe_tries, self._probe_due_s = 0, 0.0
            self._ready.extend(work for _, _, work in sorted(self._waiting))
            self._waiting.clear()
            self._set_aside = 0

    def failed(self, work: Work, error: Retryable | Stuck, now_s: float) -> float:
        """A work that was taken failed; the seconds until it may be tried again."""
        self.running -= 1
        work.is_refused = isinstance(error, Stuck)
        if work.is_refused:
            self.refused.add(work.key)
            self.refused_since_s = now_s if self.refused_since_s is None else self.refused_since_s
            pause_s = self._pause_s(work.tries, LONGEST_STUCK_PAUSE_S)
        else:
            self.unreachable.add(work.key)
            self._probe_tries += 1
            self._probe_due_s = now_s + self._pause_s(self._probe_tries, LONGEST_PAUSE_S)
            pause_s = self._pause_s(work.tries, LONGEST_PAUSE_S)
        self.wait(work, now_s + pause_s)
        return pause_s

    def again(self, work: Work, due_s: float) -> None:
        """A work that was taken is to run once more, without anybody being to blame."""
        self.running -= 1
        self.wait(work, due_s)

    def wait(self, work: Work, due_s: float) -> None:
        """Let a work that does not run wait until then."""
        self._count += 1
        self._set_aside += work.is_refused
        heapq.heappush(self._waiting, (due_s, self._count, work))

    def drop(self, unwanted: Callable[[Work], bool]) -> list[Work]:
        """Forget the works that do not run and are unwanted, e.g. of a partition that was taken away; gives them back."""
        idle = [*self._ready, *(work for _, _, work in self._waiting)]
        dropped = [work for work in idle if unwanted(work)]
        self._ready = deque(work for work in self._ready if not unwanted(work))
        self._waiting = [entry for entry in self._waiting if not unwanted(entry[2])]
        heapq.heapify(self._waiting)
        self._set_aside = sum(work.is_refused for _, _, work in self._waiting)
        for behind in self._behind.values():
            dropped += [work for work in behind if unwanted(work)]
            keep = [work for work in behind if not unwanted(work)]
            self._count_behind -= len(behind) - len(keep)
            behind.clear()
            behind.extend(keep)
        for work in [work for work in idle if unwanted(work)]:
            self._next_of(work.key)
        return dropped

    def _next_of(self, key: str) -> None:
        behind = self._behind[key]
        if behind:
            self._count_behind -= 1
            self._ready.append(behind.popleft())
        else:
            del self._behind[key]

    def _pause_s(self, tries: int, longest_s: float) -> float:
        length_s = min(FIRST_PAUSE_S * 2.0 ** min(tries - 1, 30), longest_s)
        return length_s * (0.5 + 0.5 * self.chance())
