"""The image, read from its Dockerfile: not root, from the lock, without the sandbox, with nothing but what it needs."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatch

import click
import pytest

from b2stream.cli import cli
from b2stream.monitoring import Health, MonitoringServer
from tests.unit.deployment.program import REPOSITORY, known_variables, serves, settings_from

EXTRAS = {"gateway", "processor", "registrar", "replicator"}


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of a Dockerfile, on one line."""

    word: str
    text: str


def stages() -> list[list[Instruction]]:
    """The instructions of each stage; comments are left out, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (REPOSITORY / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    found: list[list[Instruction]] = []
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            found.append([])
        if word:
            found[-1].append(Instruction(word, re.sub(r" {2,}", " ", rest.strip())))
    return found


def of(stage: list[Instruction], word: str) -> list[str]:
    return [instruction.text for instruction in stage if instruction.word == word]


@pytest.fixture
def build() -> list[Instruction]:
    return stages()[0]


@pytest.fixture
def final() -> list[Instruction]:
    return stages()[-1]


@pytest.fixture
def variables(final: list[Instruction]) -> dict[str, str]:
    """What the image sets in the environment."""
    return dict(pair.split("=", 1) for text in of(final, "ENV") for pair in text.split())


def test_there_are_two_stages_on_one_tagged_base_that_the_package_supports() -> None:
    bases = [of(stage, "FROM")[0].partition(" ")[0] for stage in stages()]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    tag = re.fullmatch(r"python:3\.(\d+)-slim", bases[0])
    assert tag is not None
    assert int(tag[1]) in (11, 12, 13)


def test_the_user_is_a_number_and_not_root_to_the_end(final: list[Instruction]) -> None:
    users = of(final, "USER")
    assert len(users) == 1
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", users[0])
    after = final[[instruction.word for instruction in final].index("USER") :]
    assert not {instruction.word for instruction in after} & {"RUN", "COPY", "ADD"}
    assert f"--uid {users[0].partition(':')[0]} " in of(final, "RUN")[0]


def test_what_is_installed_comes_from_the_lock_with_hashes_and_from_nowhere_else(build: list[Instruction]) -> None:
    runs = " ".join(of(build, "RUN"))
    downloads = re.findall(r"pip download [^&]*", runs)
    assert len(downloads) == 1
    for option in ("--require-hashes", "--only-binary :all:", "--requirement requirements.lock", "--dest /wheels"):
        assert option in downloads[0]
    installs = re.findall(r"pip (?:--python \S+ )?install [^&]*", runs)
    assert len(installs) == 2
    for install in installs:
        assert "--no-index --find-links /wheels" in install
    assert re.search(r"pip wheel --no-deps --no-build-isolation ", runs)


def test_the_image_has_the_extras_of_its_programs_and_not_the_sandbox_s(build: list[Instruction]) -> None:
    chosen = re.search(r"'b2stream\[([a-z,]+)\]'", " ".join(of(build, "RUN")))
    assert chosen is not None
    assert set(chosen[1].split(",")) == EXTRAS
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(declared["optional-dependencies"]) >= EXTRAS


def test_the_embedded_zones_are_removed_and_the_build_fails_if_they_are_still_there(build: list[Instruction]) -> None:
    last = build[-1]
    assert last.word == "RUN"
    assert re.match(r"rm -r /opt/b2stream/lib/python3\*/site-packages/b2stream/sandbox && ", last.text)
    program = re.search(r'python -c "([^"]*)"', last.text)
    assert program is not None
    ast.parse(program[1])
    assert "find_spec('b2stream.sandbox') is not None" in program[1]
    assert (REPOSITORY / "services" / "b2stream" / "sandbox" / "zone").is_dir(), "the folder has another name now"


def test_the_final_stage_takes_the_environment_and_nothing_of_the_source(final: list[Instruction]) -> None:
    assert of(final, "COPY") == ["--from=build /opt/b2stream /opt/b2stream"]
    assert not of(final, "ADD")


def test_every_copied_file_exists_and_reaches_the_build(build: list[Instruction]) -> None:
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert lines[1] == "*", "everything is left out first"
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    copied = {name for text in of(build, "COPY") for name in text.split()[:-1]}
    assert copied == let_in
    for name in copied:
        assert (REPOSITORY / name).exists(), name
    declared = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert copied >= {declared["readme"], *declared["license-files"]}


@pytest.mark.parametrize("name", [".env", "secrets/first", ".git/config", "tests/conftest.py", ".venv/bin/python"])
def test_neither_secrets_nor_tests_reach_the_build(name: str) -> None:
    lines = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert not any(fnmatch(name, pattern) or name.startswith(f"{pattern}/") for pattern in let_in)


def test_its_variables_are_settings_with_values_that_are_accepted(variables: dict[str, str]) -> None:
    ours = {name: value for name, value in variables.items() if name.startswith("B2STREAM_")}
    assert set(ours) <= known_variables()
    assert settings_from(ours).monitoring.host == "0.0.0.0"


def test_the_health_check_asks_a_page_that_exists_at_the_port_that_is_set(
    final: list[Instruction], variables: dict[str, str]
) -> None:
    check = of(final, "HEALTHCHECK")[0]
    command = json.loads(check[check.index("CMD ") + 4 :])
    assert command[:2] == ["python", "-c"]
    ast.parse(command[2])
    assert "os.environ['B2STREAM_MONITORING_PORT']" in command[2]
    page = re.search(r"'(/[a-z]+)'", command[2])
    assert page is not None
    assert serves(page[1])
    assert of(final, "EXPOSE") == [variables["B2STREAM_MONITORING_PORT"]]


def test_the_health_check_tells_a_healthy_program_from_an_absent_one(final: list[Instruction]) -> None:
    check = of(final, "HEALTHCHECK")[0]
    program = json.loads(check[check.index("CMD ") + 4 :])[2]
    now_s = [0.0]
    server = MonitoringServer("127.0.0.1", 0, Health(stale_after_s=60.0, clock=lambda: now_s[0]))

    def exit_code() -> int:
        environment = {**os.environ, "B2STREAM_MONITORING_PORT": str(server.port)}
        return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True).returncode

    assert exit_code() == 0
    now_s[0] = 61.0  # its loop stands still
    assert exit_code() != 0
    server.close()
    assert exit_code() != 0


def test_the_entry_point_is_the_command(final: list[Instruction]) -> None:
    assert json.loads(of(final, "ENTRYPOINT")[0]) == ["b2stream"]
    assert json.loads(of(final, "CMD")[0]) == ["--help"]
    for name in EXTRAS:
        assert cli.get_command(click.Context(cli), name) is not None


def test_no_package_registry_is_named() -> None:
    for name in ("Dockerfile", "docker-compose.yml", ".env.example"):
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        assert not re.search(r"--(?:extra-)?index-url|https?://(?!127\.0\.0\.1|registry:8080/)", text), name
