"""A pair to place, a clock that moves by hand, and what a store in memory was asked."""

from collections.abc import Callable

from b2stream.archive.memory import MemoryStore
from b2stream.archive.placing import Found, NewObject, PlacedPair, Placing

PATH = "SE-Htm/EC_L99_F01/2026/07/wind~abc.csv"
MANIFEST_PATH = PATH + ".manifest.json"
DATA = NewObject.of(PATH, b"the station's file")
MANIFEST_BYTES = b'{"batch":"ours"}'
MANIFEST = NewObject.of(MANIFEST_PATH, MANIFEST_BYTES)


class ManualClock:
    """Time moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.on_sleep: Callable[[float], None] = lambda now_s: None

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now_s += max(seconds, 0.001)
        self.on_sleep(self.now_s)


def ours(content: bytes) -> bool:
    return b'"batch":"ours"' in content


def place(placing: Placing, found: Found | None = None) -> PlacedPair:
    return placing.place_pair(DATA, MANIFEST, ours, found)


def staged_names(store: MemoryStore) -> list[str]:
    return [state.path for state in store.list_staged()]


def calls(store: MemoryStore, call: str) -> list[str]:
    return [about for name, about in store.calls if name == call]
