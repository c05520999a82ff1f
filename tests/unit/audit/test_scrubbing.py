"""Scrub: the oldest check first, at its pace, and each outcome an event at once."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.placing import Writer
from b2stream.archive.store import ReplicaStatus
from b2stream.contracts.envelopes import Headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import ObjectEvent
from b2stream.errors import B2streamError, Retryable, Stuck
from b2stream.programs.audit import acknowledged
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.gathering import walking
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.scrub.scrubbing import Checked, Pace, Scrub, oldest_first, side_by_side

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
    before_reading: Callable[[], None] | None = None  # what happens after the listing
    now_s: float = 7.0

    def put(self, name: str, content: bytes) -> str:
        staged, path = Writer().staged_name("attempt"), f"{FOLDER}/{name}"
        self.store.stage(staged, [content], len(content), hashlib.sha256(content).hexdigest())
        self.store.place(staged, path)
        return path

    def scrub(self, bytes_per_s: float = 1e9) -> list[Checked]:
        walking.list_centre(self.index, self.store, 1)
        self.index.derive()
        announcer = Announcer(self.told, Framing(), "icos", 3)
        pace, objects = Pace(bytes_per_s, self.clock), oldest_first(self.index, self.store.centre)
        if self.before_reading is not None:
            self.before_reading()
        scrubbing = Scrub(self.store, objects, announcer, pace, "me@here", now_s=lambda: self.now_s)
        return list(side_by_side([scrubbing], None, threading.Event()))

    def commit(self, path: str, sha256: str) -> None:
        """A commit event that names this SHA-256."""
        committed = {"batch": "b" * 64, "path": path, "size_bytes": 100, "sha256": sha256, "manifest_path": "m"}
        self.index.put("committed", [committed])


@pytest.fixture
def stand() -> Stand:
    made = Stand()
    for name in ("a", "b", "c"):
        made.put(name, name.encode() * 100)
    return made


def age(stand: Stand, name: str, at_us: int, **facts: Any) -> None:
    """Say when an object was checked last."""
    stand.index.put("checked", [{"centre": "csc", "path": f"{FOLDER}/{name}", "at_us": at_us, **facts}])


def arrive(
    stand: Stand, name: str, committed_us: int, replicated_us: int | None = None, *, closed_us: int | None = None
) -> None:
    """A commit event, and perhaps a replica event about this very centre."""
    path, batch = f"{FOLDER}/{name}", name * 64
    sha256 = hashlib.sha256(name.encode() * 100).hexdigest()
    committed = {"batch": batch, "path": path, "size_bytes": 100, "sha256": sha256, "appended_at_us": committed_us}
    more = {"manifest_path": f"{path}.manifest.json", "closed_at_us": closed_us}
    stand.index.put("committed", [committed | more])
    if replicated_us is not None:
        stand.index.put("replicated", [{"batch": batch, "centre": "csc", "appended_at_us": replicated_us}])


def order(stand: Stand) -> str:
    return "".join(each.path[-1] for each in stand.scrub())


def test_what_was_never_checked_counts_from_its_commit_and_does_not_go_before_an_older_check(stand: Stand) -> None:
    age(stand, "a", 5)
    age(stand, "b", 3)
    arrive(stand, "c", committed_us=4)
    assert order(stand) == "bca"


def test_a_copy_that_was_never_checked_counts_from_its_replica_event(stand: Stand) -> None:
    age(stand, "a", 5)
    age(stand, "b", 7)
    arrive(stand, "c", committed_us=4, replicated_us=6)
    assert order(stand) == "acb"


def test_what_no_event_names_counts_from_when_it_was_modified(stand: Stand) -> None:
    arrive(stand, "a", committed_us=4)
    age(stand, "b", 2**60)
    assert order(stand) == "acb"


@pytest.mark.parametrize(
    ("modified_s", "closed_us", "expected"),
    [(4.5, 1, "acb"), (4.5, 5_500_000, "abc"), (9.0, 1, "abc")],
    ids=["when it was modified", "no earlier than its close", "no later than its event"],
)
def test_I12_what_was_announced_again_after_the_log_was_lost_does_not_go_to_the_end(
    modified_s: float, closed_us: int, expected: str
) -> None:
    stand = Stand(MemoryStore("csc", now=lambda: modified_s))
    for name in "abc":
        stand.put(name, name.encode() * 100)
    age(stand, "a", 4_000_000)
    age(stand, "b", 5_000_000)
    arrive(stand, "c", committed_us=6_000_000, closed_us=closed_us)
    assert order(stand) == expected


def test_a_check_that_failed_was_a_look_too(stand: Stand) -> None:
    for name, at_us in (("a", 5), ("b", 3), ("c", 4)):
        arrive(stand, name, committed_us=1)
        age(stand, name, at_us, trouble="other bytes" if name == "a" else None)
    assert order(stand) == "bca"


def test_with_a_limit_what_keeps_arriving_does_not_keep_old_objects_from_their_turn(stand: Stand) -> None:
    for name, at_us in (("a", 1), ("b", 2), ("c", 3)):
        age(stand, name, at_us)
    for number, name in enumerate("defg"):
        stand.put(name, name.encode() * 100)
        arrive(stand, name, committed_us=10 + number)
    assert order(stand)[:3] == "abc"


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


def described(stand: Stand, name: str) -> dict[str, tuple[str, ...]]:
    """The attributes of an object at the centre."""
    return dict(stand.store.attributes(f"{FOLDER}/{name}").values)


def test_a_check_that_went_well_is_dated_at_the_centre_and_one_that_did_not_is_named_there(stand: Stand) -> None:
    stand.commit(f"{FOLDER}/b", "0" * 64)
    stand.scrub()
    ((name, value),) = described(stand, "a").items()
    assert name.startswith("eudat_dpm_checksum_date:")
    assert value == ("00000000007",)
    assert described(stand, "b") == {"ICOS/fixity": ("fail 1970-01-01T00:00:07.000000Z",)}
    failed = next(event for event in stand.told.events() if event.outcome == "fail")
    assert failed.at_us == 7_000_000, "the attribute and the event tell of one instant"


def test_an_attribute_of_a_check_is_set_and_not_piled_up_and_a_later_success_is_told_in_its_place(stand: Stand) -> None:
    right, path = hashlib.sha256(b"b" * 100).hexdigest(), f"{FOLDER}/b"
    stand.commit(path, "0" * 64)
    stand.scrub()
    stand.now_s = 8.0
    stand.scrub()
    assert described(stand, "b") == {"ICOS/fixity": ("fail 1970-01-01T00:00:08.000000Z",)}
    stand.index.run("DELETE FROM committed")
    stand.commit(path, right)
    stand.now_s = 9.0
    stand.scrub()
    after = described(stand, "b")
    assert after.pop("ICOS/fixity") == ("success 1970-01-01T00:00:09.000000Z",)
    assert list(after.values()) == [("00000000009",)]


def test_a_manifest_has_no_attributes_and_its_check_is_an_event_all_the_same(stand: Stand) -> None:
    name = "a.manifest.json"
    stand.commit(stand.put(name, b"{}"), "0" * 64)
    assert {each.path[-1]: each.outcome for each in stand.scrub()} == dict.fromkeys("abc", "success") | {"n": "fail"}
    assert described(stand, name) == {}


@pytest.mark.parametrize("error", [Stuck("not allowed"), Retryable("nobody")], ids=["refused", "away"])
def test_a_mismatch_is_told_and_counted_although_the_centre_cannot_be_told(stand: Stand, error: B2streamError) -> None:
    stand.commit(f"{FOLDER}/c", "0" * 64)

    def listed() -> None:
        stand.store.remove(f"{FOLDER}/a")
        stand.store.remove(f"{FOLDER}/b")
        stand.store.fail("set_attributes", error)

    stand.before_reading = listed
    assert [each.outcome for each in stand.scrub()] == ["fail"]
    assert [event.outcome for event in stand.told.events()] == ["fail"]
    assert described(stand, "c") == {}


def test_no_more_is_read_per_second_than_the_rate(stand: Stand) -> None:
    stand.scrub(bytes_per_s=10.0)
    assert stand.clock.now_s == pytest.approx(30.0)


def test_a_centre_that_does_not_answer_is_no_finding(stand: Stand) -> None:
    walking.list_centre(stand.index, stand.store, 1)
    stand.store.fail("recompute_sha256", Retryable("nobody"))
    with pytest.raises(Retryable):
        stand.scrub()
    assert stand.told.values == []


def test_what_happened_to_an_object_after_the_listing_counts(stand: Stand) -> None:
    paths = {name: f"{FOLDER}/{name}" for name in ("a", "b", "c")}
    stand.commit(paths["a"], hashlib.sha256(b"a" * 100).hexdigest())

    def meanwhile() -> None:
        stand.store.remove(paths["a"])
        stand.store.put(paths["b"], b"b" * 100, status=ReplicaStatus.STALE)
        stand.store.remove(paths["c"])

    stand.before_reading = meanwhile
    troubles = {each.path: each.trouble for each in stand.scrub()}
    assert troubles == {paths["a"]: "it is not there any more", paths["b"]: "its replica is stale"}, (
        "what nobody committed may go"
    )


def test_what_was_stale_when_it_was_listed_and_is_good_now_is_no_trouble(stand: Stand) -> None:
    stand.store.put(f"{FOLDER}/a", b"a" * 100, status=ReplicaStatus.STALE)
    stand.before_reading = lambda: stand.store.put(f"{FOLDER}/a", b"a" * 100)
    assert [each.trouble for each in stand.scrub()] == ["", "", ""]


def test_right_bytes_with_another_checksum_in_the_catalogue_are_told(stand: Stand) -> None:
    path, content = f"{FOLDER}/a", b"a" * 100
    stand.commit(path, hashlib.sha256(content).hexdigest())
    stand.store.put(path, content, sha256="1" * 64)
    (trouble,) = [each.trouble for each in stand.scrub() if each.trouble]
    assert "in the catalogue is 1111" in trouble


def test_centres_are_read_at_the_same_time_and_one_that_fails_does_not_stop_the_other() -> None:
    one, other = Stand(), Stand(MemoryStore("fzj"))
    meeting = threading.Barrier(2, timeout=60.0)

    def meet(call: str, about: str) -> None:
        if call == "describe" and about.endswith("/a"):
            meeting.wait()

    for stand in (one, other):
        stand.put("a", b"a")
        stand.put("b", b"b")
        stand.store.before_call = meet
    one.store.fail("recompute_sha256", Retryable("csc is down"))
    scrubs = []
    for stand in (one, other):
        walking.list_centre(stand.index, stand.store, 1)
        objects = oldest_first(stand.index, stand.store.centre)
        announcer = Announcer(stand.told, Framing(), "icos", 3)
        scrubs.append(Scrub(stand.store, objects, announcer, Pace(1e9, stand.clock), "me@here"))
    seen = side_by_side(scrubs, None, threading.Event())
    assert [next(seen).centre, next(seen).centre] == ["fzj", "fzj"]
    with pytest.raises(Retryable, match="csc is down"):
        next(seen)


class Silent(Told):
    """Kafka that went away: what is published waits."""

    def publish(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> "Future[Any]":
        return Future()


def silent(stand: Stand, **facts: Any) -> Scrub:
    walking.list_centre(stand.index, stand.store, 1)
    stand.index.derive()
    announcer = Announcer(Silent(), Framing(), "icos", 3)
    return Scrub(stand.store, oldest_first(stand.index, "csc"), announcer, Pace(1e9, stand.clock), "me@here", **facts)


def test_kafka_that_goes_away_in_mid_pass_ends_it_with_a_sentence(stand: Stand) -> None:
    with pytest.raises(Retryable, match=r"Kafka did not acknowledge the event about .*/a "):
        list(side_by_side([silent(stand, acknowledged_within_s=0.0)], None, threading.Event()))


def test_a_scrub_that_is_to_stop_does_not_wait_for_kafka(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledged, "LAST_S", 0.0)
    stopping = threading.Event()
    stand.store.before_call = lambda call, about: stopping.set() if call == "recompute_sha256" else None
    with pytest.raises(Retryable):
        list(side_by_side([silent(stand, stopping=stopping, acknowledged_within_s=1e9)], None, stopping))
