"""Whether a consumer that gives nothing has nothing to give, or stands still.

After a broker was frozen for longer than the session and thawed, a group's only member (librdkafka 2.16) was seen to vanish from
the group and never to join it again, without an error: a log that grew, and nobody who read it.
"""

import logging
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from b2stream.errors import Retryable
from b2stream.kafka.errors import known_topic
from b2stream.kafka.ranges import LogRange

PATIENCE_S = 60.0
CONFIRM_S = 5.0
"""Between the first look at which it is behind and the second: a message may have come just after the last poll."""
LONGEST_PATIENCE_S = 960.0
"""The patience doubles up to this, because a second member of a group may well have nothing to read for as long as a centre is away."""

_log = logging.getLogger(__name__)


class Offsets(Protocol):
    """What is asked of the cluster, by a client of its own; `b2stream.kafka.admin.Admin` says what each does."""

    def partition_count(self, topic: str) -> int: ...

    def ranges(self, topic: str, partitions: int) -> dict[int, LogRange]: ...

    def committed(self, group: str, topic: str, partitions: int) -> dict[int, int]: ...


class Standstill:
    """The patience with one member of a group. `offsets` makes the client that asks the cluster; it is made at its first use."""

    def __init__(
        self,
        offsets: Callable[[], Offsets],
        topic: str,
        group: str,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make_offsets = offsets
        self._offsets: Offsets | None = None
        self._topic = topic
        self._group = group
        self._first_patience_s = self._patience_s = patience_s
        self._clock = clock
        self._since_s = clock()
        self._committed: dict[int, int] | None = None
        self._suspected: dict[int, int] = {}  # by partition, where it stood and was behind at the last look

    def assigned(self) -> None:
        """The consumer was given partitions: the patience begins anew, no shorter than it was."""
        self._since_s = self._clock()
        self._suspected = {}

    def gave(self) -> None:
        """The consumer gave a message, or is not asked for any."""
        self._since_s = self._clock()
        self._patience_s = self._first_patience_s
        self._committed = None
        self._suspected = {}

    def is_certain(self, next_offsets: Mapping[int, int]) -> bool:
        """Whether it stands still: asked of the cluster where the patience is at an end, else False.

        `next_offsets`: what it reads next of each partition that is its own. Without any it stands still where its whole group does:
        the log holds more, and between two looks no offset was committed. The consumer itself is asked nothing: one that stood still for
        good (librdkafka 2.16, after a broker was frozen, thawed and killed) answered "broker transport failure" for as long as it lived.
        """
        now_s = self._clock()
        if now_s - self._since_s < self._patience_s:
            return False
        self._since_s = now_s
        try:
            with known_topic():
                held, moved = self._look(of_group=not next_offsets)
        except Retryable as error:
            _log.info("whether %s holds more cannot be asked: %s", self._topic, error)
            return False
        reached = next_offsets or self._committed or {}
        behind = [number for number, each in held.items() if self._is_behind(number, each, reached, next_offsets)]
        if not behind or moved:
            self._suspected = {}
            return False
        if next_offsets and not self._is_confirmed({number: next_offsets[number] for number in behind}, now_s):
            return False
        self._since_s, self._suspected = now_s, {}
        self._patience_s = min(self._patience_s * 2, LONGEST_PATIENCE_S)
        return True

    def _is_confirmed(self, behind: dict[int, int], now_s: float) -> bool:
        """Whether it stood there at the last look as well; the next one is soon."""
        before, self._suspected = self._suspected, behind
        self._since_s = now_s - self._patience_s + min(CONFIRM_S, self._patience_s)
        return any(before.get(number) == offset for number, offset in behind.items())

    def _look(self, *, of_group: bool) -> tuple[dict[int, LogRange], bool]:
        """What the log holds, and whether the group's offsets are others than at the last look."""
        if self._offsets is None:
            self._offsets = self._make_offsets()
        partitions = self._offsets.partition_count(self._topic)
        held = self._offsets.ranges(self._topic, partitions)
        if not of_group:
            return held, False
        before, self._committed = self._committed, self._offsets.committed(self._group, self._topic, partitions)
        return held, before != self._committed

    @staticmethod
    def _is_behind(number: int, held: LogRange, reached: Mapping[int, int], own: Mapping[int, int]) -> bool:
        if own and number not in own:
            return False
        return reached.get(number, held.start) < held.end
