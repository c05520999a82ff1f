"""Rows as a pandas frame. pandas is optional: everything else of the reader works without."""

from typing import TYPE_CHECKING

from b2stream.errors import ConfigurationError
from b2stream.reader.batch import Batch
from b2stream.reader.rows import Rows, rows

if TYPE_CHECKING:
    import pandas


def frame(batch: Batch | Rows) -> "pandas.DataFrame":
    """The rows of a batch as a frame: index `time` in UTC, a column per variable (float64) and per label (text).

    `attrs` has station, series, `units` by variable, `flags` (which variables a flag column judges, and which of its values
    mean bad), the format's notes, for an opaque batch `opaque_reason`; of a Batch also batch id, SHA-256, file name and URL.
    Nothing is masked: flagged readings are there, with their flags. Raises as `rows` does; ConfigurationError without pandas.
    """
    try:
        import pandas
    except ModuleNotFoundError as error:
        raise ConfigurationError("a frame needs pandas: pip install 'b2stream[pandas]'") from error
    found = rows(batch) if isinstance(batch, Batch) else batch
    index = pandas.DatetimeIndex(found.instants, name="time").tz_localize("UTC")
    table = pandas.DataFrame({**found.variables, **found.labels}, index=index)
    table.attrs.update(
        station=found.station,
        series=found.series,
        units=dict(found.units),
        flags={name: {"judges": list(flag.judges), "bad": list(flag.bad)} for name, flag in found.flags.items()},
        notes=dict(found.notes),
    )
    if found.opaque_reason is not None:
        table.attrs["opaque_reason"] = found.opaque_reason
    if isinstance(batch, Batch):
        event = batch.event
        table.attrs.update(batch=event.batch, sha256=event.sha256, name=batch.name, url=event.url)
    return table
