"""The command line: quick help, one line with the cure where a part is missing, exit codes that scripts can rely on."""

import json
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from b2stream import __version__, settings
from b2stream.cli import cli, main
from b2stream.commands import config
from b2stream.errors import ConfigurationError, Poison, Refused, Retryable

COMMANDS = cli.list_commands(click.Context(cli))


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter that runs `code` and then the command."""
    program = f"import sys\n{code}\nfrom b2stream.cli import main\nmain({list(arguments)!r})"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("B2STREAM_")}
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, env=environment)


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_help_names_every_command_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--help") == 0
    printed = capsys.readouterr().out
    for command in (
        "config",
        "demo",
        "follow",
        "gateway",
        "inspect",
        "offsets",
        "processor",
        "replicator",
        "sandbox",
        "topics",
    ):
        assert command in COMMANDS
        (line,) = (line for line in printed.splitlines() if line.strip().startswith(f"{command} "))
        assert line.rstrip().endswith(".") or len(line) > 70
    assert "Exit codes: 0 all good" in printed


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_list_is_there_and_explains_itself(command: str) -> None:
    result = CliRunner().invoke(cli, [command, "--help"], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")
    assert len(result.output.splitlines()) > 3


def test_help_waits_for_no_programs_libraries() -> None:
    heavy = "['faust', 'aiokafka', 'irods', 'pandas', 'redis', 'confluent_kafka', 'fastavro', 'numpy']"
    code = f"import atexit\natexit.register(lambda: print([n for n in {heavy} if n in sys.modules]))"
    done = run(code, "--help")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "[]"


def test_inspect_does_not_wait_for_faust_or_irods() -> None:
    code = "import atexit\natexit.register(lambda: print([n for n in ('faust', 'irods') if n in sys.modules]))"
    done = run(code, "inspect", "--help")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]")


def test_version() -> None:
    assert CliRunner().invoke(cli, ["--version"]).output == f"b2stream, version {__version__}\n"


@pytest.mark.parametrize(
    ("command", "module", "extra"), [("processor", "faust", "processor"), ("sandbox", "jgo", "sandbox")]
)
def test_a_missing_extra_is_one_line_with_the_cure(command: str, module: str, extra: str) -> None:
    code = "import importlib\nfrom b2stream import cli\nreal = importlib.import_module\ndef absent(name, *rest):\n"
    code += f"    raise ModuleNotFoundError('No module named {module}', name='{module}')\ncli.importlib.import_module = absent"
    done = run(code, command, "--help")
    assert done.returncode == 1
    assert done.stderr == f"Error: `b2stream {command}` needs {module}: pip install 'b2stream[{extra}]'\n"


def test_a_module_of_a_command_that_needs_no_extra_is_not_explained_away() -> None:
    code = "sys.modules['rich'] = None\nsys.modules['rich.console'] = None"
    done = run(code, "follow", "--help")
    assert done.returncode == 1
    assert "ModuleNotFoundError" in done.stderr


@pytest.mark.parametrize("arguments", [("nonsense",), ("config", "nonsense"), ("config", "show", "--nonsense")])
def test_wrong_usage_is_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(*arguments) == 2
    assert "No such" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("kafka.partitions"), 4),
        (Refused("csc"), 1),
        (Retryable("csc"), 1),
        (Poison("x"), 1),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_the_exit_code_tells_what_kind_of_failure_it_was(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(file: object) -> settings.Loaded:
        raise error

    monkeypatch.setattr(config, "load", fails)
    assert exit_code("config", "show") == code
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    if code != 130:
        assert printed.err == f"b2stream: {error}\n"


def test_a_wrong_variable_is_one_line_and_exit_code_4() -> None:
    done = run("import os\nos.environ['B2STREAM_KAFKA_PARTITIONS'] = '0'", "config", "show")
    assert done.returncode == 4
    assert "kafka.partitions from B2STREAM_KAFKA_PARTITIONS" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_all_good_is_0() -> None:
    done = run("", "config", "show", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["general.community"]["value"] == "icos"
    assert done.stderr == ""
