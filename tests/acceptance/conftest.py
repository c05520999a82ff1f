"""Runs `b2stream demo` as a user does, and looks for processes that it leaves behind."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.waiting import NotInTime, until

COMMAND = [sys.executable, "-c", "from b2stream.cli import main; main()", "demo"]
LONGEST_S = 600.0
GONE_S = 60.0


@dataclass
class Demo:
    """A demo that runs or ran in `directory`."""

    directory: Path
    process: "subprocess.Popen[str]"
    log: Path

    def wait(self) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(LONGEST_S)

    def wait_for(self, text: str) -> None:
        """Wait until it has printed something."""

        def has_said() -> bool:
            said = text in self.said()
            assert said or self.process.poll() is None, f"it ended before it said {text!r}:\n{self.said()}"
            return said

        until(has_said, lambda: f"it never said {text!r}:\n{self.said()}", LONGEST_S)

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def document(self) -> dict[str, Any]:
        """What it printed with `--json`."""
        text = self.said()
        document: dict[str, Any] = json.loads(text[text.index("\n{\n") if not text.startswith("{") else 0 :])
        return document

    def processes(self) -> list[str]:
        """Command lines of the processes that have to do with its directory, by command line or environment."""
        found = []
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit() or int(folder.name) == os.getpid():
                continue
            try:
                command, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
            except OSError:
                continue
            if str(self.directory).encode() in command + environment:
                found.append(f"{folder.name}: {command.replace(bytes(1), b' ').decode(errors='replace')}")
        return found

    def left_behind(self) -> list[str]:
        """Processes that are still there some seconds after its end."""
        with suppress(NotInTime):
            until(lambda: not self.processes(), timeout_s=GONE_S, poll_s=0.1)
        return self.processes()


Start = Callable[..., Demo]


@pytest.fixture
def start(tmp_path: Path, quick_java: None) -> Iterator[Start]:
    """Start a demo with its directory in the test's own folder; environment variables as keywords."""
    started: list[Demo] = []
    numbers = itertools.count()  # several threads may start demos: no two share a log

    def begin(*options: str, directory: str = "demo", **environment: str) -> Demo:
        log = tmp_path / f"demo-{next(numbers)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [*COMMAND, "--directory", str(tmp_path / directory), *options],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment, "PYTHONUNBUFFERED": "1"},
                cwd=tmp_path,
                text=True,
            )
        demo = Demo(tmp_path / directory, process, log)
        started.append(demo)
        return demo

    yield begin
    for demo in started:
        if demo.process.poll() is None:
            demo.process.send_signal(signal.SIGTERM)
            try:
                demo.process.wait(LONGEST_S)
            except subprocess.TimeoutExpired:
                demo.process.kill()
                demo.process.wait()
