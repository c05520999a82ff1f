"""Two embedded zones for all tests of the check, a root of its own in each for every test."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from b2stream.sandbox.demo.check import __main__ as program
from b2stream.sandbox.zone.process import EmbeddedZone
from tests.unit.demo.archives import Archive, CentreByHand, table


@dataclass(frozen=True)
class Said:
    """What the check answered."""

    exit_code: int
    text: str
    errors: str

    def findings(self) -> list[str]:
        _, _, listed = self.text.partition("findings:\n")
        return [line.strip() for line in listed.splitlines()]


Check = Callable[[Path], Said]


@pytest.fixture(scope="session")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedZone, EmbeddedZone]]:
    first = EmbeddedZone(tmp_path_factory.mktemp("csc"), "cscZone", password="first-secret")
    second = EmbeddedZone(tmp_path_factory.mktemp("fzj"), "fzjZone", password="second-secret")
    with first, second:
        yield first, second


@pytest.fixture
def archive(zones: tuple[EmbeddedZone, EmbeddedZone], tmp_path: Path) -> Iterator[Archive]:
    """A whole and correct archive: two series of one station, an opaque file of another."""
    made = Archive(
        tmp_path,
        CentreByHand("first", "csc", zones[0], tmp_path),
        CentreByHand("second", "fzj", zones[1], tmp_path),
    )
    made.add("SE-Htm", "one.csv", table(5), rows=5, series="EC")
    made.add("SE-Htm", "two.csv", table(6), rows=6, series="EC")
    made.add("SE-Htm", "three.csv", table(7), rows=7, series="EC")
    made.add("26NA", "an odd ~ 50% name.bin", bytes(range(256)) * 9)
    yield made
    made.first.session.cleanup()
    made.second.session.cleanup()


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Run the check on a plan."""

    def run(plan: Path, *options: str) -> Said:
        monkeypatch.setattr("sys.argv", ["check", str(plan), *options])
        capsys.readouterr()
        exit_code = program.main()
        said = capsys.readouterr()
        return Said(exit_code, said.out, said.err)

    return run
