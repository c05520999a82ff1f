"""What the code offers to whoever deploys it: commands with their options, variables, pages. Deployment files may name nothing else."""

import re
import urllib.error
import urllib.request
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import click

from b2stream.cli import cli
from b2stream.monitoring import Health, MonitoringServer
from b2stream.settings import FILE_VARIABLE, Settings, load
from b2stream.settings.passwords import password_variables

REPOSITORY = Path(__file__).parents[3]
VARIABLE = re.compile(r"\bB2STREAM_[A-Z0-9_]+\b")


def check_command(words: Sequence[str]) -> None:
    """Raise click.UsageError or KeyError unless `b2stream WORDS…` is a command with these options."""
    command: click.Command = cli
    name, rest = "b2stream", list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        name, *rest = rest
        found = command.get_command(click.Context(command), name)
        if found is None:
            raise KeyError(f"b2stream has no command {name!r}")
        command = found
    command.make_context(name, rest)


def known_variables() -> set[str]:
    """Every variable that a program reads."""
    return {row.variable for row in load(environment={}).rows()} | set(password_variables()) | {FILE_VARIABLE}


def settings_from(variables: dict[str, str]) -> Settings:
    """The settings that a program started with these variables has. Raises ConfigurationError."""
    return load(file=None, environment=variables).settings


@cache
def serves(path: str) -> bool:
    """Whether the monitoring server knows a page."""
    server = MonitoringServer("127.0.0.1", 0, Health())
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=60) as answer:
            return bool(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code != 404
    finally:
        server.close()
