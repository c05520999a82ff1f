"""Which attempts are open in this process, over all its partitions: of which station, and in which order they were heard of.

Each step costs the same however many are open: it is taken for every block.
"""

from collections import OrderedDict
from collections.abc import Container

Key = tuple[str, str]
"""(station, attempt)"""


class Openings:
    """Knows the station with most open attempts, and which of them was heard of longest ago."""

    def __init__(self) -> None:
        self._by_station: dict[str, OrderedDict[str, None]] = {}
        self._by_count: dict[int, OrderedDict[str, None]] = {}  # stations with so many open attempts
        self._most = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def heard(self, station: str, attempt: str) -> None:
        """A block of an attempt came; with its first one it is open."""
        attempts = self._by_station.setdefault(station, OrderedDict())
        if attempt in attempts:
            attempts.move_to_end(attempt)
            self._by_count[len(attempts)].move_to_end(station)
            return
        attempts[attempt] = None
        self._count += 1
        self._recount(station, len(attempts) - 1, len(attempts))

    def ended(self, station: str, attempt: str) -> None:
        """It is not open any more, or never was."""
        attempts = self._by_station.get(station)
        if attempts is None or attempt not in attempts:
            return
        del attempts[attempt]
        self._count -= 1
        self._recount(station, len(attempts) + 1, len(attempts))
        if not attempts:
            del self._by_station[station]

    def of(self, station: str) -> int:
        """How many of a station are open."""
        return len(self._by_station.get(station, ()))

    def longest_ago(self, spared: Container[Key]) -> Key | None:
        """Of the station with most open attempts the one heard of longest ago; None where all are to be spared.

        Of stations with equally many, the one heard of longest ago.
        """
        for count in range(self._most, 0, -1):
            for station in self._by_count.get(count, ()):
                for attempt in self._by_station[station]:
                    if (station, attempt) not in spared:
                        return station, attempt
        return None

    def _recount(self, station: str, before: int, after: int) -> None:
        if before:
            stations = self._by_count[before]
            del stations[station]
            if not stations:
                del self._by_count[before]
        if after:
            self._by_count.setdefault(after, OrderedDict())[station] = None
        if after > self._most or (before == self._most and before not in self._by_count):
            self._most = after
