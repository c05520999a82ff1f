"""Questions that a processor asks Kafka while it works, in threads of their own: never behind a commit that waits for a centre."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from b2stream.errors import Retryable

_log = logging.getLogger(__name__)

_AGAIN_S = 1.0
_QUESTIONS_AT_ONCE = 3

Answer = TypeVar("Answer")


class Asking:
    """Asks until `stop` is set; `where` names the Kafka that is waited for, in the log."""

    def __init__(self, stop: asyncio.Event, where: str) -> None:
        self._stop = stop
        self._where = where
        self._threads = ThreadPoolExecutor(_QUESTIONS_AT_ONCE, "asking")

    async def once(self, ask: Callable[[], Answer]) -> Answer:
        """The answer. Raises whatever `ask` raises."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    async def until_answered(self, ask: Callable[[], Answer]) -> Answer | None:
        """Ask until Kafka answers; None where the program is to stop before. Raises what is fatal."""
        while not self._stop.is_set():
            try:
                return await self.once(ask)
            except Retryable as error:
                _log.warning("waiting for Kafka at %s: %s", self._where, error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stop.wait(), _AGAIN_S)
        return None

    def close(self) -> None:
        """Ask nothing any more; a question that hangs is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
