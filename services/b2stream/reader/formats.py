"""The rows of an archived file: read once more with the input format that the gateway used, the gateway's own way through it."""

from b2stream.contracts.blocks import Block, Label, Variable
from b2stream.errors import ConfigurationError, Fatal
from b2stream.formats import registry
from b2stream.formats.base import Station


class FileNotReadable(Fatal):
    """The input format installed here cannot read this file any more: install the version that the manifest names."""

    reason = "file_not_readable"


def read_file(
    input_format: str, name: str, content: bytes, station: str, utc_offset_h: float | None, about: str
) -> Block:
    """The rows of a file as one block. Raises ConfigurationError (format not installed), FileNotReadable."""
    chosen = registry.format_named(input_format)
    if chosen is None:
        raise ConfigurationError(f"{about} was read with the input format {input_format}, which is not installed here")
    read = registry.read_file(name, content, Station(station, utc_offset_h), [chosen])
    if read.reading is None:
        raise FileNotReadable(f"{about}: {read.detail}")
    reading = read.reading
    assert reading.start_us is not None  # the registry passes no reading without rows
    return Block(
        station,
        reading.series,
        reading.start_us,
        reading.offsets_s,
        tuple(Variable(each.name, each.unit, each.values) for each in reading.variables),
        tuple(Label(each.name, each.values, each.judges, each.bad) for each in reading.labels),
        None,
    )
