"""Progress of a download: one line that grows at a terminal, a few plain lines in a log."""

from typing import TextIO

PLAIN_LINES = 4
WIDTH = 30


class JarProgress:
    """Called with (whose jars, jars brought, jars to bring) while a server is downloaded."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last_told = ("", -1)

    def __call__(self, title: str, brought: int, wanted: int) -> None:
        if self._stream.isatty():
            bar = "█" * (WIDTH * brought // wanted)
            end = "\n" if brought == wanted else ""
            self._stream.write(f"\r{title}: {bar:·<{WIDTH}} {brought} of {wanted} jars{end}")
        elif (step := (title, PLAIN_LINES * brought // wanted)) != self._last_told:
            self._last_told = step
            self._stream.write(f"{title}: {brought} of {wanted} jars\n")
        self._stream.flush()
