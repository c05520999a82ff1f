"""The schemas of `/schemas`: current ones by name, released ones by fingerprint.

A released text is frozen with its doc strings under `schemas/released/<fingerprint>.avsc`, because a fingerprint ignores
doc strings and the text goes into the header of every Avro container (container format 1).
"""

import copy
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from b2stream.errors import Poison

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


class LaterRelease(Poison):
    """No release up to this one wrote this value: if the program that wrote it is newer than this one, upgrade this one."""

    reason = "unknown_schema"


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """One schema: its frozen text, fingerprint (16 hexadecimal digits), and what fastavro reads with.

    `parsed` has no logical types, so that instants are whole microseconds on both sides.
    """

    name: str
    text: str
    fingerprint: str
    parsed: Any


def parse(text: str) -> Schema:
    """A schema from its text."""
    declared = json.loads(text)
    code = fingerprint(to_parsing_canonical_form(declared), "CRC-64-AVRO")
    parsed = fastavro.parse_schema(_without_logical_types(copy.deepcopy(declared)))
    return Schema(declared["name"], text, code, parsed)


@cache
def current(name: str) -> Schema:
    """The schema that this release writes, e.g. `MeasurementBlock`."""
    schema = parse((_folder() / f"{name}.avsc").read_text(encoding="utf-8"))
    released = _folder() / "released" / f"{schema.fingerprint}.avsc"
    return parse(released.read_text(encoding="utf-8")) if released.is_file() else schema


@cache
def released(code: str) -> Schema:
    """A schema by fingerprint. Raises LaterRelease where no release up to this one wrote it, Poison where it is none."""
    if not is_fingerprint(code):  # it names a file, and comes out of a message
        raise Poison(f"fingerprint {code}", reason="unknown_schema")
    text = _folder() / "released" / f"{code}.avsc"
    if not text.is_file():
        raise LaterRelease(f"fingerprint {code}")
    return parse(text.read_text(encoding="utf-8"))


def is_fingerprint(text: str) -> bool:
    """Whether a text can be a fingerprint: 16 hexadecimal digits."""
    return _FINGERPRINT.fullmatch(text) is not None


def names() -> list[str]:
    """Names of all current schemas."""
    return sorted(entry.name.removesuffix(".avsc") for entry in _folder().iterdir() if entry.name.endswith(".avsc"))


def released_fingerprints() -> list[str]:
    """Fingerprints of all frozen schemas."""
    entries = (_folder() / "released").iterdir()
    return sorted(entry.name.removesuffix(".avsc") for entry in entries if entry.name.endswith(".avsc"))


@cache
def _folder() -> Traversable:
    packaged = files("b2stream") / "_schemas"
    return packaged if packaged.is_dir() else Path(__file__).resolve().parents[3] / "schemas"


def _without_logical_types(node: Any) -> Any:
    if isinstance(node, dict):
        node.pop("logicalType", None)
        for value in node.values():
            _without_logical_types(value)
    elif isinstance(node, list):
        for value in node:
            _without_logical_types(value)
    return node
