"""W3C PROV of what happened to a data object after its close: commit, replication, fixity checks, repairs. As PROV-JSON.

It uses the identifiers of `provenance.acquisition_and_submission`, so that `joined` makes one document of a manifest's provenance and
this history: from the instrument to the last time that somebody looked. `in_log` adds where the blocks lay: the manifest's member
`log`, which its own PROV leaves out because it may differ between two replays.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from b2stream.batches.manifest import InLog
from b2stream.contracts.canonical import iso_utc
from b2stream.contracts.records import BatchCommitted, BatchReplicated, ObjectEvent

_XSD = "http://www.w3.org/2001/XMLSchema#"
_NO_RELATIONS: tuple[str, ...] = ("wasGeneratedBy", "used", "wasAssociatedWith", "wasDerivedFrom", "specializationOf")


def history(
    commit: BatchCommitted, replicas: Iterable[BatchReplicated] = (), events: Iterable[ObjectEvent] = ()
) -> dict[str, Any]:
    """PROV-JSON of the commit, each replication, and each event about the batch's objects, in order of time."""
    made = _History(f"batch:{commit.batch}")
    data_object, log = f"{made.batch}/data-object", f"{made.batch}/log"
    made.document["entity"][log] = _close_in_log(
        commit.topic_id, commit.partition, commit.close_offset, commit.closed_at_us
    )
    made.activity(
        "commit", "commit at the first centre", commit.committed_at_us, commit.software, commit.who, commit.policy
    )
    made.copy(commit.centre, commit.url, "commit", derived_from=data_object)
    made.relate("used", activity=f"{made.batch}/commit", entity=log)
    for replica in sorted(replicas, key=lambda each: each.replicated_at_us):
        name = f"replication/{replica.centre}"
        label = f"replication to {replica.centre}"
        made.activity(name, label, replica.replicated_at_us, replica.software, replica.who, commit.policy)
        made.copy(replica.centre, replica.url, name, derived_from=made.copy_at(commit.centre))
        made.relate("used", activity=f"{made.batch}/{name}", entity=made.copy_at(commit.centre))
    for number, event in enumerate(sorted(events, key=lambda each: each.at_us)):
        made.event(number, event)
    return made.document


def in_log(batch: str, log: InLog) -> dict[str, Any]:
    """PROV-JSON of where a batch lay in the log: runs of its blocks as `first-last`, offsets in a partition of the topic with an id."""
    about = _close_in_log(log.topic_id, log.partition, log.close_offset, log.closed_at_us)
    about["b2stream:blocks"] = [f"{first}-{last}" for first, last in log.blocks]
    prefixes = {"b2stream": "urn:b2stream:", "batch": "urn:b2stream:batch:", "xsd": _XSD}
    return {"prefix": prefixes, "entity": {f"batch:{batch}/log": about}}


def joined(*documents: Mapping[str, Any]) -> dict[str, Any]:
    """One PROV-JSON document of several. The same thing may be described in each; relations keep apart by their names."""
    whole: dict[str, Any] = {}
    for number, document in enumerate(documents):
        for kind, members in document.items():
            target = whole.setdefault(kind, {})
            for name, member in members.items():
                if name.startswith("_:"):
                    target[f"_:d{number}{name[2:]}"] = member
                elif isinstance(member, dict):
                    target[name] = {**target.get(name, {}), **member}
                else:
                    target[name] = member
    return whole


def _close_in_log(topic_id: str, partition: int, close_offset: int, closed_at_us: int) -> dict[str, Any]:
    return {
        "b2stream:topicId": topic_id,
        "b2stream:partition": {"$": str(partition), "type": "xsd:int"},
        "b2stream:closeOffset": {"$": str(close_offset), "type": "xsd:long"},
        "b2stream:closeAppendedAt": {"$": iso_utc(closed_at_us), "type": "xsd:dateTime"},
    }


class _History:
    def __init__(self, batch: str) -> None:
        self.batch = batch
        self.document: dict[str, Any] = {
            "prefix": {
                "b2stream": "urn:b2stream:",
                "batch": "urn:b2stream:batch:",
                "software": "urn:b2stream:software:",
                "person": "urn:b2stream:person:",
                "prov": "http://www.w3.org/ns/prov#",
                "xsd": _XSD,
            },
            "entity": {f"{batch}/data-object": {}, f"{batch}/log": {}},
            "activity": {},
            "agent": {},
            **{kind: {} for kind in _NO_RELATIONS},
        }

    def copy_at(self, centre: str) -> str:
        """Identifier of the data object's copy at a centre."""
        return f"{self.batch}/at/{quote(centre, safe='')}"

    def activity(
        self, name: str, label: str, at_us: int, software: str, who: str | None, policy: str | None = None
    ) -> str:
        """Something that was done at one instant: by which program, and who ran it where that is known."""
        activity = f"{self.batch}/{name}"
        instant = iso_utc(at_us)
        about: dict[str, Any] = {"prov:label": label, "prov:startTime": instant, "prov:endTime": instant}
        if policy:
            about["b2stream:policy"] = policy
        self.document["activity"][activity] = about
        agent = f"software:{quote(software, safe='')}"
        self.document["agent"][agent] = {
            "prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"},
            "prov:label": software,
        }
        self.relate("wasAssociatedWith", activity=activity, agent=agent)
        if who:
            person = f"person:{quote(who, safe='')}"
            self.document["agent"][person] = {"prov:label": who}
            self.relate("wasAssociatedWith", activity=activity, agent=person)
        return activity

    def copy(self, centre: str, url: str, name: str, *, derived_from: str) -> None:
        """The copy that an activity made."""
        copy = self.copy_at(centre)
        self.document["entity"][copy] = {"prov:label": f"copy at {centre}", "b2stream:url": url}
        self.relate("wasGeneratedBy", entity=copy, activity=f"{self.batch}/{name}")
        self.relate("specializationOf", specificEntity=copy, generalEntity=f"{self.batch}/data-object")
        self.relate("wasDerivedFrom", generatedEntity=copy, usedEntity=derived_from)

    def event(self, number: int, event: ObjectEvent) -> None:
        """A fixity check, or an act of repair, on the copy at a centre."""
        label = f"{event.event} at {event.centre}: {event.outcome}"
        activity = self.activity(f"event/{number}", label, event.at_us, event.software, event.who, event.policy)
        about = self.document["activity"][activity]
        about |= {"b2stream:outcome": event.outcome, "b2stream:detail": event.detail, "b2stream:path": event.path}
        copy = self.copy_at(event.centre)
        self.document["entity"].setdefault(copy, {"prov:label": f"copy at {event.centre}"})
        self.relate("used", activity=activity, entity=copy)

    def relate(self, kind: str, **roles: str) -> None:
        """A relation between two things."""
        members = self.document[kind]
        members[f"_:h{kind[:3]}{len(members)}"] = {f"prov:{role}": name for role, name in roles.items()}
