"""W3C PROV of acquisition and submission, as PROV-JSON (W3C Member Submission, 24 April 2013), for the manifest.

It is a function of the close and of what its blocks say. Where the blocks lie in the log stands in the manifest's member `log`, which
alone may differ between two replays; the entity `batch:<id>/log` points there. Every identifier names its batch or its
station, so that the documents of many manifests can be put together without one thing becoming another.
"""

from typing import Any
from urllib.parse import quote

from b2stream.batches.identity import id24
from b2stream.contracts.canonical import iso_utc
from b2stream.contracts.records import BatchClosed, Relation

_PREFIXES = {
    "b2stream": "urn:b2stream:",
    "batch": "urn:b2stream:batch:",
    "gateway": "urn:b2stream:gateway:",
    "station": "urn:b2stream:station:",
    "prov": "http://www.w3.org/ns/prov#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}
PID_PREFIX, _PIDS = "pid", "https://hdl.handle.net/"
"""Sources of a product are named by the addresses at which their PIDs resolve; DOIs are handles, too."""


def acquisition_and_submission(close: BatchClosed, batch: str) -> dict[str, Any]:
    """PROV-JSON document: who measured, with what, and which gateway submitted it."""
    data_object, source, log = (f"batch:{batch}/{part}" for part in ("data-object", "source", "log"))
    acquisition, submission = f"batch:{batch}/acquisition", f"batch:{batch}/submission"
    station, gateway = f"station:{close.station}", f"gateway:{close.station}"
    instrument = f"{station}/{close.series}"
    document: dict[str, Any] = {
        "prefix": _PREFIXES,
        "entity": {
            data_object: {
                "prov:label": close.name or close.stem,
                "b2stream:batch": batch,
                "b2stream:id24": id24(close.raw_sha256),
                "b2stream:sha256": close.raw_sha256,
                "b2stream:sizeBytes": _number(close.raw_size_bytes),
                "b2stream:inputFormat": close.input_format,
            },
            source: {"prov:label": close.name or f"stream {close.series}", "b2stream:series": close.series},
            log: {"prov:label": "blocks in the log, see the manifest's member log"},
        },
        "activity": {
            acquisition: _period(close),
            submission: {"prov:label": "submission by the gateway"},
        },
        "agent": {
            station: {"prov:type": _name("prov:Organization"), "prov:label": close.station},
            instrument: {"prov:label": f"instrument or logger of series {close.series}"},
            gateway: {"prov:type": _name("prov:SoftwareAgent"), "prov:label": close.software},
        },
        "wasGeneratedBy": {
            "_:g1": {"prov:entity": source, "prov:activity": acquisition},
            "_:g2": {"prov:entity": data_object, "prov:activity": submission},
        },
        "used": {
            "_:u1": {"prov:activity": submission, "prov:entity": source},
            "_:u2": {"prov:activity": submission, "prov:entity": log},
        },
        "wasAssociatedWith": {
            "_:a1": {"prov:activity": acquisition, "prov:agent": instrument},
            "_:a2": {"prov:activity": submission, "prov:agent": gateway},
        },
        "actedOnBehalfOf": {
            "_:b1": {"prov:delegate": instrument, "prov:responsible": station},
            "_:b2": {"prov:delegate": gateway, "prov:responsible": station},
        },
        "wasAttributedTo": {"_:t1": {"prov:entity": data_object, "prov:agent": station}},
        "wasDerivedFrom": {
            "_:d1": {
                "prov:generatedEntity": data_object,
                "prov:usedEntity": source,
                "prov:type": _name("prov:PrimarySource"),
            }
        },
    }
    if close.relation is not None:
        _add_relation(document, data_object, close.relation)
    if close.sources:
        _add_sources(document, data_object, close.sources)
    return document


def _add_relation(document: dict[str, Any], data_object: str, relation: Relation) -> None:
    earlier = f"batch:{relation.batch}/data-object"
    document["entity"][earlier] = {"prov:label": f"the batch that this one {relation.kind}"}
    derivation: dict[str, Any] = {"prov:generatedEntity": data_object, "prov:usedEntity": earlier}
    if relation.kind == "replaces":
        derivation["prov:type"] = _name("prov:Revision")
    document["wasDerivedFrom"]["_:d2"] = derivation


def _add_sources(document: dict[str, Any], data_object: str, sources: tuple[str, ...]) -> None:
    document["prefix"] = {**_PREFIXES, PID_PREFIX: _PIDS}
    for number, pid in enumerate(sources, 1):
        source = f"{PID_PREFIX}:{quote(pid)}"
        document["entity"][source] = {"prov:label": pid}
        document["wasDerivedFrom"][f"_:s{number}"] = {"prov:generatedEntity": data_object, "prov:usedEntity": source}


def _period(close: BatchClosed) -> dict[str, Any]:
    acquisition: dict[str, Any] = {"prov:label": f"acquisition of series {close.series}"}
    if close.start_us is not None and close.stop_us is not None:
        acquisition["prov:startTime"] = iso_utc(close.start_us)
        acquisition["prov:endTime"] = iso_utc(close.stop_us)
    return acquisition


def _name(qualified: str) -> dict[str, str]:
    return {"$": qualified, "type": "prov:QUALIFIED_NAME"}


def _number(value: int) -> dict[str, str]:
    return {"$": str(value), "type": "xsd:long"}
