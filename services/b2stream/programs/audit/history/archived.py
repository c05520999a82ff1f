"""What the documents of daily provenance tell of one batch, joined with what the log still tells: the log may have been lost since.

The same thing stands in several documents: a commit in those of all days on which something happened to its batch, an event in the
log as well. Each is told once. Of two commits, or two replications to a centre, the earlier one counts: the later was told again by
`b2stream reannounce`, or by the replicator, which found the copy there.
"""

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

from b2stream.archive.store import ObjectStore
from b2stream.batches.history import joined
from b2stream.batches.identity import id24, sha256_hex
from b2stream.errors import B2streamError, Stuck
from b2stream.programs.audit.gathering.walking import Progress, read_document
from b2stream.programs.audit.history.daily import FOLDER
from b2stream.programs.audit.unanswered import UNANSWERED

_log = logging.getLogger(__name__)

_NAME = re.compile(r"_(\d{8})~([\w-]{12})\.prov\.json")  # as `daily.archive` makes it
_THINGS = ("entity", "activity", "agent")
_AT_ONCE = 4
Document = Mapping[str, Any]


def archived_parts(
    stores: Sequence[ObjectStore], station: str, batch: str, since: date, progress: Progress = lambda *_: None
) -> list[dict[str, Any]]:
    """What each day's document of a station, from that day (UTC) on, says of a batch, in order of days.

    A document is read once, at the first centre that can; what cannot be read, or is not what its name says, is left out with a
    warning. Raises what the first centre answered where none does.
    """
    places = _listed(stores, station, since)
    paths = sorted(places, key=lambda path: path.rpartition("/")[2])
    with ThreadPoolExecutor(_AT_ONCE, "days") as threads:
        found = []
        for part in threads.map(lambda path: _part(places[path], path, batch), paths):
            progress(1, len(paths))
            found.append(part)
    return [part for part in found if part]


def _listed(stores: Sequence[ObjectStore], station: str, since: date) -> dict[str, list[ObjectStore]]:
    """The centres that have it, by path."""
    found: dict[str, list[ObjectStore]] = {}
    failures: list[B2streamError] = []
    for store in stores:
        try:
            for state in store.list(f"{FOLDER}/{station}"):
                name = _NAME.search(state.path)
                if name is not None and name[1] >= f"{since:%Y%m%d}":
                    found.setdefault(state.path, []).append(store)
        except UNANSWERED as error:
            failures.append(error)
            _log.warning("%s: its daily provenance is left out: %s", store.centre, error)
    if len(failures) == len(stores):
        raise failures[0]
    return found


def _part(stores: Sequence[ObjectStore], path: str, batch: str) -> dict[str, Any]:
    """Empty where the document says nothing of the batch, or nobody has it as it was archived."""
    named = _NAME.search(path)
    for store in stores:
        try:
            content = read_document(store, path)
            if named is None or id24(sha256_hex(content))[:12] != named[2]:
                raise Stuck("it is not what its name says")
            return part_of(json.loads(content), batch) if batch.encode() in content else {}
        except (*UNANSWERED, Stuck) as error:
            _log.warning("%s/%s is left out: %s", store.centre, path, error.detail)
        except (
            ValueError,
            TypeError,
            AttributeError,
            KeyError,
        ) as error:  # no document of ours, under a name that fits
            _log.warning("%s/%s is left out: it is no provenance: %r", store.centre, path, error)
    return {}


def part_of(document: Document, batch: str) -> dict[str, Any]:
    """What a document says of one batch: things of its own, relations among them, and who acted; empty where it says nothing."""
    own = f"batch:{batch}/"
    part: dict[str, Any] = {"prefix": dict(document["prefix"])}
    named: set[str] = set()
    for kind, members in document.items():
        if kind == "prefix" or kind in _THINGS:
            continue
        part[kind] = {
            name: roles for name, roles in members.items() if any(it.startswith(own) for it in roles.values())
        }
        named.update(it for roles in part[kind].values() for it in roles.values())
    for kind in _THINGS:
        members = document.get(kind, {})
        part[kind] = {name: dict(about) for name, about in members.items() if name.startswith(own) or name in named}
    return part if part["activity"] else {}


def told_once(parts: Sequence[Document]) -> dict[str, Any]:
    """One document of several parts about one batch; of what differs the last part's wording counts, of activities the earliest."""
    by_content = [_named_by_content(part) for part in parts]
    earliest: dict[str, tuple[str, int]] = {}
    for number, part in enumerate(by_content):
        for name, about in part["activity"].items():
            this = (_at(about), number)
            earliest[name] = min(earliest.get(name, this), this)
    kept = [
        _without(part, {name for name in part["activity"] if earliest[name][1] != number})
        for number, part in enumerate(by_content)
    ]
    whole = joined(*kept)
    acting = set()
    for kind in whole.keys() - {"prefix", *_THINGS}:
        once = {tuple(sorted(roles.items())): name for name, roles in reversed(whole[kind].items())}
        whole[kind] = {name: roles for name, roles in whole[kind].items() if name in once.values()}
        acting |= {it for roles in whole[kind].values() for it in roles.values()}
    whole["agent"] = {name: about for name, about in whole["agent"].items() if name in acting}
    return whole


def _at(about: Mapping[str, Any]) -> str:
    return str(about.get("prov:endTime", ""))


def _named_by_content(part: Document) -> dict[str, Any]:
    """Events have numbers within one document; here each gets a name that it has in every one."""
    names = {}
    for name, about in part["activity"].items():
        owner, is_event, _ = name.partition("/event/")
        if is_event:
            said = json.dumps([_at(about), about.get("prov:label"), about.get("b2stream:path")])
            names[name] = f"{owner}/event/{hashlib.sha256(said.encode()).hexdigest()[:12]}"

    def renamed(kind: str, members: Mapping[str, Any]) -> dict[str, Any]:
        if kind == "activity":
            return {names.get(name, name): about for name, about in members.items()}
        if kind in ("prefix", *_THINGS):
            return dict(members)
        return {name: {role: names.get(it, it) for role, it in roles.items()} for name, roles in members.items()}

    return {kind: renamed(kind, members) for kind, members in part.items()}


def _without(part: Document, lost: set[str]) -> dict[str, Any]:
    """Without some activities, and without who did them: another part tells that."""
    kept = dict(part)
    kept["activity"] = {name: about for name, about in part["activity"].items() if name not in lost}
    kept["wasAssociatedWith"] = {
        name: roles
        for name, roles in part.get("wasAssociatedWith", {}).items()
        if roles.get("prov:activity") not in lost
    }
    return kept


def day_of(at_us: int) -> date:
    """The day (UTC) of an instant, microseconds since 1970."""
    return date.fromordinal(date(1970, 1, 1).toordinal() + at_us // 86_400_000_000)
