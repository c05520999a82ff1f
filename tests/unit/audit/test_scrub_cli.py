"""`b2stream scrub`: every centre that answers is read, and the exit code says whether one did not, or an object is wrong."""

import json
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from b2stream.archive.memory import MemoryStore
from b2stream.archive.store import ReplicaStatus
from b2stream.errors import ConfigurationError, Retryable
from b2stream.programs.audit.scrub import cli as scrub_cli
from tests.unit.audit.quiet_kafka import Kafka, NothingTold

PATHS = [f"SE-Htm/EC/2026/05/{name}.csv" for name in "abc"]


@pytest.fixture
def centres(monkeypatch: pytest.MonkeyPatch) -> tuple[MemoryStore, MemoryStore]:
    """Two centres with the same objects."""
    stores = MemoryStore("csc"), MemoryStore("fzj")
    for store in stores:
        for path in PATHS:
            store.put(path, b"measured")
    monkeypatch.setattr(scrub_cli, "open_centres", lambda settings, only: list(stores))
    monkeypatch.setattr(scrub_cli, "Producer", Kafka)
    monkeypatch.setattr(scrub_cli, "Log", NothingTold)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    return stores


def scrub(*words: str) -> Result:
    return CliRunner().invoke(scrub_cli.scrub, [*words, "--rate-mb-s", "1000"])


def test_every_object_of_both_centres_is_read_and_a_limit_counts_for_each(
    centres: tuple[MemoryStore, MemoryStore],
) -> None:
    done = scrub()
    assert (done.exit_code, done.stdout) == (0, "6 objects were read again, 0 are not what was committed\n")
    assert json.loads(scrub("--limit", "1", "--json").stdout) == {"checked": 2, "troubles": []}


def test_what_is_wrong_at_one_centre_is_a_finding_there(centres: tuple[MemoryStore, MemoryStore]) -> None:
    centres[1].put(PATHS[1], b"measured", status=ReplicaStatus.STALE)
    done = scrub("--json")
    assert done.exit_code == 1
    trouble = {"centre": "fzj", "path": PATHS[1], "trouble": "its replica is stale"}
    assert json.loads(done.stdout) == {"checked": 6, "troubles": [trouble]}


def test_a_centre_that_cannot_be_listed_is_exit_3_and_the_other_is_read_all_the_same(
    centres: tuple[MemoryStore, MemoryStore],
) -> None:
    centres[0].fail("list", Retryable("csc is down"))
    done = scrub()
    assert done.exit_code == 3
    assert "csc is down" in done.stderr
    assert done.stdout.startswith("3 objects were read again")


def test_policies_that_cannot_be_obeyed_stop_it_before_it_reads_anything(
    centres: tuple[MemoryStore, MemoryStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "policies.toml"
    file.write_text('id = "x"\n[[rules]]\nseries = "*"\ncentres = ["elsewhere"]\n', encoding="utf-8")
    monkeypatch.setenv("B2STREAM_GENERAL_POLICIES_FILE", str(file))
    centres[0].before_call = centres[1].before_call = lambda call, about: pytest.fail("read before it was checked")
    done = scrub()
    assert isinstance(done.exception, ConfigurationError)
    assert "names elsewhere and lacks first" in str(done.exception)
