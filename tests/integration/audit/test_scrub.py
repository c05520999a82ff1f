"""`b2stream scrub` on an archive of real programs: a flipped bit is found, told, and looked at last the next time."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner

from b2stream.batches.signing import public_key_of
from b2stream.contracts.canonical import iso_utc
from b2stream.errors import ConfigurationError
from b2stream.programs.audit.evidence.checking import troubles
from b2stream.programs.audit.evidence.cli import evidence
from b2stream.programs.audit.scrub.cli import run
from b2stream.stations.keys import make_key
from tests.integration.audit.archive import RestingArchive
from tests.integration.audit.conftest import TODAY

RATE_MB_S = 1_000.0


def test_scrub_finds_bit_rot_and_goes_on_where_it_stopped(archive: RestingArchive) -> None:
    path = archive.data_objects()[2]
    archive.rot("second", path, b"x" + archive.read("second", path)[1:])
    began_us = int(time.time() * 1e6)
    first = list(run(archive.settings, RATE_MB_S, centre="fzj", limit=10))
    rest = list(run(archive.settings, RATE_MB_S, centre="fzj"))
    assert len(first) == 10
    assert not {each.path for each in first} & {each.path for each in rest[:-10]}, "the oldest check first"
    found = [each for each in [*first, *rest] if each.trouble]
    assert {each.path for each in found} == {path}
    told = [event for event in archive.object_events() if event.at_us >= began_us]
    assert len(told) == len(first) + len(rest)
    assert {(event.path, event.centre) for event in told if event.outcome == "fail"} == {(path, "fzj")}
    *_, failed = [event for event in told if event.outcome == "fail"]
    assert archive.attributes("second", path)["AUDITED/fixity"] == f"fail {iso_utc(failed.at_us)}"
    assert [finding.path for finding in archive.audit(recompute=False).findings] == [path], (
        "audit knows what scrub found"
    )
    archive.restore("second", TODAY)
    assert not [each for each in run(archive.settings, RATE_MB_S, centre="fzj") if each.trouble]
    assert archive.audit(recompute=False).findings == []


def test_a_year_s_evidence_of_an_archive_that_is_whole(archive: RestingArchive, tmp_path: Path) -> None:
    config, folder = str(archive.deployment.settings_file), tmp_path / "evidence"
    year = str(datetime.now(UTC).year)
    public = public_key_of(make_key(tmp_path / "key"))
    words = ["--year", year, "--to", str(folder), "--key", str(tmp_path / "key"), "--config", config, "--grace-s", "0"]
    done = CliRunner().invoke(evidence, words)
    assert done.exit_code == 0, done.output
    assert not troubles(folder, public)
    counts = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    assert sum(each["batches"] for each in counts["stations"].values()) == len(archive.data_objects())
    assert isinstance(CliRunner().invoke(evidence, words).exception, ConfigurationError), (
        "evidence is never written over"
    )
