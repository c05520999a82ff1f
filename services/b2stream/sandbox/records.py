"""`deployment.json`: what runs in a sandbox's directory, so that another command can find, ask and stop it; and its secrets."""

import json
import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from b2stream.errors import ConfigurationError
from b2stream.sandbox.processes import Process

Kind = Literal["server", "program"]
FILE_NAME = "deployment.json"


@dataclass(frozen=True)
class Part:
    """One part of a deployment. `pid` is None for a part that the user runs, and for one that is left out."""

    name: str
    kind: Kind
    address: str
    pid: int | None = None
    started: str = ""
    log_file: str = ""

    @classmethod
    def of(cls, process: Process, kind: Kind, address: str) -> "Part":
        return cls(process.name, kind, address, process.pid, process.started, str(process.log_file))

    @property
    def process(self) -> Process | None:
        """The process that was started for it, whether it still runs or not."""
        if self.pid is None:
            return None
        return Process.attach(self.name, self.pid, self.started, Path(self.log_file))

    @property
    def running(self) -> bool:
        process = self.process
        return process is not None and process.running


def read_parts(directory: Path) -> dict[str, Part]:
    """The parts by name, in the order in which they were started; none if nothing was ever started there.

    Raises ConfigurationError where the file is torn: then nobody knows which processes are this sandbox's.
    """
    file = directory / FILE_NAME
    if not file.exists():
        return {}
    try:
        return {one["name"]: Part(**one) for one in json.loads(file.read_text(encoding="utf-8"))["parts"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{file} does not say what runs ({error!r}): end what `ps axeww | grep {directory}` shows, and the redis-server beside it, "
            "remove the file, and say `b2stream sandbox up` again; archive, log and stations stay"
        ) from error


def write_parts(directory: Path, parts: Iterable[Part]) -> None:
    """Write the file anew; whoever reads it meanwhile sees the old or the new one, whole."""
    text = json.dumps({"format": 1, "parts": [asdict(part) for part in parts]}, indent=2)
    write_private(directory / FILE_NAME, text + "\n")


def write_private(file: Path, text: str) -> None:
    """Replace a file in one step by one that its owner alone can read: an address may hold a password."""
    fresh = file.with_name(file.name + ".new")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)


def password_file(directory: Path, role: str) -> Path:
    """The file with the password of one of the sandbox's own servers; drawn the first time, kept from then on."""
    file = directory / f"{role}.password"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(24))
    return file
