"""Writes the commit into sdist and wheel: provenance names the software with it (`b2stream.software`)."""

import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

IN_SDIST = "COMMIT"
IN_WHEEL = "b2stream/_commit.txt"


class CommitHook(BuildHookInterface):
    """An editable installation gets no file, it asks git; the wheel of an sdist gets the sdist's."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file, where the commit is known."""
        if version == "editable":
            return
        commit = known(Path(self.root))
        if commit:
            self.folder = tempfile.TemporaryDirectory()
            file = Path(self.folder.name) / "commit"
            file.write_text(commit + "\n", encoding="ascii")
            build_data["force_include"][str(file)] = IN_SDIST if self.target_name == "sdist" else IN_WHEEL

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove it again."""
        if hasattr(self, "folder"):
            self.folder.cleanup()


def known(root: Path) -> str:
    """What the sdist says, else $SOURCE_COMMIT, because a container's build has no git, else git; empty where none knows."""
    sdist = root / IN_SDIST
    told = sdist.read_text(encoding="ascii") if sdist.exists() else os.environ.get("SOURCE_COMMIT", "")
    return told.strip() if re.fullmatch(r"[0-9a-f]{7,64}\+?", told.strip()) else checked_out(root)


def checked_out(root: Path) -> str:
    """The checkout's commit, a `+` behind it where files differ from it; empty where there is no checkout or no git."""
    if not (root / ".git").exists():
        return ""
    git = ["git", "-C", str(root), "--no-optional-locks"]
    status = [*git, "status", "--porcelain", "--untracked-files=no", "--", "services", "schemas"]
    try:
        head, changed = (
            subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
            for words in ([*git, "rev-parse", "HEAD"], status)
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return head + ("+" if changed else "")
