"""Who owns what at this moment: a generation is what lies between two rebalances.

The archive is the fence, not the rebalance: uploads of an old generation finish, but nothing of it is tried again, dead-lettered,
abandoned or acknowledged.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from b2stream.errors import Retryable
from b2stream.programs.processor.partition import Partition
from b2stream.programs.processor.patience import Patience

_log = logging.getLogger(__name__)


class Ownership:
    """The current generation, and waiting that ends with it."""

    def __init__(self) -> None:
        self.generation = 0
        self._over = asyncio.Event()

    def end(self) -> None:
        """Partitions are taken away: whoever waits for something of this generation goes on at once."""
        self.generation += 1
        self._over.set()
        self._over = asyncio.Event()

    def is_current(self, partition: Partition) -> bool:
        """Whether this process may still act for what it read from the partition."""
        return partition.generation == self.generation

    async def pause(self, partition: Partition, pause_s: float) -> None:
        """Wait, but not beyond the partition's generation."""
        if not self.is_current(partition):
            return
        try:
            await asyncio.wait_for(self._over.wait(), pause_s)
        except TimeoutError:
            return

    async def until_answered(self, partition: Partition, act: Callable[[], Awaitable[None]]) -> bool:
        """Do it again until somebody answers; False where the generation ended before."""
        patience = Patience()
        while self.is_current(partition):
            try:
                await act()
            except Retryable as error:
                _log.warning("waiting: %s", error)
                await self.pause(partition, patience.pause_s())
            else:
                return True
        return False
