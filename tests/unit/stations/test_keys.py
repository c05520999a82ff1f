"""Private keys: in a file of their own that nobody else can read, never overwritten, never shown."""

import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from b2stream.batches.signing import public_key_of
from b2stream.cli import cli
from b2stream.contracts.stations import key_id
from b2stream.errors import ConfigurationError
from b2stream.stations.keys import NoSuchKey, load_key, make_key


def test_a_key_is_read_back_as_it_was_made(tmp_path: Path) -> None:
    path = tmp_path / "station.key"
    made = make_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert public_key_of(load_key(path)) == public_key_of(made)


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "station.key"
    make_key(path)
    before = path.read_bytes()
    with pytest.raises(ConfigurationError, match="not overwritten"):
        make_key(path)
    assert path.read_bytes() == before
    with pytest.raises(ConfigurationError, match="No such file"):
        make_key(tmp_path / "absent" / "station.key")


def pem(private: Ed25519PrivateKey, password: bytes | None) -> bytes:
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_what_is_no_key_is_named_without_its_content(tmp_path: Path) -> None:
    path = tmp_path / "station.key"
    with pytest.raises(NoSuchKey, match=f"{path}: No such file"):
        load_key(path)
    private = Ed25519PrivateKey.generate()
    elliptic = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for content, why in (
        (b"secret", "no private key in PEM"),
        (b"", "no private key in PEM"),
        (pem(private, b"password"), "encrypted"),
        (elliptic, "not an Ed25519 key"),
    ):
        path.write_bytes(content)
        with pytest.raises(NoSuchKey, match=why) as caught:
            load_key(path)
        assert "secret" not in str(caught.value)


def test_openssl_reads_the_file_and_finds_the_same_public_key(tmp_path: Path) -> None:
    path = tmp_path / "station.key"
    made = make_key(path)
    told = subprocess.run(
        ["openssl", "pkey", "-in", str(path), "-pubout", "-outform", "DER"], capture_output=True, check=True
    ).stdout
    assert told[-32:] == public_key_of(made)


def test_keygen_prints_the_public_key_and_never_the_private_one(tmp_path: Path) -> None:
    path = tmp_path / "station.key"
    done = CliRunner().invoke(cli, ["station", "keygen", str(path)], catch_exceptions=False)
    assert done.exit_code == 0
    public = public_key_of(load_key(path))
    (key,) = tomllib.loads(done.stdout)["keys"]
    assert key["id"] == key_id(public)
    assert (key["valid_from"].hour, key["valid_from"].minute, key["valid_from"].utcoffset().total_seconds()) == (
        0,
        0,
        0,
    )
    secret = path.read_text(encoding="ascii").splitlines()[1]
    assert secret not in done.output
    again = CliRunner().invoke(cli, ["station", "keygen", str(path)])
    assert isinstance(again.exception, ConfigurationError)
