"""What a batch is to its community, by input format: theme, data level, object specification. Data, so that no code knows ICOS."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from b2stream.errors import ConfigurationError

OWN_FILE = Path(__file__).with_name("kinds.toml")


@dataclass(frozen=True, slots=True)
class Kind:
    """None or empty where nobody knows."""

    theme: str = ""
    data_level: int | None = None
    object_specification: str = ""


def read_kinds(file: str = "") -> Mapping[str, Kind]:
    """Kinds by name of the input format; `file` empty: those of b2stream's own formats. Raises ConfigurationError."""
    path = Path(file).expanduser() if file else OWN_FILE
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: _kind(table) for name, table in tables.items()}
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"registrar.kinds_file {path}: {error}") from error


def data_levels(file: str = "") -> Mapping[str, int]:
    """Data levels by name of the input format, where they are known; as `read_kinds`."""
    return {name: kind.data_level for name, kind in read_kinds(file).items() if kind.data_level is not None}


def _kind(table: dict[str, Any]) -> Kind:
    """Raises TypeError."""
    kind = Kind(**table)
    for name, wanted in (("theme", str), ("data_level", int), ("object_specification", str)):
        if name in table and type(table[name]) is not wanted:
            raise TypeError(f"{name} = {table[name]!r}")
    return kind
