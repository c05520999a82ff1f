"""Whether a bundle of evidence is still what was signed: its index by the signature, each file by the SHA-256 in the index."""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from b2stream.errors import ConfigurationError
from b2stream.programs.audit.evidence.bundle import INDEX, SIGNATURE, SIGNED_PREFIX


def troubles(folder: Path, public: bytes) -> list[str]:
    """What is wrong with a bundle, a line each; none where it is whole and signed with this key (32 bytes).

    The key comes from whoever checks, never from the bundle: anybody can sign with a key of their own. Raises ConfigurationError
    where there is no bundle.
    """
    try:
        index = (folder / INDEX).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{folder / INDEX}: {error.strerror}: not a bundle of `b2stream evidence`") from error
    wrong = _signature_trouble(folder, index, public)
    return [wrong] if wrong else list(_file_troubles(folder, index))


def _signature_trouble(folder: Path, index: bytes, public: bytes) -> str:
    try:
        signature = base64.b64decode(json.loads((folder / SIGNATURE).read_bytes())["signature"], validate=True)
    except FileNotFoundError:
        return f"{SIGNATURE} is missing: the bundle is not signed"
    except (OSError, ValueError, KeyError, TypeError, binascii.Error) as error:
        return f"{SIGNATURE} cannot be read: {error}"
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, SIGNED_PREFIX + index)
    except InvalidSignature:
        return f"{INDEX} is not what this key signed"
    return ""


def _file_troubles(folder: Path, index: bytes) -> Iterator[str]:
    """Only of an index whose signature holds."""
    entries = {entry["name"]: entry for entry in json.loads(index)["files"]}
    for name, entry in entries.items():
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            yield f"{name}: {error.strerror}"
            continue
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            yield f"{name} was altered: {len(content)} bytes with another SHA-256, signed were {entry['bytes']} bytes"
    for path in sorted(folder.iterdir()):
        if path.name not in {*entries, INDEX, SIGNATURE}:
            yield f"{path.name} is not named by the signed index"
