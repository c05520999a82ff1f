"""Programs whose wall clock is wrong, or jumps: an injected clock, since libfaketime is not to be had everywhere."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

_FOLDER = Path(__file__).with_name("clock")
HOUR_S = 3_600.0
YEAR_2100_S = 4_102_444_800.0


class Clock:
    """The wall clock of one program: `environment` starts it with this clock, `set` lets it jump."""

    def __init__(self, file: Path, shift_s: float = 0.0) -> None:
        self._file = file
        self.set(shift_s)

    @property
    def environment(self) -> dict[str, str]:
        """For `Chain.launch`."""
        return {"PYTHONPATH": str(_FOLDER), "B2STREAM_CLOCK_FILE": str(self._file)}

    def set(self, shift_s: float) -> None:
        """So many seconds beside the computer's clock from now on."""
        new = self._file.with_suffix(".new")
        new.write_text(repr(shift_s))
        os.replace(new, self._file)

    def seen(self) -> dict[float, datetime]:
        """By shift, the time that the program itself read when it first met that shift."""
        file = self._file.with_suffix(".seen")
        lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
        return {float(shift): datetime.fromtimestamp(float(read), UTC) for shift, read in lines}


def set_all(clocks: Mapping[str, Clock], shift_s: float | Mapping[str, float]) -> None:
    """Let all of them jump, by label: to one shift, or each to its own."""
    for label, clock in clocks.items():
        clock.set(shift_s if isinstance(shift_s, float) else shift_s[label])
