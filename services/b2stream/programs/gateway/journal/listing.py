"""What `gateway receipts` shows of a journal: per file how far it came."""

from typing import Any

from b2stream.commands.output import print_columns
from b2stream.programs.gateway.journal.journal import Archived, Attempt, Journal

OUTCOMES = {
    "sending": "is being sent",
    "sent": "sent",
    "lost": "did not arrive, is sent again",
    "refused": "refused",
    "committed": "committed",
    "replicated": "replicated (safe to delete)",
}
ONE_COPY = "committed, its policy wants one copy (safe to delete)"
_FORGOTTEN = ("attempt", "series_number", "sources", "url", "second_url", "reason", "detail", "sent_again")


def entries(journal: Journal, *, everything: bool) -> list[dict[str, Any]]:
    """An entry per file, or per content of each file with `everything`, as `receipts --json` prints them."""
    attempts = journal.batches()
    if everything:
        return [*map(_of_archived, journal.archived()), *map(_of_attempt, attempts)]
    found = [*map(_of_archived, journal.archived()), *map(_of_attempt, {each.name: each for each in attempts}.values())]
    return sorted(found, key=lambda entry: str(entry["file"]))


def print_entries(found: list[dict[str, Any]]) -> None:
    """Print them for a person."""
    rows = [["file", "series", "rows", "state", "where or why"]]
    for entry in found:
        where = entry["pid"] or entry["path"] or ""
        if entry["state"] in ("refused", "lost"):
            where = ": ".join(filter(None, (entry["reason"], entry["detail"])))
        count = str(entry["rows"]) if entry["opaque_reason"] is None else f"({entry['opaque_reason']})"
        is_only_copy = entry["state"] == "replicated" and entry["url"] and not entry["second_url"]
        state = ONE_COPY if is_only_copy else OUTCOMES[entry["state"]]
        rows.append([entry["file"], entry["series"], count, state, where])
    print_columns(rows)


def _of_attempt(attempt: Attempt) -> dict[str, Any]:
    close = attempt.close
    return {
        "file": attempt.name,
        "state": attempt.outcome,
        "safe_to_delete": attempt.outcome == "replicated",
        "batch": attempt.batch,
        "attempt": attempt.attempt,
        "series": close.series,
        "series_number": close.series_number if attempt.state != "cut" else None,
        "rows": close.rows,
        "size_bytes": close.raw_size_bytes,
        "sha256": close.raw_sha256,
        "opaque_reason": close.opaque_reason,
        "sources": list(close.sources),
        "id24": attempt.id24,
        "pid": attempt.pid,
        "path": attempt.path,
        "url": attempt.url,
        "second_url": attempt.second_url,
        "reason": attempt.refused_reason or attempt.lost_reason,
        "detail": attempt.refused_detail,
        "sent_again": attempt.tries,
    }


def _of_archived(each: Archived) -> dict[str, Any]:
    """The same members; null is what the journal has forgotten."""
    return {
        **dict.fromkeys(_FORGOTTEN),
        "file": each.name,
        "state": "replicated",
        "safe_to_delete": True,
        "batch": each.content.batch,
        "series": each.series,
        "rows": each.row_count,
        "size_bytes": each.size_bytes,
        "sha256": each.content.raw_sha256,
        "opaque_reason": each.opaque_reason,
        "id24": each.id24,
        "pid": each.pid,
        "path": each.path,
    }
