"""The one error tree. Only these cross the borders between modules; what a client library raises is translated at its edge.

The docstring of a class is its message and tells the cure; `str(error)` joins it with what happened here.
Four classes decide what a program does: wait and try again, set one batch aside, write a dead letter, or stop.
"""

import inspect


class B2streamError(Exception):
    """Something in b2stream failed."""

    reason = "error"  # the code that stands in a dead letter, a metric or a manifest

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        message = inspect.cleandoc(self.__class__.__doc__ or "").replace("\n", " ")
        return f"{message} ({self.detail})" if self.detail else message


class Retryable(B2streamError):
    """Nobody answered: this is tried again by itself; if it lasts, look whether the server named here is up."""

    reason = "retryable"


class LostReply(Retryable):
    """The connection broke before the answer: the server may or may not have done it, so its state is queried before the next try."""

    reason = "lost_reply"


class Stuck(B2streamError):
    """The server answered and refused this batch: look at its quota and permissions; the batch is tried again, others go on."""

    reason = "stuck"


class AccessRefused(Stuck):
    """The centre refuses access: give b2stream's user the right to write there."""

    reason = "access_refused"


class DamagedObject(Stuck):
    """The object at this path is not what was placed there: compare both centres before anything is removed."""

    reason = "damaged_object"


class CutShort(DamagedObject):
    """The object at this path ends before its size: compare both centres before anything is removed."""

    reason = "cut_short"


class MissingObject(Stuck):
    """There is no object at this path: it was never placed here, or someone removed it."""

    reason = "missing_object"


class PlaceTaken(Stuck):
    """Another content lies at this path: nothing is overwritten; find out who wrote it."""

    reason = "place_taken"


class Poison(B2streamError):
    """This message can never become part of a batch: it is kept as a dead letter with its reason."""

    reason = "poison"

    def __init__(self, detail: str = "", *, reason: str | None = None) -> None:
        super().__init__(detail)
        if reason is not None:
            self.reason = reason


class Fatal(B2streamError):
    """b2stream stops, because going on would break a promise: read what is named here and mend it."""

    reason = "fatal"


class ConfigurationError(Fatal):
    """The configuration cannot work: correct the setting named here (`b2stream config show` tells where each came from)."""

    reason = "configuration"


class Refused(Fatal):
    """The user name or password was refused: correct the credentials of the server named here."""

    reason = "credentials_refused"


class LostOffsets(Fatal):
    """The log no longer holds what this group has not read: data may be missing; `b2stream offsets accept` goes on and records the loss."""

    reason = "lost_offsets"


class BrokenInvariant(Fatal):
    """An invariant does not hold: keep the evidence, and do not start this program again before it is understood."""

    reason = "broken_invariant"
