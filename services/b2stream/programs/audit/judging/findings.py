"""What an audit can find. Each finding names one thing exactly; none is said without a second look."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What is wrong, as it stands in reports."""

    MISSING = "missing"  # a committed or replicated object is not at the centre
    EXTRA = "extra"  # an object that no commit event and no manifest accounts for
    UNCOMMITTED = "uncommitted"  # a data object of a known close, without its manifest
    TRUNCATED = "truncated"  # fewer bytes than were committed
    ALTERED = "altered"  # other bytes than were committed
    UNREADABLE = "unreadable"  # the centre cannot read what it stores, or does not let us
    STUCK = "stuck"  # a stale or intermediate replica
    DEBRIS = "debris"  # an old object below the staging root
    UNREPLICATED = "unreplicated"  # the replicator is past the commit event, and there is no second copy
    UNWANTED = "unwanted"  # a copy at a centre where the policy of its batch wants none
    UNANNOUNCED = "unannounced"  # a manifest is in place, and no commit event names its batch
    UNARCHIVED = "unarchived"  # a close that the processors passed, without commit event, letter or superseding batch
    UNRECORDED = "unrecorded"  # a copy in quarantine that no event tells of
    OVERDUE = "overdue"  # a copy that nobody has checked for longer than the policy allows
    REFUSED = "refused"  # a dead letter that nothing has resolved
    FORGED = "forged"  # a signature that does not hold
    UNREGISTERED = "unregistered"  # the registrar is past the commit event, and there is no PID record
    MISREGISTERED = "misregistered"  # a PID record that says something else than was committed
    GAP = "gap"  # a number of a series that no manifest, event or letter fills
    BROKEN_CHAIN = "broken chain"  # a close that names another previous close than the one before it


OF_OBJECTS = frozenset(
    {
        Kind.MISSING,
        Kind.EXTRA,
        Kind.UNCOMMITTED,
        Kind.TRUNCATED,
        Kind.ALTERED,
        Kind.UNREADABLE,
        Kind.STUCK,
        Kind.UNREPLICATED,
        Kind.UNWANTED,
        Kind.OVERDUE,
        Kind.UNANNOUNCED,
        Kind.FORGED,
    }
)
"""Kinds whose path is that of an object."""
OF_BYTES = frozenset({Kind.TRUNCATED, Kind.ALTERED, Kind.UNREADABLE})
"""Kinds that a centre's reading may have shown; a second look reads again."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong. `path` is the object's below the root, or the series' (`station/series`) or the PID."""

    kind: Kind
    path: str
    centre: str = ""
    batch: str = ""
    detail: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes two findings the same thing, whatever their words."""
        return self.kind, self.path, self.centre, self.batch

    def line(self) -> str:
        """The finding in one line."""
        where = f" at {self.centre}" if self.centre else ""
        batch = f" (batch {self.batch[:12]})" if self.batch else ""
        return f"{self.kind}{where}: {self.path}{batch}{': ' + self.detail if self.detail else ''}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)
