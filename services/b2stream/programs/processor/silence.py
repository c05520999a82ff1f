"""Attempts whose station fell silent: declared so by a message in their own partition, which takes effect there like any other."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from b2stream.contracts.records import BatchAbandoned
from b2stream.errors import B2streamError
from b2stream.programs.processor.outbox import Outbox
from b2stream.programs.processor.ownership import Ownership
from b2stream.programs.processor.partition import Partition

_log = logging.getLogger(__name__)

_AT_ONCE = 100


class Silence:
    """Publishes abandonments for attempts of owned partitions that were silent for `silence_s` at the end of the log."""

    def __init__(
        self,
        partitions: Mapping[int, Partition],
        ownership: Ownership,
        outbox: Outbox,
        silence_s: float,
        clock_s: Callable[[], float],
    ) -> None:
        self._partitions = partitions
        self._ownership = ownership
        self._outbox = outbox
        self._silence_s = silence_s
        self._clock_s = clock_s

    async def look(self, ends: Mapping[int, int]) -> None:
        """Abandon what is silent by now. Raises Retryable where Kafka does not take a message.

        `ends` is what Kafka says of the logs' ends at this moment; nothing for a partition that it does not answer for.
        """
        now_s, silence_s = self._clock_s(), self._silence_s
        silent = []
        for partition in self._partitions.values():
            partition.note_end(ends.get(partition.number), now_s, max(silence_s / 4, 5.0))
            silent += [(partition, *found) for found in partition.silent(silence_s, now_s)]
        for at in range(0, len(silent), _AT_ONCE):
            await asyncio.gather(*(self._abandon(*each) for each in silent[at : at + _AT_ONCE]))

    async def _abandon(self, partition: Partition, station: str, name: str, last_offset: int) -> None:
        if not self._ownership.is_current(partition):
            return
        attempt = partition.assembler.open.get((station, name))
        if attempt is None or attempt.last_offset != last_offset:
            return  # it was heard of while others were abandoned
        partition.abandoning[station, name] = last_offset
        _log.warning("attempt %s of %s fell silent after offset %d", name, station, last_offset)
        try:
            await self._outbox.abandon(
                BatchAbandoned(station=station, attempt=name, last_offset=last_offset), partition.number
            )
        except B2streamError:
            partition.abandoning.pop((station, name), None)
            raise
