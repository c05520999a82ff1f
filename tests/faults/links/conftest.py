"""One linked chain for all cases; after a case that failed the next one gets a new one."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.links.linked import LinkedChain


class Keeper:
    """Starts a chain where there is none, and keeps the evidence of one that failed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._chain: LinkedChain | None = None

    def chain(self) -> LinkedChain:
        if self._chain is None:
            chain = LinkedChain(Path(tempfile.mkdtemp(prefix="b2stream-links-")), self._seed)
            try:
                chain.start()
            except BaseException:
                chain.__exit__()
                raise
            self._chain = chain
        return self._chain

    def discard(self, *, evidence: bool) -> None:
        if self._chain is not None:
            self._chain.__exit__()
            if not evidence:
                shutil.rmtree(self._chain.directory, ignore_errors=True)
        self._chain = None


@pytest.fixture(scope="session")
def keeper(quick_java: None, seed: int) -> Iterator[Keeper]:
    keeper = Keeper(seed)
    yield keeper
    keeper.discard(evidence=False)


@pytest.fixture
def chain(keeper: Keeper, say: Callable[[str], None]) -> Iterator[LinkedChain]:
    """A chain at rest. The case must end with `settle`."""
    chain = keeper.chain()
    chain.settled = False
    yield chain
    if not chain.settled:
        say(f"the evidence is kept in {chain.directory}")
        keeper.discard(evidence=True)
