"""Creating and rewriting records so that it may be repeated: after each step the server's own word decides.

Nothing is remembered here: two registrars at work on one event, and an event that comes again, end at the same record.
"""

from enum import Enum

from b2stream.errors import LostReply, Retryable, Stuck
from b2stream.handles.service import CHECKSUM, URL, HandleRecord, HandleService

_TRIES = 3


class ContentConflict(Stuck):
    """Another content is registered under this PID, or none that can be compared: find out who wrote the record."""

    reason = "pid_conflict"


class Registered(Enum):
    """How it ended. In each case the record names this content; with ELSEWHERE it names another place that holds it."""

    CREATED = "created"
    REWRITTEN = "rewritten"
    UNCHANGED = "unchanged"
    ELSEWHERE = "elsewhere"


def create(service: HandleService, record: HandleRecord) -> tuple[Registered, HandleRecord]:
    """Make the record, or find that it is there; gives the record at the server.

    A record that is there is left as it is, whatever else it says: it may know more than this one. Raises ContentConflict.
    """
    for _ in range(_TRIES):
        try:
            if service.create(record):
                return Registered.CREATED, record
        except LostReply:
            pass  # it may be there: the next line looks
        found = service.read(record.handle)
        if found is not None:
            _same_content(found, record)
            elsewhere = found.text(URL) != record.text(URL)
            return Registered.ELSEWHERE if elsewhere else Registered.UNCHANGED, found
    raise Retryable(f"{record.handle} can neither be created nor read")


def create_or_rewrite(service: HandleService, record: HandleRecord) -> tuple[Registered, HandleRecord]:
    """Make the record, or bring it up to date where it names the same place. Raises ContentConflict."""
    outcome, found = create(service, record)
    if outcome is not Registered.UNCHANGED or found.says_the_same(record):
        return outcome, found
    try:
        service.rewrite(record)
    except LostReply:
        again = service.read(record.handle)
        if again is None or not again.says_the_same(record):
            raise
    return Registered.REWRITTEN, record


def _same_content(found: HandleRecord, ours: HandleRecord) -> None:
    theirs, wanted = found.text(CHECKSUM), ours.text(CHECKSUM)
    if theirs != wanted:
        told = theirs or "no checksum"
        raise ContentConflict(f"{ours.handle}: its record has {told}, the content {wanted}")
