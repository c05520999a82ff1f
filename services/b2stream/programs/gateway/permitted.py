"""Whether the station's own description allows a file: said before it is sent. The processor decides, by what it knows at that time."""

import logging
import threading
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
WAIT_S = 1.0
"""So long a file waits for a description that is being read again."""
START_WAIT_S = 10.0
"""So long a gateway that starts waits for the first one, before there is any file."""

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
    """Knows the station's description as long as it is fresh enough. `load` reads it in a thread of its own; a failure is no news.

    Only `begin`, before the first file, waits for it longer than `wait_s`; what comes later than that is for the files after this one.
    """

    load: Callable[[], Descriptions]
    levels: Mapping[str, int]
    monotonic: Callable[[], float] = time.monotonic
    wait_s: float = WAIT_S
    _known: Descriptions = field(default_factory=dict)
    _loaded_at: float = float("-inf")
    _loading: threading.Thread | None = None

    def begin(self, wait_s: float = START_WAIT_S) -> None:
        """Read it for the first time, and wait so long for it at most."""
        self._refresh(LOOK_AGAIN_S, wait_s)

    def warn(self, close: BatchClosed, prepared: Prepared) -> None:
        """Say it where the description does not allow what is about to be sent."""
        self._refresh(LOOK_AGAIN_S, self.wait_s)
        refused = refusal(close, prepared, self._known, self.levels)
        if refused is not None:
            self._refresh(BEFORE_SAYING_NO_S, self.wait_s)
            refused = refusal(close, prepared, self._known, self.levels)
        if refused is not None:
            facts = {"file": close.name, "reason": refused.reason, "detail": refused.detail}
            log.warning("the processor will refuse a file: %s", refused, extra={"facts": facts})

    def _refresh(self, older_than_s: float, wait_s: float) -> None:
        is_loading = self._loading is not None and self._loading.is_alive()
        if is_loading or self.monotonic() - self._loaded_at < older_than_s:
            return
        self._loading = threading.Thread(target=self._load, name="description", daemon=True)
        self._loading.start()
        self._loading.join(wait_s)

    def _load(self) -> None:
        try:
            self._known = self.load()
        except B2streamError as error:
            log.info("the station's description is not known: %s", error)
        finally:
            self._loaded_at = self.monotonic()
