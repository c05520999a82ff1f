"""What a station may publish: the series of its description, with their data level, variables and units.

A list is complete where there is one: of a station's series, and of a series' variables. A description without series allows every
series, a series without variables every variable; a listed variable may be missing from a batch, for instruments fail. Columns
of text are no variables. What no format can read has the series `files`, so a station lists that as well if it wants it archived.
"""

from collections.abc import Iterable, Mapping, Sequence

from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import StationDescription, StationSeries
from b2stream.errors import Poison

_MOST_NAMED = 12


class NotPermitted(Poison):
    """The station's description does not allow this: put right what is wrong, the file or the description (`b2stream station
    publish`), and send the file again (`b2stream gateway retry FILE`)."""


def check_series(close: BatchClosed, stations: Mapping[str, StationDescription], levels: Mapping[str, int]) -> None:
    """Whether a close's series is its station's, on the data level that its input format is of. Raises NotPermitted.

    `levels` are the data levels of input formats, where they are known.
    """
    description = stations.get(close.station)
    if description is None or not description.series:
        return
    listed = description.one_series(close.series)
    if listed is None:
        allowed = _named([f"{each.id} (level {each.data_level})" for each in description.series])
        detail = f"station {close.station} does not list series {close.series:.100}; its description allows {allowed}"
        raise NotPermitted(detail, reason="series_not_listed")
    level = levels.get(close.input_format)
    if level is not None and level != listed.data_level:
        detail = (
            f"{_of(close)} comes as {close.input_format}, which is data level {level}; "
            f"its description allows level {listed.data_level}"
        )
        raise NotPermitted(detail, reason="data_level_differs")


def check_variables(
    close: BatchClosed, variables: Iterable[tuple[str, str]], stations: Mapping[str, StationDescription]
) -> None:
    """Whether a batch's variables, (name, unit), are those that its series may have. Raises NotPermitted, which names all that are not."""
    description = stations.get(close.station)
    listed = None if description is None else description.one_series(close.series)
    if listed is None or not listed.variables:
        return
    units = {each.name: each.unit for each in listed.variables}
    found = list(variables)
    unlisted = [name for name, _ in found if name not in units]
    if unlisted:
        detail = f"{_of(close)} does not list variable {_named(unlisted)}; its description allows {_allowed(listed)}"
        raise NotPermitted(detail, reason="variable_not_listed")
    other = [
        f"{name} in {unit or 'no unit'} instead of {units[name] or 'no unit'}"
        for name, unit in found
        if unit != units[name]
    ]
    if other:
        detail = f"{_of(close)} has other units than its description: {_named(other)}"
        raise NotPermitted(detail, reason="unit_differs")


def _of(close: BatchClosed) -> str:
    return f"station {close.station}, series {close.series:.100}"


def _allowed(series: StationSeries) -> str:
    return _named([f"{each.name} [{each.unit}]" if each.unit else each.name for each in series.variables])


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(name[:100] for name in names[:_MOST_NAMED])
    more = len(names) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
