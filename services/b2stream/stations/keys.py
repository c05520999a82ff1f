"""A station's private key: a PEM file (PKCS #8, as OpenSSL writes it) that only its owner can read."""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from b2stream.errors import ConfigurationError

_OWNER_ALONE = 0o600


class NoSuchKey(ConfigurationError):
    """The station's private key cannot be used: gateway.key_file must name a file that `b2stream station keygen` wrote."""

    reason = "no_such_key"


def make_key(path: Path) -> Ed25519PrivateKey:
    """A new key pair; the private key goes into a new file that only its owner can read. Raises ConfigurationError."""
    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        # O_EXCL: a key that is overwritten is lost, and every batch that is signed later would be refused.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ALONE)
    except FileExistsError:
        raise ConfigurationError(f"{path} is there already: it is not overwritten; choose another name") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return private


def load_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key. Raises NoSuchKey, which names the file and never what stands in it."""
    try:
        found = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise NoSuchKey(f"{path}: {error.strerror}") from error
    except TypeError as error:
        raise NoSuchKey(f"{path}: the key is encrypted, and nobody is there to type its password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NoSuchKey(f"{path}: no private key in PEM") from error
    if not isinstance(found, Ed25519PrivateKey):
        raise NoSuchKey(f"{path}: not an Ed25519 key")
    return found
