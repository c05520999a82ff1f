"""`b2stream sandbox flip-byte`: one bit of one data object in a vault of the sandbox's own, and nothing anywhere else."""

import hashlib
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from b2stream.batches.identity import id24
from b2stream.cli import EXIT_CONFIGURATION, main
from b2stream.sandbox.cli import sandbox
from b2stream.sandbox.records import Part, write_parts

PATH, TWIN, OTHER, EMPTY = "SE-Sim/EC/2024/03/a~1.csv", "SE-Sim/EC/2024/04/a~1.csv", "SE-Sim/EC/b~2.csv", "SE-Sim/EC/e"
CONTENTS = {PATH: b"\xff\xff\xff\xff", TWIN: b"\xff\xff\xff\xff", OTHER: b"12345", EMPTY: b""}


def pid_of(path: str) -> str:
    return f"21.T99999/{id24(hashlib.sha256(CONTENTS[path]).hexdigest())}"


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    """The vault of a sandbox's second centre, with four data objects and their manifests; the first centre is somebody else's."""
    ours, theirs = "irods://rods@127.0.0.1:1/fzjZone/home/rods/icos", "irods://me@127.0.0.1:2/myZone/home/me/icos"
    (tmp_path / "b2stream.toml").write_text(f'[first]\nurl = "{theirs}"\n[second]\nurl = "{ours}"\n')
    started_anew = Part("second", "server", address="", pid=1)
    write_parts(tmp_path, [Part("first", "server", theirs), started_anew])
    vault = tmp_path / "second" / "vault" / "home" / "rods" / "icos"
    for path, content in CONTENTS.items():
        (vault / path).parent.mkdir(parents=True, exist_ok=True)
        (vault / path).write_bytes(content)
        manifest = {"data_object": {"id24": pid_of(path).partition("/")[2]}}
        (vault / f"{path}.manifest.json").write_text(json.dumps(manifest))
    (vault / ".staging").mkdir()
    (vault / ".staging" / "half").write_bytes(b"half")
    return vault


def flip(vault: Path, *words: str) -> Result:
    return CliRunner().invoke(sandbox, ["flip-byte", *words, "--directory", str(vault.parents[4])])


def changed(vault: Path) -> dict[str, bytes]:
    found = {path: (vault / path).read_bytes() for path in CONTENTS}
    return {path: content for path, content in found.items() if content != CONTENTS[path]}


@pytest.mark.parametrize("name", [PATH, f"/{PATH}"])
def test_one_bit_of_the_named_data_object_is_flipped_whatever_it_was_and_flipped_back(vault: Path, name: str) -> None:
    done = flip(vault, name)
    assert (done.exit_code, done.output.strip()) == (
        0,
        f"flipped the last bit of byte 2 of {PATH} at fzj: {vault / PATH}",
    )
    assert changed(vault) == {PATH: b"\xff\xff\xfe\xff"}
    assert flip(vault, name).exit_code == 0
    assert changed(vault) == {}


def test_a_pid_names_a_data_object_by_its_manifest(vault: Path) -> None:
    done = flip(vault, pid_of(OTHER), "--json")
    told = {"path": OTHER, "centre": "fzj", "byte": 2, "file": str(vault / OTHER)}
    assert (done.exit_code, json.loads(done.output)) == (0, told)
    assert changed(vault) == {OTHER: b"12245"}


def test_without_a_name_it_is_any_data_object_that_has_bytes(vault: Path) -> None:
    seen = set()
    for _ in range(60):
        assert flip(vault).exit_code == 0
        (path,) = changed(vault)
        seen.add(path)
        (vault / path).write_bytes(CONTENTS[path])
    assert seen == {PATH, TWIN, OTHER}, "manifests, what is staged and what is empty are left out"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("SE-Sim/EC/none.csv",), "SE-Sim/EC/none.csv is not in "),
        (("SE-Sim",), "SE-Sim is not in "),
        (("../../../../../deployment.json",), "deployment.json is not in "),
        ((EMPTY,), "has no bytes"),
        (("21.T99999/" + "A" * 24,), "no data object has it"),
        ((pid_of(PATH),), f"2 data objects have it: {PATH}, {TWIN}"),
        ((PATH, "--centre", "first"), "is a zone of your own, which is left alone"),
        ((PATH, "--directory", "nowhere"), "no sandbox in nowhere"),
    ],
)
def test_anything_else_is_left_alone_with_exit_code_4_and_the_cure(
    vault: Path, words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (vault.parents[4] / "deployment.json").read_bytes()
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", "flip-byte", "--directory", str(vault.parents[4]), *words])
    said = capsys.readouterr().err
    assert ended.value.code == EXIT_CONFIGURATION
    assert told in said
    assert "name its directory (`--directory`) and a data object there" in said
    assert changed(vault) == {}
    assert (vault.parents[4] / "deployment.json").read_bytes() == before
