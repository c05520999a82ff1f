"""Instants as whole microseconds: text to int64 without a detour over floating point, and what to remark about a column of them."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from b2stream.formats.base import NotReadable

ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?\Z", re.ASCII)
COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?\Z", re.ASCII)
DAY_US = 86_400_000_000
GAP_FACTOR = 1.5
"""A step longer than this many usual (median) steps is remarked as a gap: one missing row of a regular series makes 2."""

IRREGULAR_GAP_FACTOR = 10
"""The same where fewer than half of the steps are usual ones: a Picarro that measures several species steps by 0.5 to 3 s."""


def from_iso(texts: Sequence[str], first_line: int) -> NDArray[np.int64]:
    """`2012-03-28 12:00:00[.ffffff]` to microseconds since 1970, zone left aside. `24:00:00` is the next midnight (a logger option).

    Raises NotReadable `malformed_row` with the line of the text, which is `first_line` for the first.
    """
    for line, text in enumerate(texts, first_line):
        if not ISO.match(text):
            raise NotReadable("malformed_row", f"line {line}: {text[:40]!r} is no date and time")
    try:
        return np.array(texts, dtype="datetime64[us]").astype(np.int64)
    except ValueError:
        return np.array([_one(text, line) for line, text in enumerate(texts, first_line)], dtype=np.int64)


def from_compact(texts: Sequence[str], first_line: int) -> NDArray[np.int64]:
    """`yyyyMMddHHmm[ss]` to microseconds since 1970, zone left aside. Raises NotReadable `malformed_row`."""
    iso = []
    for line, text in enumerate(texts, first_line):
        found = COMPACT.match(text)
        if not found:
            raise NotReadable("malformed_row", f"line {line}: {text[:40]!r} is no yyyyMMddHHmmss")
        year, month, day, hour, minute, second = found.groups(default="00")
        iso.append(f"{year}-{month}-{day} {hour}:{minute}:{second}")
    return from_iso(iso, first_line)


def from_epoch_seconds(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Seconds since 1970 with up to six decimals. Exact: near 1.5e9 a float64 is at most 0.12 µs off its text, and this rounds."""
    return np.asarray(np.rint(seconds * 1e6)).astype(np.int64)


def offsets(instants_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Seconds after the first instant: one division of exact integers, so each is the float64 nearest to the truth."""
    seconds: NDArray[np.float64] = (instants_us - instants_us[0]) / 1e6
    return seconds


def remarks(offsets_s: NDArray[np.float64]) -> dict[str, str]:
    """Notes `time_gap` and `time_not_ascending` where they apply. Repeated time stamps are common (ocean lines) and no remark."""
    found: dict[str, str] = {}
    steps = np.diff(offsets_s)
    forward = steps[steps > 0]
    if len(forward) > 1:
        usual_s = float(np.median(forward))
        regular = 2 * np.count_nonzero(np.abs(forward - usual_s) < 0.01 * usual_s) >= len(forward)
        factor = GAP_FACTOR if regular else IRREGULAR_GAP_FACTOR
        gaps = np.flatnonzero(steps > factor * usual_s)
        if len(gaps):
            longest = int(gaps[np.argmax(steps[gaps])])
            found["time_gap"] = (
                f"{len(gaps)} longer than {factor:g} times the usual {usual_s:.6g} s; "
                f"the longest, {steps[longest]:.6g} s, follows row {longest + 1}"
            )
    back = np.flatnonzero(steps < 0)
    if len(back):
        found["time_not_ascending"] = (
            f"{len(back)} rows are earlier than the row before, first after row {int(back[0]) + 1}"
        )
    return found


def _one(text: str, line: int) -> int:
    """One instant in microseconds since 1970; the hour 24 is the next midnight."""
    is_next_midnight = text[11:] in ("24:00", "24:00:00")
    written = f"{text[:11]}00{text[13:]}" if is_next_midnight else text
    try:
        instant_us = int(np.datetime64(written, "us").astype(np.int64))
    except ValueError as error:
        raise NotReadable("malformed_row", f"line {line}: {text!r} is no date and time") from error
    return instant_us + DAY_US if is_next_midnight else instant_us
