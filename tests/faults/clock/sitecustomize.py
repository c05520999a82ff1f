"""Another wall clock for a program: the computer's, and so many seconds more as stand in the file that `B2STREAM_CLOCK_FILE` names.

Python imports this at its start where the folder is on PYTHONPATH. The file is looked at for each reading, so a clock can jump
while its program runs. Monotonic clocks stay as they are, as they do when somebody sets a computer's clock.
Each shift that the program meets is written beside that file, with the time that it then read: `<shift> <time>`, both in seconds.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path


def _shift(file: Path, of_s: Callable[[], float], of_ns: Callable[[], int]) -> None:
    met_s: set[float] = set()

    def shift_s() -> float:
        shift = float(file.read_text())
        if shift not in met_s:
            met_s.add(shift)
            with file.with_suffix(".seen").open("a") as seen:
                seen.write(f"{shift!r} {of_s() + shift!r}\n")
        return shift

    time.time = lambda: of_s() + shift_s()
    time.time_ns = lambda: of_ns() + round(shift_s() * 1e9)


if "B2STREAM_CLOCK_FILE" in os.environ:
    _shift(Path(os.environ["B2STREAM_CLOCK_FILE"]), time.time, time.time_ns)
