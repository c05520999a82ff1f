"""The files of the sandbox's Handle server: the key in its own format, a certificate that clients can verify, loopback alone."""

import json
import stat
from pathlib import Path

import pytest

pytest.importorskip("cryptography")
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from b2stream.sandbox.handle import files
from b2stream.sandbox.handle.keys import ServerKey, new_server_key

PREFIXES = ("21.T99999", "21.T99998")


@pytest.fixture(scope="module")
def key() -> ServerKey:
    return new_server_key()


def parts(data: bytes) -> list[bytes]:
    """The length-prefixed parts of which Java wrote a key."""
    found = []
    while data:
        length = int.from_bytes(data[:4], "big")
        found.append(data[4 : 4 + length])
        data = data[4 + length :]
    return found


def test_the_three_files_hold_one_key(key: ServerKey) -> None:
    assert key.private[:4] == b"\0\0\0\1", "not encrypted"
    kind, *numbers = parts(key.private[4:])
    assert kind == b"RSA_PRIVCRT_KEY"
    n, e, d, p, q, dp, dq, q_inverse = (int.from_bytes(number, "big", signed=True) for number in numbers)
    public = rsa.RSAPublicNumbers(e, n)
    private = rsa.RSAPrivateNumbers(p, q, d, dp, dq, q_inverse, public).private_key()
    signature = private.sign(b"x", padding.PKCS1v15(), SHA256())
    certificate = x509.load_pem_x509_certificate(key.certificate).public_key()
    assert isinstance(certificate, rsa.RSAPublicKey)
    certificate.verify(signature, b"x", padding.PKCS1v15(), SHA256())
    kind, rest = parts(key.public[:15])[0], key.public[15:]
    assert (kind, rest[:2]) == (b"RSA_PUB_KEY", b"\0\0")
    assert [int.from_bytes(number, "big", signed=True) for number in parts(rest[2:])] == [e, n]


def test_the_certificate_names_the_addresses_that_clients_use(key: ServerKey) -> None:
    names = x509.load_pem_x509_certificate(key.certificate).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(each) for each in names.value.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_nothing_leaves_loopback_and_the_password_stands_in_one_file_of_the_owners_alone(tmp_path: Path) -> None:
    files.write_key(tmp_path)
    files.write_settings(tmp_path, 12345, PREFIXES)
    files.write_first_records(tmp_path, PREFIXES, "a secret of this test")
    texts = {str(file.relative_to(tmp_path)): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    assert b'"bind_address" = "127.0.0.1" "bind_port" = "12345"' in texts["config.dct"]
    bootstrap = json.loads(texts["resolver/bootstrap_handles"])["handles"]
    (site,) = bootstrap["0.NA/0.NA"]["values"]
    assert [one["address"] for one in site["data"]["value"]["servers"]] == ["127.0.0.1"]
    assert bootstrap["0.0/0.0"]["values"] == [], "without it the public registry's addresses would be used"
    assert [name for name, text in texts.items() if b"a secret of this test" in text] == ["bootstrap.json"]
    for name in ("bootstrap.json", "privkey.bin"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_the_key_stays_over_restarts_and_the_port_may_change(tmp_path: Path) -> None:
    certificates = set()
    for port in (12345, 12346):
        files.write_key(tmp_path)
        files.write_settings(tmp_path, port, PREFIXES)
        certificates.add((tmp_path / files.CERTIFICATE_FILE).read_bytes())
    assert len(certificates) == 1, "clients trust it as long as the folder is there"
    for name in ("config.dct", "siteinfo.json", "resolver/bootstrap_handles"):
        text = (tmp_path / name).read_text()
        assert "12346" in text
        assert "12345" not in text
