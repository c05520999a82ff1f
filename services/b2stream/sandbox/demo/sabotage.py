"""For tests of the demo itself: breaks the archive behind everybody's back, just before the check, which must then name the place.

`B2STREAM_DEMO_SABOTAGE=flip-byte` changes one bit of one data object's file at the second centre, as a failing disk does.
`=drop-batch` removes a data object and its manifest at both centres.
"""

import os
from pathlib import Path

from irods.session import iRODSSession

from b2stream.archive.location import parse_location
from b2stream.batches.paths import MANIFEST_SUFFIX
from b2stream.errors import ConfigurationError
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.vaults import data_objects, flip_byte, vault_folder
from b2stream.settings import load

VARIABLE = "B2STREAM_DEMO_SABOTAGE"


def apply(deployment: Deployment) -> str | None:
    """Do what the variable asks for; returns what was done, None where it is not set."""
    asked = os.environ.get(VARIABLE)
    if not asked:
        return None
    path = _largest(deployment)
    if asked == "flip-byte":
        position = flip_byte(_vault(deployment, "second") / path)
        return f"sabotage: flipped byte {position} of {path} at the second centre"
    if asked == "drop-batch":
        for role in ("first", "second"):
            _remove(deployment, role, path)
        return f"sabotage: dropped {path} at both centres"
    raise ConfigurationError(f"{VARIABLE}: {asked!r} is neither flip-byte nor drop-batch")


def _vault(deployment: Deployment, role: str) -> Path:
    return vault_folder(deployment.directory, role, deployment.addresses[role])


def _largest(deployment: Deployment) -> str:
    folder = _vault(deployment, "first")
    return max(data_objects(folder), key=lambda path: (folder / path).stat().st_size)


def _remove(deployment: Deployment, role: str, path: str) -> None:
    settings = getattr(load(deployment.settings_file, environment={}).settings, role)
    location = parse_location(settings.url)
    password = Path(settings.password_file).read_text(encoding="utf-8")
    account = {"host": location.host, "port": location.port, "user": location.user, "zone": location.zone}
    with iRODSSession(password=password, **account) as session:
        for name in (path, path + MANIFEST_SUFFIX):
            session.data_objects.unlink(f"{location.root}/{name}", force=True)
