"""Whether the station's own description allows a file: said before it is sent. The processor decides, by what it knows at that time."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from b2stream.batches.permission import NotPermitted, check_series, check_variables
from b2stream.contracts.records import BatchClosed
from b2stream.contracts.stations import StationDescription
from b2stream.errors import B2streamError
from b2stream.programs.gateway.closing import Prepared

LOOK_AGAIN_S = 3_600.0
BEFORE_SAYING_NO_S = 30.0
"""What would be refused by a description older than this is judged by a new one: a corrected one may have been published."""

log = logging.getLogger(__name__)

Descriptions = Mapping[str, StationDescription]


def refusal(
    close: BatchClosed, prepared: Prepared, stations: Descriptions, levels: Mapping[str, int]
) -> NotPermitted | None:
    """Why the processor would refuse this, None where it would not."""
    reading = prepared.reading.reading
    try:
        check_series(close, stations, levels)
        check_variables(close, ((each.name, each.unit) for each in reading.variables) if reading else (), stations)
    except NotPermitted as refused:
        return refused
    return None


@dataclass(slots=True)
class Permitted:
    """Knows the station's description as long as it is fresh enough. `load` reads it; a failure is no news, and nobody waits for it."""

    load: Callable[[], Descriptions]
    levels: Mapping[str, int]
    monotonic: Callable[[], float] = time.monotonic
    _known: Descriptions = field(default_factory=dict)
    _loaded_at: float = float("-inf")

    def warn(self, close: BatchClosed, prepared: Prepared) -> None:
        """Say it where the description does not allow what is about to be sent."""
        self._refresh(LOOK_AGAIN_S)
        refused = refusal(close, prepared, self._known, self.levels)
        if refused is not None:
            self._refresh(BEFORE_SAYING_NO_S)
            refused = refusal(close, prepared, self._known, self.levels)
        if refused is not None:
            facts = {"file": close.name, "reason": refused.reason, "detail": refused.detail}
            log.warning("the processor will refuse a file: %s", refused, extra={"facts": facts})

    def _refresh(self, older_than_s: float) -> None:
        if self.monotonic() - self._loaded_at < older_than_s:
            return
        try:
            self._known = self.load()
        except B2streamError as error:
            log.info("the station's description is not known: %s", error)
        self._loaded_at = self.monotonic()
