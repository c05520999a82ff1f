"""What is settled before a partition is read: where the group stands against the log, and from when on a new group reads."""

import asyncio
import logging

from b2stream.contracts.records import CoverageStarted
from b2stream.errors import Retryable
from b2stream.kafka.admin import Admin
from b2stream.kafka.errors import NoSuchTopic
from b2stream.monitoring import Health
from b2stream.programs.processor import offsets
from b2stream.programs.processor.asking import Asking
from b2stream.programs.processor.parts import Parts

_log = logging.getLogger(__name__)

_AGAIN_S = 1.0


class Joining:
    """One group on one topic of so many partitions, for one process; `stop` ends all waiting."""

    def __init__(
        self,
        admin: Admin,
        asking: Asking,
        health: Health,
        stop: asyncio.Event,
        *,
        group: str,
        topic: str,
        topic_id: str,
        partitions: int,
    ) -> None:
        self._admin = admin
        self._asking = asking
        self._health = health
        self._stop = stop
        self._group = group
        self._topic = topic
        self._topic_id = topic_id
        self._partitions = partitions

    async def begin(self, parts: Parts, numbers: set[int]) -> bool:
        """Let the processor begin with these partitions; False where the program is to stop before.

        Raises LostOffsets where the log does not hold what comes next, and what else is fatal.
        """
        parts.processor.revoked()  # once more: then nothing can be left, whatever Faust called before
        found = await self._asking.until_answered(self._standings)
        if found is None:
            return False
        mine = [each for each in found if each.partition in numbers]
        offsets.check(self._group, self._topic, mine)
        for standing in mine:
            if standing.committed is None:
                await self._tell_coverage(parts, standing)
            parts.processor.assigned(standing.partition, standing.start)
        return True

    def _standings(self) -> list[offsets.Standing]:
        try:
            return offsets.standings(self._admin, self._group, self._topic, self._partitions)
        except NoSuchTopic as error:  # it was there when the program began, which looks what became of it
            self._health.not_ready(str(error))
            raise Retryable(error.detail) from error

    async def _tell_coverage(self, parts: Parts, standing: offsets.Standing) -> None:
        """Say from when on this group reads: what lies before is unproven."""

        def append_time_us() -> int | None:
            if standing.held.start == standing.held.end:
                return None
            first = next(parts.reread(standing.partition, standing.start, standing.start), None)
            return None if first is None else first.appended_at_us

        record = CoverageStarted(
            group=self._group,
            topic_id=self._topic_id,
            partition=standing.partition,
            offset=standing.start,
            append_time_us=await self._asking.until_answered(append_time_us),
        )
        while not self._stop.is_set():
            try:
                await parts.outbox.coverage(record)
            except Retryable as error:
                _log.warning("waiting: %s", error)
                await asyncio.sleep(_AGAIN_S)
            else:
                return
