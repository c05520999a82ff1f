"""What was said and seen over time: the chain of each series, the events on Kafka, and what an earlier check saw."""

import json
from collections import defaultdict
from collections.abc import Sequence, Set
from pathlib import Path
from typing import Any

from .canonical import close_digest
from .centres import Found
from .events import Events
from .findings import Findings
from .manifests import Batch
from .ours import EVERYTHING, Ours

Series = tuple[str, str]
Links = dict[int, list[dict[str, Any]]]  # closes by series number


def check_chains(
    first: Found,
    repeats: list[dict[str, Any]],
    stations: set[str],
    findings: Findings,
    ours: Ours = EVERYTHING,
    dead: Sequence[dict[str, Any]] = (),
) -> None:
    """Series numbers run from 0 without a hole, and each close names the one before it by digest.

    Closes that are not ours are no links; but a chain that goes on from them is whole. A close that is `dead` fills its number: its
    letter says what became of it. An attempt that a later close supersedes and that left nothing else was lost with the log that held
    it: for each of these one number may be missing.
    """
    filled: dict[Series, set[int]] = defaultdict(set)
    for close in dead:
        filled[close["station"], close["series"]].add(close["series_number"])
    repeated = [json.loads(repeat["close"]) for repeat in repeats]
    sent_again = _sent_again([*(batch.close for batch in first.batches.values()), *repeated], dead)
    links: dict[Series, Links] = defaultdict(lambda: defaultdict(list))
    others: dict[Series, Links] = defaultdict(lambda: defaultdict(list))
    for batch in first.batches.values():
        taken = links if ours.closed(first, batch) else others
        taken[batch.station, batch.series][batch.close["series_number"]].append(batch.close)
    for repeat, signed in zip(repeats, repeated, strict=True):
        close = {key: value for key, value in signed.items() if key != "signature"}
        links[repeat["station"], repeat["series"]][repeat["series_number"]].append(close)
    for (station, series), numbered in links.items():
        if station in stations:
            place = {"station": station, "path": f"{station}/{series}"}
            alone = not (first.centre.shared and ours.kafka_shared)  # an earlier run may have begun at 0, too
            passed_over = others[station, series].keys() | filled[station, series]
            lost = len(sent_again[station, series])
            _check_chain(numbered, others[station, series], passed_over, place, findings, forks=alone, lost=lost)


def _sent_again(closes: list[dict[str, Any]], dead: Sequence[dict[str, Any]]) -> dict[Series, set[str]]:
    """By series, the attempts that a close supersedes and of which there is neither a batch nor a letter."""
    known = {close["attempt"] for close in (*closes, *dead)}
    found: dict[Series, set[str]] = defaultdict(set)
    for close in closes:
        found[close["station"], close["series"]] |= set(close["supersedes"]) - known
    return found


def _check_chain(
    numbered: Links,
    others: Links,
    passed_over: Set[int],
    place: dict[str, str],
    findings: Findings,
    *,
    forks: bool,
    lost: int = 0,
) -> None:
    missing = [number for number in range(max(numbered) + 1) if number not in numbered and number not in passed_over]
    if len(missing) <= lost:
        passed_over = passed_over | set(missing)
    for number in range(max(numbered) + 1):
        closes = numbered.get(number, [])
        if not closes and number in passed_over:
            continue
        if not closes:
            findings.add("I2", f"no batch has series number {number}: a gap", **place)
            continue
        findings.count("I2", "links of series chains")
        if forks and len({close["raw_sha256"] for close in closes}) > 1:
            findings.add("I2", f"{len(closes)} batches have series number {number}: a fork", **place)
        before = {close_digest(close) for close in numbered.get(number - 1, []) + others.get(number - 1, [])}
        for close in closes:
            named = close["previous"]
            if number == 0 and named is not None:
                findings.add("I2", f"{_called(close)} is the first of its series, yet names a previous one", **place)
            elif number > 0 and before and named not in before:
                findings.add("I2", f"{_called(close)} (series number {number}) names another previous close", **place)


def check_events(
    events: Events,
    first: Found,
    second: Found,
    stations: set[str],
    findings: Findings,
    ours: Ours = EVERYTHING,
) -> None:
    """Each event is true of what lies at its centre, and each batch has its events."""
    commits = [event for event in events.commits if event["station"] in stations and ours.told(event)]
    replicas = [
        event for event in events.replicas if event["commit"]["station"] in stations and ours.told(event["commit"])
    ]
    for event in commits:
        _check_event("I5", event, first, findings, "objects that commit events name")
    for event in replicas:
        _check_event("I7", event["commit"], second, findings, "objects that replica events name")
    for what, found, announced in (
        ("commit", first, {event["batch"] for event in commits}),
        ("replica", second, {event["commit"]["batch"] for event in replicas}),
    ):
        invariant = "I5" if what == "commit" else "I7"
        for batch in found.batches.values():
            if batch.station in stations and ours.announced(found, batch):
                findings.count(invariant, f"batches looked for among {what} events")
                if batch.id not in announced:
                    findings.add(invariant, f"the batch has no {what} event", **found.file_of(batch.path))
    _check_letters(events, first, stations, findings)


def _check_event(invariant: str, event: dict[str, Any], found: Found, findings: Findings, counted: str) -> None:
    place = {"station": event["station"], "file": event["name"] or event["stem"], "centre": found.centre.name}
    for path, size_bytes, sha256 in (
        (event["path"], event["size_bytes"], event["sha256"]),
        (event["manifest_path"], event["manifest_size_bytes"], event["manifest_sha256"]),
    ):
        stored = found.objects.get(path)
        findings.count(invariant, counted)
        if stored is None:
            findings.add(invariant, "an event names this object, and it is not there", **place, path=path)
        elif (stored.size_bytes, stored.sha256) != (size_bytes, sha256):
            findings.add(invariant, "an event names other bytes than lie there", **place, path=path)
    batch = found.batches.get(event["path"])
    if batch is not None and (batch.id, batch.rows) != (event["batch"], event["rows"]):
        findings.add(invariant, "an event names another batch or other rows than the manifest", **place)


def _check_letters(events: Events, first: Found, stations: set[str], findings: Findings) -> None:
    """A dead letter is resolved by a committed batch that has its batch id or attempt, or supersedes its attempt."""
    batches = {batch.id for batch in first.batches.values()}
    attempts = {batch.close["attempt"] for batch in first.batches.values()}
    attempts.update(one for batch in first.batches.values() for one in batch.close["supersedes"])
    for letter in events.letters:
        ours = letter.get("station", "") in stations
        if ours and letter.get("batch") not in batches and letter.get("attempt") not in attempts:
            told = f"a dead letter, {letter.get('reason')}: {letter.get('detail')}"
            findings.add("I1", told, station=letter.get("station", ""), path=str(letter.get("ce_id", "")))


def check_dead(first: Found, second: Found, letters: Sequence[dict[str, Any]], findings: Findings) -> None:
    """A dead batch lies at the first centre as the letter says that stands for it; anything else below `.dead/` nobody knows of."""
    named = {(letter["path"], letter["size_bytes"], letter["sha256"]) for letter in letters}
    paths = {letter["path"] for letter in letters}
    for found in (first, second):
        for path, stored in sorted(found.dead.items()):
            if found is first and (path, stored.size_bytes, stored.sha256) in named:
                findings.count("I1", "dead batches in the archive, each with the bytes that its letter names")
            elif found.centre.shared:
                findings.notes.append(
                    f"{found.centre.name} {path}: no letter names it; the root may hold objects of others"
                )
            else:
                told = "its letter names other bytes" if found is first and path in paths else "no letter names it"
                findings.add("I1", stored.trouble or told, centre=found.centre.name, path=path)


def check_copies(first: Found, second: Found, findings: Findings) -> None:
    """The same objects with the same bytes at both centres."""
    for path in sorted(first.objects.keys() | second.objects.keys()):
        pair = first.objects.get(path), second.objects.get(path)
        for stored, here, there in ((pair[0], first, second), (pair[1], second, first)):
            if stored is None and not there.centre.shared:
                place = there.file_of(path) | {"centre": here.centre.name}
                findings.add("I7", f"it is at {there.centre.name} only", **place)
        if pair[0] and pair[1] and not (pair[0].trouble or pair[1].trouble):
            findings.count("I7", "objects compared between the centres")
            if pair[0].sha256 != pair[1].sha256:
                findings.add("I7", f"its bytes differ from those at {first.centre.name}", **second.file_of(path))


def check_earlier(earlier: Path | None, found: list[Found], findings: Findings) -> None:
    """What an earlier check saw is still there, the same object with the same bytes."""
    if earlier is None or not earlier.exists():
        return
    seen = json.loads(earlier.read_text(encoding="utf-8"))
    for one in found:
        for path, (data_id, size_bytes, sha256) in seen.get(one.centre.role, {}).items():
            stored = one.objects.get(path)
            findings.count("I4", "objects that an earlier run left, each the same as then")
            if stored is None:
                findings.add("I4", "an earlier run saw it here; it is gone", **one.file_of(path))
            elif (stored.data_id, stored.size_bytes, stored.sha256) != (data_id, size_bytes, sha256):
                findings.add("I4", "it is not the object that an earlier run saw here", **one.file_of(path))


def remember(earlier: Path | None, found: list[Found]) -> None:
    """Leave what was seen to the next check."""
    if earlier is not None:
        seen = {
            one.centre.role: {path: [it.data_id, it.size_bytes, it.sha256] for path, it in one.objects.items()}
            for one in found
        }
        fresh = earlier.with_name(earlier.name + ".new")
        fresh.write_text(json.dumps(seen), encoding="utf-8")
        fresh.replace(earlier)


def whole_until(batches: list[Batch], good: set[str]) -> str | None:
    """The latest instant up to which a series has no hole; None where its files have no time, or nothing is whole."""
    latest: str | None = None
    by_number = {batch.close["series_number"]: batch for batch in batches}
    for number in range(len(by_number)):
        batch = by_number.get(number)
        if batch is None or batch.path not in good:
            break
        stop = batch.close["stop"]
        latest = max(latest or "", stop) if stop else latest
    return latest


def _called(close: dict[str, Any]) -> str:
    return str(close["name"] or close["stem"])
