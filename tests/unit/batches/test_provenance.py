"""The provenance in a manifest is W3C PROV that the reference implementation reads, and documents of many batches can be put together."""

import json
from dataclasses import replace
from typing import Any

import pytest
from prov.model import (
    ProvAgent,
    ProvDerivation,
    ProvDocument,
    ProvEntity,
)

from b2stream.batches.manifest import batch_of
from b2stream.batches.provenance import acquisition_and_submission
from b2stream.contracts.records import BatchClosed
from tests.unit.batches.golden_batches import A_FILE, STREAM

OPAQUE = replace(A_FILE.close, start_us=None, stop_us=None, name='héllo "x" & <y>.bin', series="files")
PRODUCT = replace(A_FILE.close, sources=("11676/aBc-_", "10.18160/a/b", "21.T1/odd:(x)%20#é"))
ODD = replace(STREAM.close, station="a%20b+c,d=e@f", series="EC_%C3%85.1", stem="odd")


CLOSES = {"stream": STREAM.close, "file": A_FILE.close, "opaque": OPAQUE, "odd": ODD, "product": PRODUCT}


def document(close: BatchClosed) -> Any:
    text = json.dumps(acquisition_and_submission(close, batch_of(close)))
    return ProvDocument.deserialize(content=text, format="json")


@pytest.mark.parametrize("close", CLOSES.values(), ids=CLOSES)
def test_it_is_prov_that_the_reference_implementation_reads_without_loss(close: BatchClosed) -> None:
    written = acquisition_and_submission(close, batch_of(close))
    read = document(close)
    again = json.loads(read.serialize(format="json"))
    for kind in written.keys() - {"prefix"}:
        assert len(again[kind]) == len(written[kind])
        if kind in ("entity", "activity", "agent"):
            assert set(again[kind]) == set(written[kind])
    assert ProvDocument.deserialize(content=json.dumps(again), format="json") == read
    assert read.unified() == read, "each thing is described once"


@pytest.mark.parametrize("close", CLOSES.values(), ids=CLOSES)
def test_every_relation_is_between_things_that_are_described(close: BatchClosed) -> None:
    written = acquisition_and_submission(close, batch_of(close))
    described = {name for kind in ("entity", "activity", "agent") for name in written[kind]}
    for kind, members in written.items():
        if kind not in ("prefix", "entity", "activity", "agent"):
            for relation in members.values():
                named = {value for role, value in relation.items() if role != "prov:type"}
                assert named <= described, kind
    used = {name.partition(":")[0] for name in described}
    assert used <= set(written["prefix"])


def test_the_period_of_acquisition_is_that_of_the_rows() -> None:
    (acquisition,) = (each for each in document(A_FILE.close).get_records() if "acquisition" in str(each.identifier))
    assert acquisition.get_startTime().isoformat() == "2024-03-01T10:15:00+00:00"
    assert acquisition.get_endTime().isoformat() == "2024-03-01T10:54:00+00:00"


def test_a_replacement_is_a_revision_of_the_other_batchs_data_object_and_a_supplement_only_derived() -> None:
    def derivations(close: BatchClosed) -> list[str]:
        found = [each for each in document(close).get_records(ProvDerivation) if close.relation.batch in str(each.args)]  # type: ignore[union-attr]
        return [str(kind) for each in found for kind in each.get_asserted_types()]

    assert A_FILE.close.relation is not None
    supplement = replace(A_FILE.close, relation=replace(A_FILE.close.relation, kind="supplements"))
    assert derivations(A_FILE.close) == ["prov:Revision"]
    assert derivations(supplement) == []
    earlier = f"batch:{'e' * 64}/data-object"
    assert earlier in acquisition_and_submission(A_FILE.close, batch_of(A_FILE.close))["entity"]


def test_a_product_is_derived_from_each_of_its_sources_and_their_pids_resolve() -> None:
    batch = batch_of(PRODUCT)
    found = document(PRODUCT)
    sources = {each.uri: name for each in found.get_records(ProvEntity) if (name := str(each.label)) in PRODUCT.sources
               for each in [each.identifier]}  # fmt: skip
    assert sources == {
        "https://hdl.handle.net/11676/aBc-_": "11676/aBc-_",
        "https://hdl.handle.net/10.18160/a/b": "10.18160/a/b",
        "https://hdl.handle.net/21.T1/odd%3A%28x%29%2520%23%C3%A9": "21.T1/odd:(x)%20#é",
    }
    pairs = {tuple(name.uri for name in each.args[:2]) for each in found.get_records(ProvDerivation)}
    assert {(f"urn:b2stream:batch:{batch}/data-object", source) for source in sources} <= pairs


def test_without_sources_nothing_of_them_is_written() -> None:
    assert "pid" not in acquisition_and_submission(A_FILE.close, batch_of(A_FILE.close))["prefix"]


def test_two_batches_put_together_stay_two_and_share_their_station() -> None:
    both = document(STREAM.close)
    both.update(document(A_FILE.close))
    entities = {str(each.identifier) for each in both.unified().get_records(ProvEntity)}
    assert {each for each in entities if each.endswith("data-object")} == {
        f"batch:{batch_of(STREAM.close)}/data-object",
        f"batch:{batch_of(A_FILE.close)}/data-object",
        f"batch:{'e' * 64}/data-object",
    }
    agents = sorted(str(each.identifier) for each in both.unified().get_records(ProvAgent))
    assert agents == ["gateway:SE-Htm", "station:SE-Htm", "station:SE-Htm/EC_L99_F01"]
