"""Progress of a download: one line that grows at a terminal, a few plain lines in a log."""

from typing import TextIO

PLAIN_LINES = 4
WIDTH = 30


class JarProgress:
    """Called with (jars brought, jars to bring) while Kafka is downloaded."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last_told = -1

    def __call__(self, brought: int, wanted: int) -> None:
        if self._stream.isatty():
            bar = "█" * (WIDTH * brought // wanted)
            end = "\n" if brought == wanted else ""
            self._stream.write(f"\rApache Kafka: {bar:·<{WIDTH}} {brought} of {wanted} jars{end}")
        elif (step := PLAIN_LINES * brought // wanted) != self._last_told:
            self._last_told = step
            self._stream.write(f"Apache Kafka: {brought} of {wanted} jars\n")
        self._stream.flush()
