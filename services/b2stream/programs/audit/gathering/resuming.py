"""What an audit takes over from one that was stopped, and what it reads anew.

A catalogue that says the same as before proves nothing about the bytes behind it, and stations' keys may have changed since. So a
recomputed checksum and a judged signature count only if they were made since the stopped audit began, and no longer than `KEPT_S`.
"""

from collections.abc import Iterable

from b2stream.archive.store import ObjectStore
from b2stream.programs.audit.gathering.index import Index

KEPT_S = 86_400.0
"""So long a recomputed checksum and a judged signature of a stopped audit count as read now."""


def begin(index: Index, stores: Iterable[ObjectStore], folder: str, now_s: float, *, recompute: bool) -> float | None:
    """Prepare the index for an audit of `folder` at these centres; when the stopped audit began that this one goes on with
    (UNIX seconds), None where there is none of the same centres and folder, or it ended.
    """
    subject = " ".join(store.url(folder) for store in stores)
    stopped = index.one("SELECT begun_s FROM audit WHERE subject = :subject", subject=subject)
    if stopped is None or stopped["begun_s"] > now_s:  # a clock that was set back says nothing about ages
        index.forget_everything()
        index.put("audit", [{"subject": subject, "begun_s": now_s}])
        index.keep()
        return None
    begun_s = float(stopped["begun_s"])
    ages = {"since_s": max(begun_s, now_s - KEPT_S), "now_s": now_s}
    index.run("DELETE FROM manifest WHERE judged_at_s IS NULL OR judged_at_s NOT BETWEEN :since_s AND :now_s", **ages)
    query = "UPDATE object SET recomputed_sha256 = NULL, recomputed_bytes = NULL WHERE recomputed_sha256 IS NOT NULL "
    query += "AND (NOT :recompute OR recomputed_at_s IS NULL OR recomputed_at_s NOT BETWEEN :since_s AND :now_s)"
    index.run(query, recompute=recompute, **ages)
    index.keep()
    return begun_s


def end(index: Index) -> None:
    """The audit has judged everything: the next one reads everything itself."""
    index.run("DELETE FROM audit")
    index.keep()
