"""TLS to a Handle server: what is verified, and logging in with a client certificate, which the real server cannot do here."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2stream.errors import ConfigurationError, Refused, Retryable
from b2stream.handles.connection import Tls
from b2stream.handles.rest import Login, RestHandles
from tests.conformance.handles import record
from tests.unit.handles.stub import PASSWORD, PREFIX, USER, StubHandleServer

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the test's certificates")


def certificate(folder: Path, name: str, address: str = "127.0.0.1") -> Tls:
    """A self-signed certificate and its key."""
    made = Tls(certificate_file=str(folder / f"{name}.pem"), key_file=str(folder / f"{name}.key"))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{address}"]
    subprocess.run([*command, "-keyout", made.key_file, "-out", made.certificate_file], check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def ours(folder: Path) -> Tls:
    return certificate(folder, "registrar")


def server_context(own: Tls, trusted: Tls | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate_file, own.key_file)
    if trusted is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(trusted.certificate_file)
    return context


@pytest.fixture(scope="module")
def server_certificate(folder: Path) -> Tls:
    return certificate(folder, "server")


@pytest.fixture
def server(server_certificate: Tls, ours: Tls) -> Iterator[StubHandleServer]:
    """Takes nobody without the registrar's certificate."""
    with StubHandleServer(server_context(server_certificate, ours), accepts_certificates=True) as server:
        yield server


def test_a_client_certificate_logs_in_without_any_password(
    server: StubHandleServer, server_certificate: Tls, ours: Tls
) -> None:
    service = RestHandles(
        server.url, Login(), Tls(server_certificate.certificate_file, ours.certificate_file, ours.key_file)
    )
    kept = record(PREFIX)
    assert service.create(kept)
    assert service.read(kept.handle) == kept
    assert {headers["authorization"] for _, _, headers in server.seen} == {'Handle clientCert="true"'}
    service.close()


def test_without_a_certificate_or_with_another_one_nobody_gets_in(
    server: StubHandleServer, server_certificate: Tls, folder: Path
) -> None:
    strangers = certificate(folder, "stranger")
    for tls in (
        Tls(server_certificate.certificate_file),
        Tls(server_certificate.certificate_file, strangers.certificate_file, strangers.key_file),
    ):
        with pytest.raises(Retryable):  # the server hangs up: it never says which certificate it would take
            RestHandles(server.url, Login(USER, PASSWORD), tls).create(record(PREFIX))
    assert server.seen == []
    assert server.records == {}


def test_a_certificate_without_rights_is_refused_like_a_wrong_password(
    server: StubHandleServer, server_certificate: Tls, ours: Tls
) -> None:
    server.accepts_certificates = False
    tls = Tls(server_certificate.certificate_file, ours.certificate_file, ours.key_file)
    with pytest.raises(Refused, match="certificate"):
        RestHandles(server.url, Login(), tls).create(record(PREFIX))


def test_no_password_is_said_to_a_server_whose_certificate_does_not_verify(
    server_certificate: Tls, folder: Path
) -> None:
    elsewhere = certificate(folder, "elsewhere", "127.9.9.9")
    for presented, trusted in ((server_certificate, elsewhere), (elsewhere, elsewhere)):
        with StubHandleServer(server_context(presented)) as server:
            service = RestHandles(server.url, Login(USER, PASSWORD), Tls(trusted.certificate_file))
            with pytest.raises(ConfigurationError, match=r"handle\.ca_file"):
                service.create(record(PREFIX))
            assert server.seen == []


def test_a_client_certificate_that_cannot_be_read_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"handle\.certificate_file"):
        RestHandles("https://127.0.0.1:1", Login(), Tls("", "/nonexistent.pem"))
