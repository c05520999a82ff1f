"""The history of a data object after its close, joined with its manifest: W3C PROV that the reference implementation reads."""

import json
from dataclasses import replace
from typing import Any

import pytest
from prov.model import ProvAgent, ProvDocument, ProvEntity

from b2stream.batches.history import history, in_log, joined
from b2stream.batches.manifest import InLog, batch_of
from b2stream.batches.provenance import acquisition_and_submission
from b2stream.contracts.records import BatchCommitted, BatchReplicated, ObjectEvent
from tests.unit.batches.golden_batches import A_FILE

CLOSE = A_FILE.close
COMMITTED_US = 1_780_000_000_000_000
COMMIT = BatchCommitted(
    batch=batch_of(CLOSE),
    station=CLOSE.station,
    series=CLOSE.series,
    stem=CLOSE.stem,
    name=CLOSE.name,
    id24="x" * 24,
    rows=CLOSE.rows,
    start_us=CLOSE.start_us,
    stop_us=CLOSE.stop_us,
    input_format=CLOSE.input_format,
    container_format=CLOSE.container_format,
    centre="csc",
    url="irods://csc/f.csv",
    path="HTM/s/2024/03/f.csv",
    size_bytes=CLOSE.raw_size_bytes,
    sha256=CLOSE.raw_sha256,
    manifest_path="HTM/s/2024/03/f.csv.manifest.json",
    manifest_size_bytes=1,
    manifest_sha256="0" * 64,
    content_digest=CLOSE.content_digest,
    series_number=CLOSE.series_number,
    attempt=CLOSE.attempt,
    topic_id="t",
    partition=0,
    close_offset=12,
    closed_at_us=COMMITTED_US - 1,
    committed_at_us=COMMITTED_US,
    software="b2stream-processor 0.1.0",
    policy="icos-1 sha256:00",
)
IN_LOG = InLog(COMMIT.topic_id, 0, ((0, 0), (7, 11)), COMMIT.close_offset, COMMIT.closed_at_us)
REPLICA = BatchReplicated(
    commit=COMMIT,
    centre="fzj",
    url="irods://fzj/f.csv",
    replicated_at_us=COMMITTED_US + 5,
    software="b2stream-replicator 0.1.0",
)


def event(at_us: int, outcome: str = "success", what: str = "fixity check") -> ObjectEvent:
    return ObjectEvent(
        event=what,
        outcome=outcome,
        batch=COMMIT.batch,
        station=COMMIT.station,
        path=COMMIT.path,
        centre="fzj",
        at_us=at_us,
        detail="said here",
        who="someone@somewhere",
        software="b2stream-scrub 0.1.0",
    )


@pytest.fixture
def whole() -> dict[str, Any]:
    later = [event(COMMITTED_US + 90, "fail"), event(COMMITTED_US + 10), event(COMMITTED_US + 95, what="replication")]
    manifest = acquisition_and_submission(CLOSE, COMMIT.batch)
    return joined(manifest, history(COMMIT, [REPLICA], later), in_log(COMMIT.batch, IN_LOG))


def test_the_joined_document_is_prov_that_the_reference_implementation_reads(whole: dict[str, Any]) -> None:
    read = ProvDocument.deserialize(content=json.dumps(whole), format="json")
    again = json.loads(read.serialize(format="json"))
    for kind in whole.keys() - {"prefix"}:
        assert len(again[kind]) == len(whole[kind]), kind
    assert ProvDocument.deserialize(content=json.dumps(again), format="json") == read


def test_every_relation_is_between_things_that_are_described(whole: dict[str, Any]) -> None:
    described = {name for kind in ("entity", "activity", "agent") for name in whole[kind]}
    for kind, members in whole.items():
        if kind not in ("prefix", "entity", "activity", "agent"):
            for relation in members.values():
                assert {value for role, value in relation.items() if role != "prov:type"} <= described, kind


def test_nothing_of_either_side_is_lost_by_joining(whole: dict[str, Any]) -> None:
    manifest = acquisition_and_submission(CLOSE, COMMIT.batch)
    later = history(COMMIT, [REPLICA], [event(COMMITTED_US + 10)])
    for kind in ("used", "wasGeneratedBy", "wasAssociatedWith", "wasDerivedFrom"):
        both = joined(manifest, later)
        assert len(both[kind]) == len(manifest[kind]) + len(later[kind])
    data_object = f"batch:{COMMIT.batch}/data-object"
    assert whole["entity"][data_object] == manifest["entity"][data_object]


def test_both_copies_are_the_same_data_object_and_the_second_is_derived_from_the_first(whole: dict[str, Any]) -> None:
    first, second = (f"batch:{COMMIT.batch}/at/{centre}" for centre in ("csc", "fzj"))
    general = {each["prov:specificEntity"]: each["prov:generalEntity"] for each in whole["specializationOf"].values()}
    assert general == dict.fromkeys((first, second), f"batch:{COMMIT.batch}/data-object")
    derived = [(each["prov:generatedEntity"], each["prov:usedEntity"]) for each in whole["wasDerivedFrom"].values()]
    assert (second, first) in derived


def test_events_say_when_who_what_and_how_it_ended(whole: dict[str, Any]) -> None:
    checks = [about for name, about in whole["activity"].items() if "/event/" in name]
    assert [about["b2stream:outcome"] for about in checks] == ["success", "fail", "success"], "in order of time"
    assert checks[0]["prov:label"] == "fixity check at fzj: success"
    assert whole["agent"]["person:someone%40somewhere"] == {"prov:label": "someone@somewhere"}
    assert whole["activity"][f"batch:{COMMIT.batch}/commit"]["b2stream:policy"] == "icos-1 sha256:00"


def _agents(document: dict[str, Any], activity: str) -> list[str]:
    found = [each for each in document["wasAssociatedWith"].values() if each["prov:activity"] == activity]
    return [document["agent"][each["prov:agent"]]["prov:label"] for each in found]


def test_commit_and_replication_say_who_ran_them_where_the_events_do() -> None:
    commit = replace(COMMIT, who="b2stream@csc-1")
    document = history(commit, [replace(REPLICA, commit=commit, who="b2stream@fzj-1")], [event(COMMITTED_US + 10)])
    batch = f"batch:{COMMIT.batch}"
    assert _agents(document, f"{batch}/commit") == ["b2stream-processor 0.1.0", "b2stream@csc-1"]
    assert _agents(document, f"{batch}/replication/fzj") == ["b2stream-replicator 0.1.0", "b2stream@fzj-1"]
    assert _agents(document, f"{batch}/event/0") == ["b2stream-scrub 0.1.0", "someone@somewhere"]
    read = ProvDocument.deserialize(content=json.dumps(document), format="json")
    assert {str(each.identifier) for each in read.get_records(ProvAgent)} >= {"person:b2stream%40csc-1"}


def test_events_of_an_older_release_make_the_document_that_they_made_then() -> None:
    """A day that is archived again finds its own bytes: what nobody said adds nothing."""
    document = history(COMMIT, [REPLICA])
    assert set(document["agent"]) == {"software:b2stream-processor%200.1.0", "software:b2stream-replicator%200.1.0"}
    assert list(document["wasAssociatedWith"]) == ["_:hwas0", "_:hwas1"]


def _of_the_log(document: dict[str, Any]) -> dict[str, set[str]]:
    """What a document says of the batch's blocks, as the reference implementation reads it."""
    read = ProvDocument.deserialize(content=json.dumps(document), format="json")
    (log,) = (each for each in read.get_records(ProvEntity) if str(each.identifier).endswith("/log"))
    said: dict[str, set[str]] = {}
    for name, value in log.attributes:
        said.setdefault(str(name), set()).add(str(getattr(value, "value", value)))
    return said


def test_the_source_blocks_are_named_by_topic_id_partition_and_offsets(whole: dict[str, Any]) -> None:
    close = {
        "b2stream:topicId": {"t"},
        "b2stream:partition": {"0"},
        "b2stream:closeOffset": {"12"},
        "b2stream:closeAppendedAt": {"2026-05-28 20:26:39.999999+00:00"},
    }
    assert _of_the_log(history(COMMIT)) == close, "a day's document has the commit event alone"
    said = _of_the_log(whole)
    assert said.pop("prov:label") == {"blocks in the log, see the manifest's member log"}
    assert said == close | {"b2stream:blocks": {"0-0", "7-11"}}
