"""The programs that run in a sandbox: b2stream's own commands, started as someone at a terminal would start them."""

import http.client
import importlib.util
import os
import shlex
import shutil
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from b2stream.errors import Fatal
from b2stream.sandbox import processes
from b2stream.sandbox.ports import LOOPBACK, free_port
from b2stream.sandbox.processes import Process
from b2stream.settings import FILE_VARIABLE, Settings, variable
from b2stream.settings.passwords import password_variables

PREPARATION = ("topics", "create")  # runs once, before the programs start
REGISTRAR = "registrar"
PROGRAMS = ("processor", "replicator", REGISTRAR)  # what `sandbox up` keeps running
SETTINGS = tuple(variable(section, "") for section in Settings.model_fields)  # how their variables begin
LOGGING = {variable("general", key) for key in ("log_level", "log_format")}  # these lead nowhere
READY_TIMEOUT_S = 60.0
PREPARATION_TIMEOUT_S = 60.0


class ProgramNotReady(Fatal):
    """A program of the sandbox did not become ready: read the end of its log here."""

    reason = "program_not_ready"


def start(
    name: str,
    words: Sequence[str],
    settings_file: Path,
    log_file: Path,
    *,
    given: Collection[str] = (),
    environment: Mapping[str, str] | None = None,
    survives: bool = False,
) -> tuple[Process, str]:
    """Start `b2stream WORDS…` with these settings; returns the process and the address of its pages (`/readyz`).

    Settings come from the file and `environment`: a variable left over in this process's environment from working with another
    deployment must not lead a sandbox's program there. Only passwords of `given` servers (sections) and how to log may stand there.
    """
    port = free_port()
    of_given = tuple(variable(section, "") for section in given)
    kept = LOGGING | {name for name in password_variables() if name.startswith(of_given)}
    inherited = {key: text for key, text in os.environ.items() if key in kept or not key.startswith(SETTINGS)}
    own = {FILE_VARIABLE: str(settings_file), variable("monitoring", "port"): str(port), "PYTHONUNBUFFERED": "1"}
    process = processes.start(
        name,
        [*b2stream_command(), *words],
        log_file,
        environment={**inherited, **own, **(environment or {})},
        survives=survives,
    )
    return process, f"http://{LOOPBACK}:{port}"


def is_here(name: str) -> bool:
    """Whether this installation has the program."""
    return importlib.util.find_spec(f"b2stream.programs.{name}.cli") is not None


def b2stream_command() -> list[str]:
    """How to call b2stream with this very Python, whatever is on the PATH."""
    return [sys.executable, "-c", "from b2stream.cli import main; main()"]


def typed_command() -> str:
    """What someone has to type for this very b2stream: its name where that is on the PATH, else its path, as short as can be."""
    beside = Path(sys.executable).with_name("b2stream")
    found = shutil.which("b2stream")
    if not beside.exists() or (found is not None and os.path.samefile(found, beside)):
        return "b2stream"
    here = Path.cwd()
    return shlex.quote(str(beside.relative_to(here) if beside.is_relative_to(here) else beside))


def ready(address: str) -> tuple[bool, str]:
    """Whether the program with its pages at `address` can work, and what it says."""
    host, _, port = address.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=2.0)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status == http.HTTPStatus.OK, answer.read(500).decode("utf-8", errors="replace")
    except (OSError, http.client.HTTPException) as failure:
        return False, str(failure)
    finally:
        connection.close()


def wait_until_ready(process: Process, address: str, timeout_s: float = READY_TIMEOUT_S) -> None:
    """Wait for a yes from `/readyz`. Raises ProgramNotReady with the end of the log, at once if the program ended."""
    deadline = time.monotonic() + timeout_s
    said = "it ended"
    while process.running and time.monotonic() < deadline:
        yes, said = ready(address)
        if yes:
            return
        time.sleep(0.1)
    raise ProgramNotReady(f"{process.name}: {said}; {process.log_file}:\n{process.last_log_lines()}\n")


def run_to_its_end(process: Process, timeout_s: float = PREPARATION_TIMEOUT_S) -> None:
    """Wait for a program that has an end. Raises ProgramNotReady unless it exits with 0."""
    if not process.wait(timeout_s) or process.exit_code != 0:
        process.kill()
        raise ProgramNotReady(
            f"{process.name}: exit code {process.exit_code}; {process.log_file}:\n{process.last_log_lines()}\n"
        )
