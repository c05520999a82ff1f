"""A day's provenance, archived per station: a function of the log, whoever does it and however often."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

import pytest
from prov.model import ProvDocument

from b2stream.archive.memory import MemoryStore
from b2stream.archive.placing import Writer
from b2stream.archive.waiting import StoppableClock
from b2stream.contracts.canonical import from_iso_utc
from b2stream.contracts.records import BatchCommitted, BatchReplicated, ObjectEvent
from b2stream.errors import ConfigurationError
from b2stream.programs.audit.history.daily import archive, check_day, documents
from tests.unit.batches.test_history import COMMIT, REPLICA, event

DAY = date(2026, 7, 1)
NOON = from_iso_utc("2026-07-01T12:00:00.000000Z")
DAY_BEFORE = from_iso_utc("2026-06-30T23:59:59.999999Z")
OTHER = replace(COMMIT, batch="d" * 64, station="DE-HoH", committed_at_us=NOON)


@dataclass
class Told:
    """Events from lists."""

    committed: list[BatchCommitted] = field(default_factory=list)
    replicated: list[BatchReplicated] = field(default_factory=list)
    done: list[ObjectEvent] = field(default_factory=list)

    def commits(self) -> Iterator[BatchCommitted]:
        yield from self.committed

    def replicas(self) -> Iterator[BatchReplicated]:
        yield from self.replicated

    def object_events(self) -> Iterator[ObjectEvent]:
        yield from self.done


def told() -> Told:
    """A batch of the day before that was replicated and checked on the day, and another station's of the day itself."""
    earlier = replace(COMMIT, committed_at_us=DAY_BEFORE)
    later = replace(event(NOON), at_us=from_iso_utc("2026-07-02T00:00:00.000000Z"))
    replica = replace(REPLICA, commit=earlier, replicated_at_us=NOON)
    return Told([earlier, OTHER], [replica], [event(NOON, "fail"), later])


def test_a_station_s_document_tells_what_happened_on_that_day_and_nothing_of_the_next() -> None:
    found = documents(told(), DAY)
    assert set(found) == {COMMIT.station, "DE-HoH"}
    labels = [about["prov:label"] for about in found[COMMIT.station]["activity"].values()]
    assert labels == ["commit at the first centre", "replication to fzj", "fixity check at fzj: fail"]
    assert documents(told(), date(2026, 6, 29)) == {}


def test_it_is_prov_that_the_reference_implementation_reads() -> None:
    for document in documents(told(), DAY).values():
        text = json.dumps(document)
        assert json.loads(ProvDocument.deserialize(content=text, format="json").serialize(format="json"))["activity"]


def test_I4_archived_again_it_is_the_same_object() -> None:
    store = MemoryStore("csc")
    for is_again in (False, True):
        document = documents(told(), DAY)["DE-HoH"]
        done = archive(document, "DE-HoH", DAY, store, Writer(), StoppableClock())
        assert done.was_there is is_again
    paths = [state.path for state in store.list()]
    assert len(paths) == 1
    assert paths[0].startswith(".provenance/DE-HoH/2026/07/DE-HoH_20260701~")


def test_a_day_that_is_not_over_is_refused() -> None:
    check_day(DAY, datetime(2026, 7, 2, 1, 0, 1, tzinfo=UTC))
    with pytest.raises(ConfigurationError, match="not over"):
        check_day(DAY, datetime(2026, 7, 2, 0, 59, tzinfo=UTC))
