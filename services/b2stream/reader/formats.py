"""The rows of an archived file: read once more with the input format that the gateway used.

Formats are entry points of the group `b2stream.formats`, in this package or in another one. The reader looks them up by the name in the
manifest and goes the gateway's own way through them, so that the same rows come out; it never imports a program at start.
"""

import importlib
from importlib.metadata import entry_points
from typing import Any

from b2stream.contracts.blocks import Block, Label, Variable
from b2stream.errors import ConfigurationError, Fatal

ENTRY_POINT_GROUP = "b2stream.formats"
_HOME = "b2stream.programs.gateway.formats"  # where unpacking and the checks of a reading live, loaded at first use


class FileNotReadable(Fatal):
    """The input format installed here cannot read this file any more: install the version that the manifest names."""

    reason = "file_not_readable"


def read_file(
    input_format: str, name: str, content: bytes, station: str, utc_offset_h: float | None, about: str
) -> Block:
    """The rows of a file as one block. Raises ConfigurationError (format not installed), FileNotReadable."""
    registry = importlib.import_module(f"{_HOME}.registry")
    base = importlib.import_module(f"{_HOME}.base")
    chosen = _format(input_format, about)
    read: Any = registry.read_file(name, content, base.Station(station, utc_offset_h), [chosen])
    if read.reading is None:
        raise FileNotReadable(f"{about}: {read.detail}")
    reading = read.reading
    return Block(
        station,
        reading.series,
        reading.start_us,
        reading.offsets_s,
        tuple(Variable(each.name, each.unit, each.values) for each in reading.variables),
        tuple(Label(each.name, each.values, each.judges, each.bad) for each in reading.labels),
        None,
    )


def _format(input_format: str, about: str) -> Any:
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        if entry_point.name == input_format:
            return entry_point.load()()
    raise ConfigurationError(f"{about} was read with the input format {input_format}, which is not installed here")
