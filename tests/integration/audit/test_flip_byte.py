"""What the demo prints at its end: one command flips a byte in a vault, the next one finds it and names the place, the last mends it."""

import os
import subprocess
from pathlib import Path

import pytest

from b2stream.sandbox.demo import farewell
from b2stream.sandbox.demo.example import Example
from b2stream.sandbox.demo.feeding import FedStation
from b2stream.settings import FILE_VARIABLE
from tests.integration.audit.archive import RestingArchive


def test_the_printed_commands_flip_a_byte_find_it_and_mend_it(
    archive: RestingArchive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # for plan.json
    path, deployment = archive.data_objects()[4], archive.deployment
    stations = [FedStation("SE-Sim", tmp_path, None)]
    printed = farewell.lines(deployment, stations, Example(path, "", 1), kept=True)
    at = next(number for number, line in enumerate(printed) if " sandbox flip-byte " in line)
    flip, verify, mend = printed[at : at + 3]
    environment = {**os.environ, FILE_VARIABLE: str(deployment.settings_file), "PYTHONUTF8": "1"}

    def typed(line: str) -> tuple[int, str]:
        done = subprocess.run(line, shell=True, capture_output=True, text=True, env=environment, timeout=300)
        return done.returncode, done.stdout + done.stderr

    whole = archive.read("second", path)
    archive.touched.add("second")
    code, said = typed(flip)
    assert (code, f" of {path} at fzj" in said) == (0, True), said
    differing = [here ^ there for here, there in zip(whole, archive.read("second", path), strict=True) if here != there]
    assert differing == [1]
    code, said = typed(verify)
    wrong = [line for line in said.splitlines() if line.startswith("✗")]
    assert (code, len(wrong)) == (1, 1), said
    assert wrong[0].startswith("✗ fzj: its SHA-256, computed here, as in the manifest")
    code, said = typed(mend)
    assert code == 0, said
    assert archive.read("second", path) == whole
    code, said = typed(verify)
    assert "✗ fzj: its SHA-256" not in said
