"""A loop that runs in a thread for as long as a test looks at it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tests.waiting import PATIENCE_S


class Runs(Protocol):
    """Replicator, or the loop of a registrar."""

    def run(self) -> None: ...

    def stop(self) -> None: ...


@contextmanager
def running(program: Runs) -> Iterator[None]:
    """Run it in a thread; what it raises is raised here."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            program.run()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        program.stop()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    if raised:
        raise raised[0]
