"""Two PID records value by value: which types differ, and in what. The rule is that of `HandleRecord.says_the_same`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from b2stream.handles.service import Administrator, HandleRecord, HandleValue

_SECRETS = {"HS_SECKEY"}
_LONGEST = 300  # characters of a value that a finding shows


@dataclass(frozen=True, slots=True)
class Difference:
    """A type of which a record has other values than it must: what it has that it must not, and what it must and has not."""

    type: str
    found: str
    expected: str

    def line(self, expected_by: str) -> str:
        """In one line; `expected_by` says who expects it."""
        return f"{self.type} is {self.found}, {expected_by} {self.expected}"


def differences(found: HandleRecord, expected: HandleRecord) -> Iterator[Difference]:
    """Each type with a value that is missing, altered, surplus, or under another index; none where both say the same."""
    surplus = [each for each in found.values if each not in expected.values]
    lacking = [each for each in expected.values if each not in found.values]
    for kind in dict.fromkeys(each.type for each in (*lacking, *surplus)):
        theirs = [each for each in surplus if each.type == kind]
        ours = [each for each in lacking if each.type == kind]
        with_index = [each.index for each in theirs] != [each.index for each in ours]
        yield Difference(kind, _said(theirs, "missing", with_index), _said(ours, "nothing more", with_index))


def as_text(record: HandleRecord) -> str:
    """A record's values as JSON, without secrets."""
    return json.dumps([[each.index, each.type, _plain(each)] for each in record.values], separators=(",", ":"))


def from_text(handle: str, text: str) -> HandleRecord:
    """The record that `as_text` wrote down."""
    values = (
        HandleValue(index, kind, value if isinstance(value, str) else Administrator(*value))
        for index, kind, value in json.loads(text)
    )
    return HandleRecord(handle, tuple(values))


def _plain(each: HandleValue) -> Any:
    if each.type in _SECRETS:
        return "(secret)"
    value = each.value
    return value if isinstance(value, str) else [value.handle, value.index, value.permissions]


def _said(values: Sequence[HandleValue], nothing: str, with_index: bool) -> str:
    said = (f"{_shown(each)} (index {each.index})" if with_index else _shown(each) for each in values)
    return ", ".join(said) or nothing


def _shown(each: HandleValue) -> str:
    plain = _plain(each)
    text = plain if isinstance(plain, str) else "{1}:{0} {2}".format(*plain)
    return text[:_LONGEST]
