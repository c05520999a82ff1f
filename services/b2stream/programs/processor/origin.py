"""In front of everything that a close can do: whether its station wrote it (I9), and may publish this series, and whether the archive
takes it.

A close that is refused changes nothing: it becomes a letter of its own, and its attempt stays open. Whoever may write to the topic could
otherwise end any attempt of any station with a forged close; now the station's own close still finds all blocks. Where none comes,
they are abandoned like those of any attempt that fell silent.

A close whose key nobody has yet waits here, in front of its series' order, so that nothing waits behind it; when the key is published
it goes on as if it had just come. One whose series is not listed waits a moment, too: its station's new description may be on its way.
So does a batch whose variables are not listed (`committing.py`).
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from b2stream.batches.manifest import batch_of
from b2stream.batches.permission import NotPermitted, check_series
from b2stream.batches.signing import UnknownKey, check_origin
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import StationDescription
from b2stream.errors import Poison
from b2stream.programs.processor import metrics
from b2stream.programs.processor.burial import Cause
from b2stream.programs.processor.ownership import Ownership
from b2stream.programs.processor.partition import Partition, WaitingClose
from b2stream.programs.processor.patience import NEWS_S

_log = logging.getLogger(__name__)

MOST_WAITING = 1_000
"""So many closes of unknown keys, 128 KiB each at most, wait at once; further ones become letters at once (I10)."""


class NotTaken(Poison):
    """The policies (`general.policies_file`) say that nothing of this series is archived: take the file out of the gateway's folder, or
    let the policies say `ingest = true` and send it again (`b2stream gateway retry FILE`)."""

    reason = "series_not_taken"


class Stations(Protocol):
    """What is needed of `b2stream.stations.known.KnownStations`."""

    @property
    def descriptions(self) -> Mapping[str, StationDescription]: ...

    @property
    def version(self) -> int: ...


@dataclass(frozen=True, slots=True)
class OriginRules:
    """Who is believed. A close whose key nobody has waits until `unknown_key_s` after the broker appended it.

    `levels` are the data levels of input formats; `takes` says of station and series whether the policies want it archived.
    """

    stations: Stations
    accept_unsigned: bool
    unknown_key_s: float
    now_us: Callable[[], int]
    levels: Mapping[str, int] = field(default_factory=dict)
    takes: Callable[[str, str], bool] = lambda station, series: True


class Gate:
    """Judges closes. `accept` takes one that is its station's own, `refuse` writes a letter."""

    def __init__(
        self,
        rules: OriginRules,
        partitions: Mapping[int, Partition],
        ownership: Ownership,
        accept: Callable[[Partition, LogMessage, BatchClosed], Awaitable[None]],
        refuse: Callable[[Partition, LogMessage, BatchClosed, Cause], Awaitable[None]],
    ) -> None:
        self._rules = rules
        self._partitions = partitions
        self._ownership = ownership
        self._accept = accept
        self._refuse = refuse
        self._seen_version = -1
        self._one_at_a_time = asyncio.Lock()

    async def take(self, partition: Partition, message: LogMessage, close: BatchClosed) -> None:
        """Judge a close, after those that came before it and whose key is known by now."""
        async with self._one_at_a_time:
            await self._look_again()
            wait = await self._judge(partition, message, close, has_room=self.waiting() < MOST_WAITING)
            if wait is not None:
                partition.begin(message.offset, message.appended_at_us)
                partition.waiting.append(wait)
                self._count()

    async def look_again(self) -> None:
        """Judge those that wait once more, where descriptions changed or their time is over."""
        async with self._one_at_a_time:
            await self._look_again()

    def signs(self, station: str) -> bool:
        """Whether a station has a key, so that a close without its signature is not its own."""
        description = self._rules.stations.descriptions.get(station)
        return description is not None and bool(description.keys)

    def waiting(self) -> int:
        """Closes whose key nobody has yet, or whose series is not listed yet."""
        return sum(len(partition.waiting) for partition in self._partitions.values())

    async def _look_again(self) -> None:
        version = self._rules.stations.version
        is_news, self._seen_version = version != self._seen_version, version
        for partition, one in list(self._all_waiting()):
            if not self._ownership.is_current(partition) or not (is_news or self._is_over(one.message, one.wait_s)):
                continue
            if await self._judge(partition, one.message, one.close, has_room=True) is None:
                partition.waiting.remove(one)
                partition.finish(one.message.offset)
        self._count()

    def _count(self) -> None:
        """Only those without a key: somebody has to publish it."""
        metrics.WAITING_CLOSES.set(sum(one.reason == UnknownKey.reason for _, one in self._all_waiting()))

    def _all_waiting(self) -> Iterator[tuple[Partition, WaitingClose]]:
        for partition in self._partitions.values():
            for one in partition.waiting:
                yield partition, one

    async def _judge(
        self, partition: Partition, message: LogMessage, close: BatchClosed, *, has_room: bool
    ) -> WaitingClose | None:
        """Accept or refuse it; gives it where it has to wait."""
        rules = self._rules
        try:
            check_origin(
                close, message.appended_at_us, rules.stations.descriptions, accept_unsigned=rules.accept_unsigned
            )
            if not rules.takes(close.station, close.series):
                raise NotTaken(f"series {close.series:.100} of station {close.station}")
            check_series(close, rules.stations.descriptions, rules.levels)
        except UnknownKey as unknown:
            if has_room and not self._is_over(message, rules.unknown_key_s):
                _log.warning("close %s of %s waits for its key %s", close.stem, close.station, close.key)
                return WaitingClose(message, close, rules.unknown_key_s, unknown.reason)
            await self._bury(partition, message, close, unknown, poison=False)  # the key may still be published
        except NotPermitted as refused:
            if has_room and not self._is_over(message, NEWS_S):
                return WaitingClose(message, close, NEWS_S, refused.reason)
            await self._bury(partition, message, close, refused, poison=True)
        except Poison as refused:
            await self._bury(partition, message, close, refused, poison=True)
        else:
            await self._accept(partition, message, close)
        return None

    async def _bury(
        self, partition: Partition, message: LogMessage, close: BatchClosed, refused: Poison, *, poison: bool
    ) -> None:
        metrics.REFUSED_CLOSES.labels(refused.reason).inc()
        await self._refuse(partition, message, close, Cause(refused.reason, str(refused), poison, batch_of(close)))

    def _is_over(self, message: LogMessage, wait_s: float) -> bool:
        return self._rules.now_us() - message.appended_at_us >= wait_s * 1e6
