"""Scrub: the oldest check first, at its pace, and each outcome an event at once."""

import hashlib
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.placing import Writer
from b2stream.contracts.envelopes import Headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import ObjectEvent
from b2stream.errors import Retryable
from b2stream.programs.audit import walking
from b2stream.programs.audit.index import Index
from b2stream.programs.audit.reannouncing import Announcer
from b2stream.programs.audit.scrubbing import Checked, Pace, Scrub

FOLDER = "SE-Htm/EC/2026/05"


@dataclass
class Told:
    """Publishes into a list."""

    values: list[bytes] = field(default_factory=list)

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[Any]":
        self.values.append(value)
        done: Future[Any] = Future()
        done.set_result(None)
        return done

    def events(self) -> list[ObjectEvent]:
        return [ObjectEvent.from_framed(Framing().unframe(value)) for value in self.values]


class TestClock:
    """Time moves only when somebody sleeps."""

    __test__ = False

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@dataclass
class Stand:
    """A centre with three objects, and a scrub over it."""

    store: MemoryStore = field(default_factory=lambda: MemoryStore("csc"))
    index: Index = field(default_factory=Index)
    told: Told = field(default_factory=Told)
    clock: TestClock = field(default_factory=TestClock)

    def put(self, name: str, content: bytes) -> str:
        staged, path = Writer().staged_name("attempt"), f"{FOLDER}/{name}"
        self.store.stage(staged, [content], len(content), hashlib.sha256(content).hexdigest())
        self.store.place(staged, path)
        return path

    def scrub(self, bytes_per_s: float = 1e9) -> list[Checked]:
        walking.list_centre(self.index, self.store, 1)
        self.index.derive()
        announcer = Announcer(self.told, Framing(), "icos", 3)
        scrubbing = Scrub(
            self.store, self.index, announcer, Pace(bytes_per_s, self.clock), "me@here", now_s=lambda: 7.0
        )
        return list(scrubbing.run())


@pytest.fixture
def stand() -> Stand:
    made = Stand()
    for name in ("a", "b", "c"):
        made.put(name, name.encode() * 100)
    return made


def test_what_nobody_looked_at_comes_first_and_then_the_oldest_check(stand: Stand) -> None:
    stand.index.put(
        "checked",
        [{"centre": "csc", "path": f"{FOLDER}/a", "at_us": 5}, {"centre": "csc", "path": f"{FOLDER}/b", "at_us": 3}],
    )
    assert [each.path[-1] for each in stand.scrub()] == ["c", "b", "a"]


def test_each_outcome_is_an_event_with_words_of_premis(stand: Stand) -> None:
    assert [each.trouble for each in stand.scrub()] == ["", "", ""]
    first, *_ = stand.told.events()
    assert (first.event, first.outcome, first.centre, first.path) == ("fixity check", "success", "csc", f"{FOLDER}/a")
    assert (first.at_us, first.who, first.station, first.size_bytes) == (7_000_000, "me@here", "SE-Htm", 100)


def test_other_bytes_than_were_committed_are_told_at_once_and_the_next_goes_on(stand: Stand) -> None:
    path = f"{FOLDER}/b"
    committed = {
        "batch": "b" * 64,
        "path": path,
        "size_bytes": 100,
        "sha256": "0" * 64,
        "manifest_path": path + ".manifest.json",
    }
    stand.index.put("committed", [committed])
    done = {each.path[-1]: each for each in stand.scrub()}
    assert "committed was 000" in done["b"].trouble
    assert (done["a"].trouble, done["c"].trouble) == ("", "")
    assert [(event.path[-1], event.outcome, event.batch) for event in stand.told.events()] == [
        ("a", "success", None),
        ("b", "fail", "b" * 64),
        ("c", "success", None),
    ]


def test_a_check_that_went_well_is_dated_at_the_centre_and_one_that_did_not_is_not(stand: Stand) -> None:
    path = f"{FOLDER}/b"
    committed = {"batch": "b" * 64, "path": path, "size_bytes": 100, "sha256": "0" * 64, "manifest_path": "m"}
    stand.index.put("committed", [committed])
    stand.scrub()
    dates = {name: stand.store.attributes(f"{FOLDER}/{name}").values for name in ("a", "b")}
    ((name, value),) = dates["a"].items()
    assert name.startswith("eudat_dpm_checksum_date:")
    assert value == ("00000000007",)
    assert dates["b"] == {}


def test_no_more_is_read_per_second_than_the_rate(stand: Stand) -> None:
    stand.scrub(bytes_per_s=10.0)
    assert stand.clock.now_s == pytest.approx(30.0)


def test_a_centre_that_does_not_answer_is_no_finding(stand: Stand) -> None:
    walking.list_centre(stand.index, stand.store, 1)
    stand.store.fail("recompute_sha256", Retryable("nobody"))
    with pytest.raises(Retryable):
        stand.scrub()
    assert stand.told.values == []
