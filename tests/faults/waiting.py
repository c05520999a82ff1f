"""Waiting for something to be so: looked at again and again until a deadline, never slept for."""

import time
from collections.abc import Callable

POLL_S = 0.05


class NotInTime(AssertionError):
    """Something that must come by itself did not come before its deadline."""


def until(is_so: Callable[[], bool], timeout_s: float, what: Callable[[], str]) -> float:
    """Wait until something is so; returns the seconds it took. Raises NotInTime with what is the case instead."""
    began = time.monotonic()
    while not is_so():
        if time.monotonic() - began > timeout_s:
            raise NotInTime(f"not within {timeout_s:.0f} s: {what()}")
        time.sleep(POLL_S)
    return time.monotonic() - began
