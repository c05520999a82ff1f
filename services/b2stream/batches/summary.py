"""Statistics per window and variable. Rule 1; a change is a new rule with a new number.

The same rows give the same bytes, however they were cut into blocks and on whatever processor: rows are taken in chunks over
the assembled columns, whose size depends on the number of columns alone; sums are NumPy's own loops and never BLAS (whose
kernels differ by CPU in the last bits); chunks are merged by Chan, Golub and LeVeque's formula (1979); results have nine
significant digits. A reading counts if it is finite and no flag column that judges its variable says bad.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from b2stream.contracts.blocks import Block, Floats

RULE = 1
CHUNK_ROWS = 65_536
CHUNK_READINGS = 1 << 20
"""A chunk has no more readings than this, 8 MiB: a table of 10,000 columns must not need gigabytes (I10)."""
MOST_STATISTICS = 10_000
"""Statistics of all windows; a batch with more gets no summary, because it would outgrow a message (I10)."""
_DIGITS = 9

Column = tuple[str, str]  # name, unit


@dataclass(frozen=True, slots=True)
class Summary:
    """Summary of one batch. `windows` are as schema Aggregate names them; `omitted` says why there are none."""

    window_s: int
    windows: list[dict[str, Any]]
    omitted: str | None = None
    rule: int = RULE

    def to_json(self, iso: Any) -> dict[str, Any]:
        """For the manifest; `iso` turns microseconds into text."""
        windows = [{**window, "start": iso(window["start"])} for window in self.windows]
        return {"rule": self.rule, "window_s": self.window_s, "windows": windows, "omitted": self.omitted}


@dataclass(slots=True)
class _Running:
    """Count, mean and sum of squared deviations of one variable in one window, and its extremes."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    least: float = math.inf
    most: float = -math.inf

    def merge(self, count: int, mean: float, squares: float, least: float, most: float) -> None:
        if count == 0:
            return
        total = self.count + count
        shift = mean - self.mean
        self.squares += squares + shift * shift * (self.count * count / total)
        self.mean += shift * (count / total)
        self.count = total
        self.least, self.most = min(self.least, least), max(self.most, most)

    def to_avro(self, column: Column) -> dict[str, Any]:
        sd = math.sqrt(self.squares / (self.count - 1)) if self.count > 1 and self.squares >= 0 else None
        some = self.count > 0
        return {
            "name": column[0],
            "unit": column[1],
            "count": self.count,
            "mean": _rounded(self.mean) if some else None,
            "sd": _rounded(sd),
            "min": _rounded(self.least) if some else None,
            "max": _rounded(self.most) if some else None,
        }


@dataclass(slots=True)
class _Window:
    rows: int = 0
    variables: dict[tuple[Column, int], _Running] = field(default_factory=dict)


class SummaryBuilder:
    """Takes the blocks of a batch in sequence and gives its summary; holds one chunk of rows and the running statistics."""

    def __init__(self, window_s: int) -> None:
        self._window_s = window_s
        self._windows: dict[int, _Window] = {}
        self._columns: tuple[Column, ...] = ()
        self._instants: list[NDArray[np.int64]] = []
        self._values: list[list[Floats]] = []
        self._waiting_rows = 0
        self._statistics = 0
        self._omitted: str | None = None

    def take(self, block: Block, instants: NDArray[np.int64] | None = None) -> None:
        """The next block in sequence; `instants` are those of its rows, if they are known."""
        if block.rows == 0 or self._omitted:
            return
        assert block.start_us is not None
        columns = tuple((variable.name, variable.unit) for variable in block.variables)
        if columns != self._columns:
            self._flush(self._waiting_rows)
            self._columns = columns
        if len(columns) > MOST_STATISTICS:
            self._omit()
            return
        self._instants.append(instants_us(block) if instants is None else instants)
        self._values.append(_readings(block))
        self._waiting_rows += block.rows
        chunk_rows = min(CHUNK_ROWS, CHUNK_READINGS // max(1, len(columns)))
        while self._waiting_rows >= chunk_rows:
            self._flush(chunk_rows)

    def summary(self) -> Summary:
        """The summary of all blocks taken."""
        self._flush(self._waiting_rows)
        if self._omitted:
            return Summary(self._window_s, [], self._omitted)
        windows = [
            {
                "start": start,
                "rows": window.rows,
                "variables": [each.to_avro(column) for (column, _), each in window.variables.items()],
            }
            for start, window in sorted(self._windows.items())
        ]
        return Summary(self._window_s, windows)

    def _flush(self, rows: int) -> None:
        """Reduce the first `rows` waiting rows; what lies beyond them waits on."""
        if rows == 0:
            return
        instants = np.concatenate(self._instants)
        readings = np.empty((len(self._columns), len(instants)))  # a row per variable: reductions run along memory
        for column in range(len(self._columns)):
            np.concatenate([part[column] for part in self._values], out=readings[column])
        self._instants = [instants[rows:]] if rows < len(instants) else []
        self._values = [list(readings[:, rows:])] if rows < len(instants) else []
        self._waiting_rows -= rows
        self._reduce(instants[:rows], readings[:, :rows])

    def _reduce(self, instants: NDArray[np.int64], readings: Floats) -> None:
        length_us = self._window_s * 1_000_000
        numbers = instants // length_us
        if np.any(numbers[1:] < numbers[:-1]):
            order = np.argsort(numbers, kind="stable")
            numbers, readings = numbers[order], readings[:, order]
        bounds = np.flatnonzero(np.concatenate(([True], numbers[1:] != numbers[:-1])))
        starts = numbers[bounds] * length_us
        if len(starts) * max(1, len(self._columns)) > MOST_STATISTICS:
            self._omit()
            return
        rows = np.diff(np.append(bounds, len(numbers)))
        windows = [self._window(start) for start in starts.tolist()]
        for window, more in zip(windows, rows.tolist(), strict=True):
            window.rows += more
        if self._columns:
            self._merge(windows, bounds, rows, readings)
        if self._statistics > MOST_STATISTICS:
            self._omit()

    def _window(self, start: int) -> _Window:
        window = self._windows.get(start)
        if window is None:
            window = self._windows[start] = _Window()
            self._statistics += 1  # a window without variables counts like one with a single variable
        return window

    def _omit(self) -> None:
        """Too many: forget everything, and take nothing any more."""
        self._omitted = f"more than {MOST_STATISTICS} statistics"
        self._windows, self._instants, self._values, self._waiting_rows = {}, [], [], 0

    def _merge(
        self, windows: list[_Window], bounds: NDArray[np.intp], rows: NDArray[np.intp], readings: Floats
    ) -> None:
        good = np.isfinite(readings)
        if good.all():
            counts = np.broadcast_to(rows, (len(readings), len(rows)))
            values = low = high = readings
        else:
            counts = np.add.reduceat(good, bounds, axis=1, dtype=np.int64)
            values = np.where(good, readings, 0.0)
            low, high = np.where(good, readings, np.inf), np.where(good, readings, -np.inf)
        with np.errstate(over="ignore", invalid="ignore"):
            means = np.add.reduceat(values, bounds, axis=1) / np.maximum(counts, 1)
            deviations = values - (np.repeat(means, rows, axis=1) if len(rows) > 1 else means)
            deviations *= deviations
            if values is not readings:
                deviations[~good] = 0.0
            squares = np.add.reduceat(deviations, bounds, axis=1)
        least, most = np.minimum.reduceat(low, bounds, axis=1), np.maximum.reduceat(high, bounds, axis=1)
        keys = numbered(self._columns)
        for at, window in enumerate(windows):
            chunk = zip(*(part[:, at].tolist() for part in (counts, means, squares, least, most)), strict=True)
            known = len(window.variables)
            for key, statistics in zip(keys, chunk, strict=True):
                window.variables.setdefault(key, _Running()).merge(*statistics)
            self._statistics += len(window.variables) - max(1, known)


def instants_us(block: Block) -> NDArray[np.int64]:
    """Each row's instant, microseconds since 1970 UTC."""
    assert block.start_us is not None
    return np.rint(block.offsets_s * 1e6).astype(np.int64) + block.start_us


def _readings(block: Block) -> list[Floats]:
    """The variables' values with NaN where a flag says bad."""
    names = {variable.name for variable in block.variables}
    bad: dict[str, NDArray[np.bool_]] = {}
    for label in block.labels:
        judged = names.intersection(label.judges)
        if judged and label.bad:
            means_bad = frozenset(label.bad)
            verdict = np.fromiter((value in means_bad for value in label.values), np.bool_, block.rows)
            for name in judged:
                bad[name] = bad[name] | verdict if name in bad else verdict
    return [
        np.where(bad[variable.name], np.nan, variable.values) if variable.name in bad else variable.values
        for variable in block.variables
    ]


def numbered(columns: Iterable[Column]) -> list[tuple[Column, int]]:
    """Columns of equal name and unit are kept apart by their number."""
    seen: dict[Column, int] = {}
    keys = []
    for column in columns:
        seen[column] = seen.get(column, 0) + 1
        keys.append((column, seen[column]))
    return keys


def _rounded(value: float | None) -> float | None:
    """Nine significant digits; None where the number left the range of a double on the way."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{_DIGITS}g}") + 0.0
