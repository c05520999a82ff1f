"""Servers that all fault tests share, and the choice between all of them (`make faults`) and the smoke part.

`B2STREAM_FAULTS_SEED=7 make faults` draws another load and other moments.
"""

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from b2stream.sandbox.deployment import Deployment
from tests import alone
from tests.faults import scale
from tests.faults.chain import NO_HANDLE
from tests.faults.moments import ALL_FAULTS
from tests.faults.outcomes import ACT

SEED_VARIABLE = "B2STREAM_FAULTS_SEED"
PASSED = pytest.StashKey[bool]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Chains of two runs on one machine would miss their deadlines: they take turns. Who only lists the tests needs none."""
    if session.config.option.collectonly:
        return
    folder = Path(__file__).parent
    if any(folder in item.path.parents and "evidence" in getattr(item, "fixturenames", ()) for item in session.items):
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        alone.take_turn(reporter.write_line if reporter else print)


def pytest_report_header() -> str:
    """Say how long outages are here."""
    return scale.told()


@pytest.fixture(scope="session")
def servers(kafka_bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Kafka, Redis and two embedded zones for chains that leave them alone; `chain.beside` gives each its own community and roots."""
    with Deployment(tmp_path_factory.mktemp("servers"), replace(NO_HANDLE, kafka=kafka_bootstrap)) as deployment:
        yield deployment


@pytest.fixture
def all_faults() -> None:
    """Skips the test unless all faults are asked for."""
    if not ALL_FAULTS:
        pytest.skip("`make faults` runs it")


@pytest.fixture(scope="session")
def seed() -> int:
    """Where load and moments are drawn from."""
    return int(os.environ.get(SEED_VARIABLE, "1"))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Print at once, whatever pytest captures."""

    def say(text: str) -> None:
        with capsys.disabled():
            print(f"\n{request.node.name}\n{text}", flush=True)

    return say


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[Callable[..., object]], None]:
    """Let the test's report name an act that was done and judged: an act that no report names was not run."""

    def note(act: Callable[..., object]) -> None:
        name = getattr(act, "func", act).__name__  # `func`: of a partial
        request.node.user_properties.append((ACT, name))  # `record_property` warns, though the report has them

    return note


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let `evidence` know how its test ended."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed or report.skipped
    return report


@pytest.fixture
def evidence(request: pytest.FixtureRequest, say: Callable[[str], None]) -> Iterator[Path]:
    """Where logs, journals, plans and reports of a test lie: kept where the test fails, and then its path is printed."""
    folder = Path(tempfile.mkdtemp(prefix="b2stream-faults-"))
    yield folder
    if request.node.stash.get(PASSED, False):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        say(f"the evidence is kept in {folder}")


@pytest.fixture
def name() -> str:
    """What communities of this test begin with; no other test has it."""
    return f"faults-{secrets.token_hex(3)}"
