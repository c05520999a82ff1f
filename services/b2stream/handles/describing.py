"""The attributes (AVUs) that describe a data object at a centre. Pure; spelling and values as B2SAFE and its users expect them."""

from collections.abc import Iterable, Mapping

from b2stream.archive.attributes import Attributes
from b2stream.contracts.canonical import iso_utc
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.handles.kinds import Kind
from b2stream.handles.records import FIO, FIXED_CONTENT, IS_FIXED, PARENT, REPLICA, ROR, Prefixes

PID = "PID"
CHECKSUM_DATE = "eudat_dpm_checksum_date:"
FAIL, SUCCESS = "fail", "success"
"""How a check ended, in the words of PREMIS, as in its event."""


class Describing:
    """Makes the attributes of a community's batches.

    Theme and data level are those that the event has from the station's description, else those of the input format (`kinds`). So they
    are a function of the event, and a description that changes later makes nothing wrong.
    """

    def __init__(self, community: str, prefixes: Prefixes, kinds: Mapping[str, Kind]) -> None:
        self._community = community.upper()
        self._prefixes = prefixes
        self._kinds = kinds

    def at_first(self, commit: BatchCommitted, replica: BatchReplicated | None = None) -> dict[str, str]:
        """At the first centre; EUDAT/REPLICA is told only by a replica event, and a commit event does not touch it."""
        pid = self._prefixes.first_pid(commit)
        told = {PID: pid, ROR: self._prefixes.repository_of_record(commit), FIO: pid, FIXED_CONTENT: IS_FIXED}
        if replica is not None:
            told[REPLICA] = self._prefixes.second_pid(commit) or replica.url
        return told | self._batch(commit)

    def at_second(self, replica: BatchReplicated) -> dict[str, str]:
        """At the second centre, whose copy has a PID of its own only where the centre has a prefix."""
        commit = replica.commit
        parent = self._prefixes.first_pid(commit)
        told = {ROR: self._prefixes.repository_of_record(commit), FIO: parent, PARENT: parent, FIXED_CONTENT: IS_FIXED}
        if own := self._prefixes.second_pid(commit):
            told[PID] = own
        return told | self._batch(commit)

    def _batch(self, commit: BatchCommitted) -> dict[str, str]:
        kind = self._kinds.get(commit.input_format, Kind())
        level = kind.data_level if commit.data_level is None else commit.data_level
        told = {
            "station": commit.station,
            "series": commit.series,
            "theme": commit.theme or kind.theme,
            "dataLevel": "" if level is None else str(level),
            "objectSpecification": kind.object_specification,
            "format": commit.input_format,
            "fileName": commit.name or "",
            "acquisitionStart": "" if commit.start_us is None else iso_utc(commit.start_us),
            "acquisitionStop": "" if commit.stop_us is None else iso_utc(commit.stop_us),
            "sha256": commit.sha256,
            "rows": str(commit.rows),
            "manifest": commit.manifest_path,
        }
        return {f"{self._community}/{name}": value for name, value in told.items() if value}

    def failed_check(self, present: Attributes) -> str | None:
        """What the latest check said of an object that it found damaged, as `fixity` wrote it; None where it did not."""
        told = next(iter(present.values.get(fixity_name(self._community), ())), "")
        return told if told.startswith(FAIL) else None


def checksum_dates(resources: Iterable[str], checked_at_us: int, present: Attributes) -> dict[str, str]:
    """When each replica's checksum was last checked: seconds since 1970 in eleven digits, as iRODS writes a time.

    A later check, as scrub's, is never set back by an event that is read again.
    """
    told = f"{checked_at_us // 1_000_000:011d}"
    names = [CHECKSUM_DATE + resource for resource in resources]
    return {name: told for name in names if max(present.values.get(name, ("",))) < told}


def fixity_name(community: str) -> str:
    """The attribute that says how the latest check of an object ended, where one has failed."""
    return f"{community.upper()}/fixity"


def fixity(community: str, outcome: str, checked_at_us: int, present: Attributes) -> dict[str, str]:
    """A check that failed, and when; one that succeeded is told where one before it had failed, else the checksum's date says it all."""
    name = fixity_name(community)
    if outcome == SUCCESS and name not in present.values:
        return {}
    return {name: f"{outcome} {iso_utc(checked_at_us)}"}
