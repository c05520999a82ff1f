"""Who did something: a program's name with version and commit, and who ran it, as they stand in closes, events and provenance.

A manifest holds the gateway's alone, from the signed close: it is a function of the log, whichever processor writes it.
"""

import functools
import getpass
import os
import re
import socket
import subprocess
from importlib import resources
from pathlib import Path

from b2stream import __version__

BUILD_FILE = "_commit.txt"
"""Written into sdist and wheel when they are built (`hatch_build.py`); a checkout has none."""
VARIABLE = "SOURCE_COMMIT"
"""Tells the commit where the build sees no git, as in a container."""
SHOWN = 12  # hexadecimal digits of a commit
_GIT_S = 10.0


def software(name: str) -> str:
    """`b2stream-processor 0.1.0 (1f0c5d2e9a77)`; a `+` behind the commit where files differ from it; without it where nobody knows."""
    known = commit()
    return f"{name} {__version__} ({known})" if known else f"{name} {__version__}"


@functools.cache
def who_runs_this() -> str:
    """`user@host`, as events name whoever ran a program. Looked up once per process; never fails."""
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container's user may have no name, and Windows knows no numbers
        user = f"uid{os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return f"{user}@{socket.gethostname()}".encode("utf-8", "replace").decode()  # $USER may be any bytes


@functools.cache
def commit() -> str:
    """The commit that runs: from the build, from $SOURCE_COMMIT, or from the checkout; else empty. Looked up once per process."""
    return commit_at(Path(str(resources.files("b2stream"))))


def commit_at(package: Path) -> str:
    """The commit of the package in a folder; empty where nothing tells it."""
    return _built(package / BUILD_FILE) or _short(os.environ.get(VARIABLE, "")) or _checked_out(package.parent.parent)


def _built(file: Path) -> str:
    try:
        return _short(file.read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError):
        return ""


def _short(text: str) -> str:
    found = re.fullmatch(r"([0-9a-f]{7,64})(\+?)", text.strip())
    return found[1][:SHOWN] + found[2] if found else ""


def _checked_out(root: Path) -> str:
    """Only where the root itself is a checkout: an installation may lie inside a checkout of something else."""
    if not (root / ".git").exists():
        return ""
    try:
        head = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", "services", "schemas")
    except (OSError, subprocess.SubprocessError):
        return ""
    return _short(f"{head}{'+' if changed else ''}")


def _git(root: Path, *words: str) -> str:
    # Optional locks would keep somebody else's commit from its index.
    run = ["git", "-C", str(root), "--no-optional-locks", *words]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}  # those of a hook
    return subprocess.run(
        run, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment, timeout=_GIT_S
    ).stdout.strip()
