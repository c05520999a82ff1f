"""Waiting for something to be so: looked at again and again until a deadline, never slept for."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from b2stream.errors import Retryable

T = TypeVar("T")
PATIENCE_S = 60.0
"""As long as anything takes on a machine that is many times slower; reached only where a test fails."""
POLL_S = 0.02


class NotInTime(AssertionError):
    """Something that must come by itself did not come before its deadline."""


def until(
    give: Callable[[], T],
    what: str | Callable[[], str] = "the condition did not come true",
    timeout_s: float = PATIENCE_S,
    *,
    poll_s: float = POLL_S,
) -> T:
    """The first true value that `give` gives; Retryable counts as none, for a server that is just back may not answer yet.

    Raises NotInTime with `what`: what is waited for, or asked at the end, what is the case instead.
    """
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            given, unanswered = give(), ""
        except Retryable as error:
            given, unanswered = None, f" ({error})"
        if given:
            return given
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {timeout_s:.0f} s: {what() if callable(what) else what}{unanswered}")
        time.sleep(poll_s)


async def until_in_loop(is_so: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """As `until`, for a test in an event loop, which goes on meanwhile. Raises NotInTime."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {timeout_s:.0f} s: the condition did not come true")
        await asyncio.sleep(POLL_S)
