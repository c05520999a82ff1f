"""A history outlives the log: what the days' documents tell is joined with what the log still tells, each thing once."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from prov.model import ProvDocument

from b2stream.archive.memory import MemoryStore
from b2stream.archive.placing import Writer
from b2stream.archive.store import ObjectState
from b2stream.archive.waiting import StoppableClock
from b2stream.batches.history import history
from b2stream.batches.provenance import acquisition_and_submission
from b2stream.contracts.canonical import canonical_json
from b2stream.contracts.records import ObjectEvent
from b2stream.errors import Retryable
from b2stream.programs.audit.history.archived import day_of, part_of
from b2stream.programs.audit.history.cli import whole_history
from b2stream.programs.audit.history.daily import archive, documents
from b2stream.programs.audit.history.drawing import steps
from b2stream.programs.audit.verify.subjects import Subject
from tests.unit.audit.test_daily import Told
from tests.unit.batches.test_history import CLOSE, COMMIT, COMMITTED_US, IN_LOG, REPLICA, event

DAY_US = 86_400_000_000
DAYS = [day_of(COMMITTED_US + number * DAY_US) for number in range(3)]
CHECK, FAILED = event(COMMITTED_US + DAY_US), event(COMMITTED_US + DAY_US + 7, "fail")
OTHER = replace(COMMIT, batch="d" * 64, path="SE-Htm/s/other.csv")
WIPED_US = COMMITTED_US + 30 * DAY_US
AGAIN = replace(COMMIT, committed_at_us=WIPED_US, software="b2stream-reannounce 0.1.0", topic_id="new", who="admin@csc")
REPLICA_AGAIN = replace(REPLICA, commit=AGAIN, replicated_at_us=WIPED_US + 9, software="b2stream-replicator 0.2.0")
BEFORE = Told([COMMIT, OTHER], [REPLICA], [CHECK, FAILED, replace(event(COMMITTED_US + DAY_US), batch=OTHER.batch)])
"""The log before it was lost."""

FROM_BEFORE = [
    ("2026-05-28T20:26:40", "commit at the first centre", ("b2stream-processor 0.1.0",)),
    ("2026-05-28T20:26:40", "replication to fzj", ("b2stream-replicator 0.1.0",)),
    ("2026-05-29T20:26:40", "fixity check at fzj: success", ("b2stream-scrub 0.1.0", "someone@somewhere")),
    ("2026-05-29T20:26:40", "fixity check at fzj: fail", ("b2stream-scrub 0.1.0", "someone@somewhere")),
]


def manifest() -> bytes:
    return canonical_json(
        {
            "batch": COMMIT.batch,
            "close": CLOSE.to_json(),
            "signature": CLOSE.signature,
            "data_object": {"path": COMMIT.path, "sha256": COMMIT.sha256, "size_bytes": COMMIT.size_bytes},
            "provenance": acquisition_and_submission(CLOSE, COMMIT.batch),
            "log": IN_LOG.to_json(),
        }
    )


@pytest.fixture
def stores() -> list[MemoryStore]:
    """Two centres with the manifest, and the days of the log before it was lost."""
    made = [MemoryStore("csc"), MemoryStore("fzj")]
    for store in made:
        store.put(COMMIT.manifest_path, manifest())
        for day in DAYS:
            for station, document in documents(BEFORE, day).items():
                archive(document, station, day, store, Writer(), StoppableClock())
    return made


def told(
    stores: Sequence[MemoryStore], subject: Subject, events: Sequence[ObjectEvent] = ()
) -> tuple[dict[str, Any], list[tuple[str, str, tuple[str, ...]]]]:
    """The whole document, and what happened after the submission."""
    document = whole_history(subject, stores, lambda: events)
    after = [(step.at[:19], step.label, step.agents) for step in steps(document)]
    return document, after[2:]


LIVE = Subject(COMMIT.path, COMMIT, COMMIT, REPLICA)
ANNOUNCED_AGAIN = Subject(COMMIT.path, AGAIN, AGAIN, REPLICA_AGAIN)


def test_after_the_log_was_lost_commit_copies_and_checks_are_told_from_the_days(stores: list[MemoryStore]) -> None:
    document, after = told(stores, ANNOUNCED_AGAIN)
    assert after == FROM_BEFORE
    assert not [name for name in document["agent"] if "reannounce" in name or "0.2.0" in name]
    assert "b2stream-reannounce" not in json.dumps(document)


def test_where_nobody_announced_it_again_the_days_are_enough(stores: list[MemoryStore]) -> None:
    _, after = told(stores, Subject(COMMIT.path))
    assert after == FROM_BEFORE


def test_what_happened_since_the_loss_comes_from_the_log(stores: list[MemoryStore]) -> None:
    _, after = told(stores, ANNOUNCED_AGAIN, [event(WIPED_US + DAY_US)])
    assert after == [*FROM_BEFORE, ("2026-06-28T20:26:40", *FROM_BEFORE[2][1:])]


def test_what_stands_in_several_days_and_in_the_log_is_told_once(stores: list[MemoryStore]) -> None:
    document, after = told(stores, LIVE, [CHECK, FAILED])
    assert after == FROM_BEFORE
    without_days = [MemoryStore("csc")]
    without_days[0].put(COMMIT.manifest_path, manifest())
    from_log, same = told(without_days, LIVE, [CHECK, FAILED])
    assert same == after
    for kind in document:
        assert len(document[kind]) == len(from_log[kind]), kind
    for kind in document.keys() - {"prefix", "entity", "activity", "agent"}:
        relations = [json.dumps(roles, sort_keys=True) for roles in document[kind].values()]
        assert len(relations) == len(set(relations)), kind


def test_it_is_prov_that_the_reference_implementation_reads_and_nothing_hangs_in_the_air(
    stores: list[MemoryStore],
) -> None:
    document, _ = told(stores, ANNOUNCED_AGAIN, [event(WIPED_US + DAY_US)])
    read = ProvDocument.deserialize(content=json.dumps(document), format="json")
    assert ProvDocument.deserialize(content=read.serialize(format="json"), format="json") == read
    things = {name for kind in ("entity", "activity", "agent") for name in document[kind]}
    for kind in document.keys() - {"prefix", "entity", "activity", "agent"}:
        for roles in document[kind].values():
            assert {name for role, name in roles.items() if role != "prov:type"} <= things, kind


def test_of_a_station_s_days_only_what_is_said_of_the_batch_is_told(stores: list[MemoryStore]) -> None:
    document, _ = told(stores, ANNOUNCED_AGAIN)
    assert OTHER.batch not in json.dumps(document)
    (whole,) = documents(BEFORE, DAYS[0]).values()
    assert OTHER.batch in json.dumps(whole)
    assert part_of(whole, "e" * 64) == {}
    assert part_of(history(COMMIT, [REPLICA]), COMMIT.batch)["activity"] == history(COMMIT, [REPLICA])["activity"]


def days_of(store: MemoryStore) -> list[str]:
    return sorted(state.path for state in store.list(".provenance"))


@pytest.mark.parametrize("damage", ["altered", "removed", "not JSON", "not ours"])
def test_a_day_that_one_centre_lacks_or_has_otherwise_is_read_at_the_other(
    stores: list[MemoryStore], damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    for path in days_of(stores[0]):
        if damage == "removed":
            stores[0].remove(path)
        else:
            new = {"altered": b"fail", "not JSON": b"", "not ours": b'["%s"]' % COMMIT.batch.encode()}[damage]
            stores[0].change(path, stores[0].content(path).replace(b"success", new) if damage == "altered" else new)
    _, after = told(stores, ANNOUNCED_AGAIN)
    assert after == FROM_BEFORE
    assert ("is left out" in caplog.text) is (damage != "removed")


def test_a_document_that_fits_its_name_and_is_no_provenance_is_left_out_with_a_warning(
    stores: list[MemoryStore], caplog: pytest.LogCaptureFixture
) -> None:
    document: Any = {"prefix": {}, "activity": COMMIT.batch, "used": 5}
    archive(document, COMMIT.station, DAYS[2], stores[0], Writer(), StoppableClock())
    _, after = told(stores, ANNOUNCED_AGAIN)
    assert after == FROM_BEFORE
    assert "it is no provenance" in caplog.text


class Reading(MemoryStore):
    """Remembers which documents were read."""

    def __init__(self, centre: str) -> None:
        super().__init__(centre)
        self.asked: list[str] = []

    def read(self, path: str, *more: Any, **named: Any) -> Iterator[bytes]:
        self.asked.append(path)
        return super().read(path, *more, **named)


def test_each_day_from_the_close_on_is_read_once_and_none_before_it(stores: list[MemoryStore]) -> None:
    store = Reading("csc")
    store.put(COMMIT.manifest_path, manifest())
    for path in days_of(stores[0]):
        store.put(path, stores[0].content(path))
    early: dict[str, Any] = {"prefix": {}, "activity": {}}
    archive(early, COMMIT.station, date(2026, 5, 27), store, Writer(), StoppableClock())
    archive(early, "SE-Nor", DAYS[0], store, Writer(), StoppableClock())
    store.asked.clear()
    counts: list[tuple[int, int | None]] = []
    whole_history(ANNOUNCED_AGAIN, [store, stores[1]], list, lambda *done: counts.append(done))
    assert counts == [(1, 2), (1, 2)]
    assert sorted(store.asked) == sorted([COMMIT.manifest_path, *days_of(stores[0])])


class Silent(MemoryStore):
    """Answers no listing."""

    def list(self, folder: str = "") -> Iterator[ObjectState]:
        raise Retryable(f"{self.centre} does not answer")


def test_a_centre_that_does_not_answer_is_left_out_and_where_none_does_nothing_is_told(
    stores: list[MemoryStore], caplog: pytest.LogCaptureFixture
) -> None:
    silent = Silent("fzj")
    _, after = told([stores[0], silent], ANNOUNCED_AGAIN)
    assert after == FROM_BEFORE
    assert "fzj: its daily provenance is left out" in caplog.text
    silent.put(COMMIT.manifest_path, manifest())
    with pytest.raises(Retryable, match="fzj does not answer"):
        told([silent], ANNOUNCED_AGAIN)
