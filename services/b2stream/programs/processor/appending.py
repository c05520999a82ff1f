"""Taking a block into its attempt, and its bytes into the spool."""

import logging
from collections.abc import Callable

from b2stream.batches.assembling import Arrival, Attempt, Piece
from b2stream.contracts.messages import LogMessage
from b2stream.failpoints import passing
from b2stream.programs.processor import metrics
from b2stream.programs.processor.intake import Block
from b2stream.programs.processor.keeping import Keeper
from b2stream.programs.processor.partition import Partition

_log = logging.getLogger(__name__)


class Appending:
    """A block may come in any order and more than once; one that comes a second time with other bytes spoils its attempt."""

    def __init__(self, keeper: Keeper, clock_s: Callable[[], float]) -> None:
        self._keeper = keeper
        self._clock_s = clock_s

    def take(self, partition: Partition, message: LogMessage, block: Block) -> None:
        """Take a block that was just read from the partition, and keep the spool within its budget."""
        assert message.value is not None
        value, assembler = message.value, partition.assembler
        key = (block.station, block.attempt)
        is_new = key not in assembler.open

        def same_bytes(piece: Piece) -> bool:
            return self._keeper.is_same(partition, assembler.open[key], piece, value)

        def keep(attempt: Attempt) -> tuple[int, int]:
            return self._keeper.keep(partition, attempt, value)

        arrival = assembler.block(block.attempt, block.station, block.sequence, message.offset, same_bytes, keep)
        partition.heard(block.station, block.attempt, self._clock_s())
        if is_new:
            partition.begin(message.offset, message.appended_at_us)
        if arrival is Arrival.CONFLICT:
            _log.warning("attempt %s of %s: %s", block.attempt, block.station, assembler.open[key].poison)
        metrics.BLOCKS_BY_ARRIVAL[arrival].inc()
        passing("append")
        self._keeper.stay_within_budget()
