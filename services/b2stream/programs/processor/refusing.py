"""How many attempts may be open (I10): each costs memory and a file, and one without a close ends only at the end of the log.

Where one more is opened, another is refused: of the station with most open attempts the one heard of longest ago, so that nobody pushes out
the others, and what goes on has the best chance of its close. Its blocks become letters that are not poison, before anything else
is read: the station sends the batch again. Which one is refused depends on where reading began; a batch that is archived does not.
"""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping

from b2stream.batches.assembling import Attempt
from b2stream.errors import Poison
from b2stream.programs.processor import metrics
from b2stream.programs.processor.burial import Cause
from b2stream.programs.processor.openings import Key, Openings
from b2stream.programs.processor.partition import Partition

_log = logging.getLogger(__name__)

_MINUTE_S = 60.0


class TooManyOpen(Poison):
    """More attempts are open than `processor.open_attempts` allows, and this one's station had most of them: its gateway sends the batch
    again. Look why the station opens attempts and does not close them."""

    reason = "too_many_open"


class Refusing:
    """Keeps the open attempts of a process at `most`. `bury` returns once an attempt's letters are written, or its generation ended."""

    def __init__(
        self,
        most: int,
        partitions: Mapping[int, Partition],
        bury: Callable[[Partition, Attempt, Cause], Awaitable[None]],
        clock_s: Callable[[], float],
    ) -> None:
        self._most = most
        self._partitions = partitions
        self.openings = Openings()
        self._bury = bury
        self._clock_s = clock_s
        self._refused: OrderedDict[Key, None] = OrderedDict()
        self._last_s = self._told_s = clock_s() - _MINUTE_S
        self._untold = 0

    async def stay_within_limit(self) -> None:
        """Refuse until the limit holds. A close that waits for its key (`origin.py`) spares its attempt; those have their own limit."""
        while len(self.openings) > self._most:
            waiting = {
                (one.close.station, one.close.attempt) for each in self._partitions.values() for one in each.waiting
            }
            chosen = self.openings.longest_ago(waiting)
            if chosen is None:
                return
            with metrics.PAUSES.because("open_attempts"):
                await self._refuse(*chosen)

    def refusal(self, station: str, attempt: str) -> Cause | None:
        """Why a block of this attempt becomes a letter at once; None where it is taken.

        As many are remembered as may be open. The rest of one that is forgotten is a hole, or falls silent: letters as well.
        """
        return self._cause(TooManyOpen()) if (station, attempt) in self._refused else None

    def closed(self, station: str, attempt: str) -> Poison | None:
        """Its close came: why it cannot be examined if it was refused. What comes under its name afterwards is assembled anew."""
        if (station, attempt) not in self._refused:
            return None
        del self._refused[station, attempt]
        return TooManyOpen()

    def begin_anew(self) -> None:
        """A generation ended: what is left of it counts by itself."""
        self.openings = Openings()
        self._refused.clear()

    def why(self) -> str | None:
        """What to say of it within a minute of the last one refused."""
        if self._clock_s() - self._last_s >= _MINUTE_S:
            return None
        return f"more than {self._most} attempts are open (processor.open_attempts): some become dead letters"

    async def _refuse(self, station: str, name: str) -> None:
        partition = next(each for each in self._partitions.values() if (station, name) in each.assembler.open)
        open_here = self.openings.of(station)
        attempt = partition.assembler.drop(name, station)
        assert attempt is not None
        partition.forget(station, name)
        self._refused[station, name] = None
        if len(self._refused) > self._most:
            self._refused.popitem(last=False)
        metrics.REFUSED_ATTEMPTS.inc()
        self._tell(station, open_here)
        detail = f"{open_here} attempts of this station were open, more than {self._most} in all"
        await self._bury(partition, attempt, self._cause(TooManyOpen(detail)))

    def _cause(self, problem: TooManyOpen) -> Cause:
        return Cause(problem.reason, str(problem), poison=False)

    def _tell(self, station: str, open_here: int) -> None:
        self._untold += 1
        now_s = self._last_s = self._clock_s()
        if now_s - self._told_s >= _MINUTE_S:
            _log.critical(
                "more than %d attempts are open (processor.open_attempts): %d refused since this was last said, the last one of "
                "%s, which had %d",
                self._most,
                self._untold,
                station,
                open_here,
            )
            self._told_s, self._untold = now_s, 0
