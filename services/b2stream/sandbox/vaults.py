"""The files of the sandbox's own centres on this disk, and a byte flipped behind the catalogue's back, as a failing disk does."""

import json
import re
from pathlib import Path
from random import Random

from b2stream.archive.location import parse_location
from b2stream.batches.paths import MANIFEST_SUFFIX
from b2stream.errors import ConfigurationError
from b2stream.sandbox.records import read_parts
from b2stream.sandbox.settings_file import SETTINGS_FILE
from b2stream.settings import load

_PID = re.compile(r"(?:hdl:|https?://hdl\.handle\.net/)?[0-9A-Za-z.]+/([A-Za-z0-9_-]{24})")


class NotInASandbox(ConfigurationError):
    """Bytes are flipped only in the vault of a sandbox's own zone: name its directory (`--directory`) and a data object there."""

    reason = "not_in_a_sandbox"


def vault_folder(directory: Path, role: str, url: str) -> Path:
    """Where the archive of a sandbox's own centre (`first` or `second`) lies; `url` is that of its root."""
    return directory / role / "vault" / parse_location(url).root.split("/", 2)[2]


def own_vault(directory: Path, role: str) -> Path:
    """The same for whatever sandbox lies in a directory, whether it runs or not. Raises NotInASandbox."""
    part, settings_file = read_parts(directory).get(role), directory / SETTINGS_FILE
    if part is None or not settings_file.is_file():
        raise NotInASandbox(f"no sandbox in {directory}")
    if part.pid is None:
        raise NotInASandbox(f"the {role} centre of {directory} is a zone of your own, which is left alone")
    settings = load(settings_file, environment={}).settings
    return vault_folder(directory, role, getattr(settings, role).url)


def data_objects(vault: Path) -> list[str]:
    """Paths of all data objects below the root of the archive, in order; what b2stream keeps beside them is left out."""
    paths = (str(file.relative_to(vault)) for file in vault.rglob("*") if file.is_file())
    return sorted(path for path in paths if not path.endswith(MANIFEST_SUFFIX) and not path.startswith("."))


def find(vault: Path, what: str | None, random: Random) -> str:
    """The path of the data object that a path or a PID names; None: any that has bytes. Raises NotInASandbox."""
    if what is None:
        found = [path for path in data_objects(vault) if (vault / path).stat().st_size]
        if not found:
            raise NotInASandbox(f"no data object in {vault}")
        return random.choice(found)
    if pid := _PID.fullmatch(what):
        found = [path for path in data_objects(vault) if _id24(vault / path) == pid[1]]
        if len(found) != 1:
            told = f"{len(found)} data objects have it: {', '.join(found)}" if found else "no data object has it"
            raise NotInASandbox(f"{what}: {told}")
        return found[0]
    path, root = what.strip("/"), vault.resolve()
    file = (vault / path).resolve()
    if not file.is_relative_to(root) or not file.is_file():
        raise NotInASandbox(f"{path} is not in {vault}")
    return str(file.relative_to(root))


def flip_byte(file: Path) -> int:
    """Change one bit of the byte in the middle of a file; returns which byte. Once more changes it back. Raises NotInASandbox."""
    with file.open("r+b") as opened:
        position = opened.seek(0, 2) // 2
        opened.seek(position)
        if not (byte := opened.read(1)):
            raise NotInASandbox(f"{file} has no bytes")
        opened.seek(position)
        opened.write(bytes([byte[0] ^ 1]))
    return position


def _id24(file: Path) -> str | None:
    """The suffix of a data object's PID, as its manifest says."""
    try:
        manifest = json.loads(file.with_name(file.name + MANIFEST_SUFFIX).read_bytes())
        return str(manifest["data_object"]["id24"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
