"""Commit events from manifests: only of what verifies, and only of what its station signed."""

import hashlib
import json
from concurrent.futures import Future
from typing import Any

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.placing import Writer
from b2stream.archive.waiting import StoppableClock
from b2stream.batches.examining import Examination
from b2stream.batches.manifest import InLog, build_manifest, paths_of, read_manifest
from b2stream.contracts.canonical import canonical_json
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed, BatchCommitted
from b2stream.errors import AccessRefused, Retryable
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.gathering.walking import SignatureCheck
from b2stream.programs.audit.repair.planning import ANNOUNCE, COPY, Act, RepairPlan
from b2stream.programs.audit.repair.reannouncing import Announced, Terms, reannounce
from b2stream.programs.audit.repair.repairing import Repair
from tests.unit.audit.test_scrubbing import Told
from tests.unit.processor.stations import StationBatch, attempt_name


def put(store: MemoryStore, path: str, content: bytes) -> None:
    staged = Writer().staged_name("attempt")
    store.stage(staged, [content], len(content), hashlib.sha256(content).hexdigest())
    store.place(staged, path)


@pytest.fixture
def store() -> MemoryStore:
    """Two batches of one series."""
    made = MemoryStore("csc")
    for number in (1, 0):
        batch = StationBatch(number=number, content=(b"%d;" % number,))
        close = batch.record(attempt_name(number))
        examination = Examination(close)
        for sent in batch.blocks(attempt_name(number)):
            examination.take(Framing().unframe(sent.value))
        put(made, paths_of(close).data_object, batch.data_object())
        put(made, paths_of(close).manifest, build_manifest(close, examination.result(), InLog("t", 0, ((0, 0),), 1, 5)))
    return made


def announced(
    store: MemoryStore, check: SignatureCheck, second: MemoryStore | None = None
) -> tuple[list[BatchCommitted], list[Announced]]:
    told = Told()
    found = list(
        reannounce(
            store,
            Announcer(told, Framing(), "icos", 3),
            second=second,
            terms=Terms(policy="p", copies=one_copy, check_signature=check),
        )
    )
    return [BatchCommitted.from_framed(Framing().unframe(value)) for value in told.values], found


def one_copy(station: str, series: str) -> int:
    return 1


def anything(close: BatchClosed, closed_at_us: int) -> str | None:
    return None


def test_I12_each_batch_is_announced_in_the_order_of_its_series(store: MemoryStore) -> None:
    events, found = announced(store, anything)
    assert [event.series_number for event in events] == [0, 1]
    assert [(event.policy, event.copies) for event in events] == [("p", 1), ("p", 1)]
    assert not [each.trouble for each in found if each.trouble]


def test_I5_what_does_not_verify_is_named_and_the_rest_goes_on(store: MemoryStore) -> None:
    data_object = next(state.path for state in store.list() if not state.path.endswith(".json"))
    store.set_aside(data_object, f".quarantine/{data_object}")
    events, found = announced(store, anything)
    assert len(events) == 1
    assert [each.manifest_path for each in found if each.trouble] == [data_object + ".manifest.json"]


def test_I9_what_its_station_did_not_sign_is_never_announced(store: MemoryStore) -> None:
    events, found = announced(store, lambda close, at_us: "signature_wrong" if close.series_number else None)
    assert [event.series_number for event in events] == [0]
    assert "did not sign" in next(each.trouble for each in found if each.trouble)


def test_I11_one_object_that_the_centre_refuses_does_not_stop_the_others(store: MemoryStore) -> None:
    store.fail("read", AccessRefused("not this one"))
    events, found = announced(store, anything)
    assert len(events) == 1
    assert len([each for each in found if each.trouble]) == 1


def altered(manifest: bytes) -> bytes:
    """The same close and signature; of the rest, which nobody signs, something else."""
    document = json.loads(manifest)
    document["log"]["close_offset"] += 1
    return canonical_json(document)


@pytest.mark.parametrize("which", ["first", "second"])
def test_I9_where_the_centres_manifests_differ_neither_is_announced_and_the_batch_is_named(
    store: MemoryStore, which: str
) -> None:
    second = MemoryStore("fzj")
    for state in list(store.list()):
        second.put(state.path, store.content(state.path))
    path = next(state.path for state in store.list() if state.path.endswith(".json"))
    right = store.content(path)
    (store if which == "first" else second).put(path, altered(right))
    events, found = announced(store, anything, second)
    batch = read_manifest(right).batch
    assert [event.manifest_path for event in events] != [path]
    assert len(events) == 1
    ((named, trouble),) = [(each.batch, each.trouble) for each in found if each.trouble]
    assert named == batch
    assert batch in trouble
    assert "neither is announced" in trouble


def test_I12_a_batch_whose_second_copy_is_not_there_yet_is_announced(store: MemoryStore) -> None:
    events, found = announced(store, anything, MemoryStore("fzj"))
    assert len(events) == 2
    assert not [each.trouble for each in found if each.trouble]


def test_kafka_that_goes_away_ends_it_with_a_sentence(store: MemoryStore) -> None:
    class Silent(Told):
        def publish(self, *args: Any) -> "Future[Any]":
            return Future()

    announcer = Announcer(Silent(), Framing(), "icos", 3)
    with pytest.raises(Retryable, match="Kafka did not acknowledge the event about"):
        list(reannounce(store, announcer, acknowledged_within_s=0.0))


def test_I9_repair_announces_none_of_two_manifests_that_came_to_differ_after_it_was_planned(store: MemoryStore) -> None:
    path = next(state.path for state in store.list() if state.path.endswith(".json"))
    second, told = MemoryStore("fzj"), Told()
    second.put(path, altered(store.content(path)))
    repair = Repair({"csc": store, "fzj": second}, Announcer(told, Framing(), "icos", 3), StoppableClock())
    (done,) = repair.apply(RepairPlan([Act(ANNOUNCE, "csc", path)]))
    assert "neither is announced" in done.trouble
    assert told.values == []


def repairing(*stores: MemoryStore, told: Told | None = None) -> Repair:
    announcer = Announcer(told or Told(), Framing(), "icos", 3)
    return Repair({store.centre: store for store in stores}, announcer, StoppableClock())


def test_I10_repair_looks_at_the_manifests_that_it_announces_and_lists_nothing_for_them(store: MemoryStore) -> None:
    paths = [state.path for state in store.list() if state.path.endswith(".json")]
    store.calls.clear()
    done = list(repairing(store).apply(RepairPlan([Act(ANNOUNCE, "csc", path) for path in paths])))
    assert [each.outcome for each in done] == ["announced", "announced"]
    assert [about for call, about in store.calls if call == "list"] == [".quarantine"], "for what was not told"
    assert [about for call, about in store.calls if call == "read"] == paths


@pytest.mark.parametrize("path", ["SE-Htm/EC/2026/05/nothing.csv.manifest.json", ".quarantine/a.json"])
def test_a_manifest_that_is_not_there_is_a_trouble_of_its_act(store: MemoryStore, path: str) -> None:
    (done,) = repairing(store).apply(RepairPlan([Act(ANNOUNCE, "csc", path)]))
    assert path in done.trouble


def test_I12_what_the_first_centre_lost_with_the_log_is_copied_back_and_then_announced(store: MemoryStore) -> None:
    second, told = MemoryStore("fzj"), Told()
    manifest = next(state.path for state in store.list() if state.path.endswith(".json"))
    acts = []
    for path in (manifest.removesuffix(".manifest.json"), manifest):
        content = store.content(path)
        second.put(path, content)
        store.remove(path)
        sha256 = hashlib.sha256(content).hexdigest()
        acts.append(Act(COPY, "csc", path, source="fzj", size_bytes=len(content), sha256=sha256))
    acts.append(Act(ANNOUNCE, "csc", manifest))
    done = list(repairing(store, second, told=told).apply(RepairPlan(acts)))
    assert [each.outcome for each in done] == ["copied", "copied", "announced"]
    framed = [Framing().unframe(value) for value in told.values]
    (event,) = [BatchCommitted.from_framed(each) for each in framed if each.schema.name == "BatchCommitted"]
    assert (event.centre, event.manifest_path) == ("csc", manifest)
