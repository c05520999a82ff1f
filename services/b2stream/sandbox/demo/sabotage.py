"""For tests of the demo itself: breaks the archive behind everybody's back, just before the check, which must then name the place.

`B2STREAM_DEMO_SABOTAGE=flip-byte` changes one bit of one data object's file at the second centre, as a failing disk does.
`=drop-batch` removes a data object and its manifest at both centres.
"""

import os
from pathlib import Path

from irods.session import iRODSSession

from b2stream.archive.location import parse_location
from b2stream.errors import ConfigurationError
from b2stream.sandbox.deployment import Deployment
from b2stream.settings import load

VARIABLE = "B2STREAM_DEMO_SABOTAGE"
MANIFEST = ".manifest.json"


def apply(deployment: Deployment) -> str | None:
    """Do what the variable asks for; returns what was done, None where it is not set."""
    asked = os.environ.get(VARIABLE)
    if not asked:
        return None
    path = _largest(deployment)
    if asked == "flip-byte":
        position = flip_byte(vault_file(deployment, "second", path))
        return f"sabotage: flipped byte {position} of {path} at the second centre"
    if asked == "drop-batch":
        for role in ("first", "second"):
            _remove(deployment, role, path)
        return f"sabotage: dropped {path} at both centres"
    raise ConfigurationError(f"{VARIABLE}: {asked!r} is neither flip-byte nor drop-batch")


def flip_byte(file: Path) -> int:
    """Change one bit in the middle of a file; returns which byte."""
    content = bytearray(file.read_bytes())
    position = len(content) // 2
    content[position] ^= 1
    file.write_bytes(content)
    return position


def vault_folder(deployment: Deployment, role: str) -> Path:
    """Where the files of a sandbox centre's archive lie on this disk."""
    root = parse_location(deployment.addresses[role]).root
    return deployment.directory / role / "vault" / root.split("/", 2)[2]


def vault_file(deployment: Deployment, role: str, path: str) -> Path:
    """Where the file of one object lies."""
    return vault_folder(deployment, role) / path


def _largest(deployment: Deployment) -> str:
    folder = vault_folder(deployment, "first")
    files = [file for file in folder.rglob("*") if file.is_file() and not _aside(file, folder)]
    return str(max(files, key=lambda file: file.stat().st_size).relative_to(folder))


def _aside(file: Path, folder: Path) -> bool:
    return file.name.endswith(MANIFEST) or str(file.relative_to(folder)).startswith(".")


def _remove(deployment: Deployment, role: str, path: str) -> None:
    settings = getattr(load(deployment.settings_file, environment={}).settings, role)
    location = parse_location(settings.url)
    password = Path(settings.password_file).read_text(encoding="utf-8")
    account = {"host": location.host, "port": location.port, "user": location.user, "zone": location.zone}
    with iRODSSession(password=password, **account) as session:
        for name in (path, path + MANIFEST):
            session.data_objects.unlink(f"{location.root}/{name}", force=True)
