"""The options that name a Handle server which the user has already; `sandbox up` and `demo` share them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(dir_okay=False, exists=True, path_type=Path)
_OPTIONS = (
    click.option(
        "--handle", metavar="URL", help="Use this Handle server instead of the sandbox's own: https://HOST:PORT"
    ),
    click.option("--handle-prefix", default="", help="The prefix to register under at --handle."),
    click.option("--handle-user", default="", help="Who may write there: 300:PREFIX/USER."),
    click.option("--handle-password-file", type=_FILE, help="The password for --handle (or B2STREAM_HANDLE_PASSWORD)."),
    click.option("--handle-ca-file", type=_FILE, help="The CA that signed its certificate; else the system's."),
)


def handle_options(command: F) -> F:
    """Add them to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
