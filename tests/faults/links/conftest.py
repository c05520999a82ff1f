"""One linked chain for all cases, watched by the oracle and judged by it after the last one; after a case that failed the next one gets
a new one."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.links.linked import LinkedChain
from tests.faults.watched import WatchedChain


class _WatchedLinks(WatchedChain, LinkedChain):
    """Its links may break; whoever watches has a way of his own to Kafka."""


class Keeper:
    """Starts a chain where there is none, and keeps the evidence of one that failed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._chain: _WatchedLinks | None = None

    def chain(self) -> LinkedChain:
        if self._chain is None:
            chain = _WatchedLinks(Path(tempfile.mkdtemp(prefix="b2stream-links-")), self._seed)
            try:
                chain.start()
            except BaseException:
                chain.__exit__()
                raise
            self._chain = chain
        return self._chain

    def discard(self, *, evidence: bool) -> None:
        """End the chain. Where no evidence is needed the oracle judges first: AssertionError says what it found, and all is kept."""
        chain, self._chain = self._chain, None
        if chain is None:
            return
        if evidence or not chain.given:
            chain.__exit__()
        else:
            chain.__exit__(None, None, None)
        if not evidence:
            shutil.rmtree(chain.directory, ignore_errors=True)


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
