"""TLS and PAM as far as they go without a PAM server: a listener that speaks iRODS up to the first message inside TLS."""

import base64
import json
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from b2stream.archive.location import open_store
from b2stream.errors import ConfigurationError, Retryable

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the test's certificate")


class Listener:
    """Agrees to TLS, reads the first API request inside it, and hangs up."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self.requests: list[dict[str, str]] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client:
                client.settimeout(10)
                try:
                    self._talk(client)
                except OSError:
                    continue

    def _talk(self, client: socket.socket) -> None:
        assert b"request_server_negotiation" in receive(client)
        send(client, "RODS_CS_NEG_T", "<CS_NEG_PI><status>1</status><result>CS_NEG_DONT_CARE</result></CS_NEG_PI>")
        assert b"CS_NEG_USE_SSL" in receive(client)
        send(
            client,
            "RODS_VERSION",
            "<Version_PI><status>0</status><relVersion>rods5.0.2</relVersion><apiVersion>d</apiVersion>"
            "<reconnPort>0</reconnPort><reconnAddr></reconnAddr><cookie>400</cookie></Version_PI>",
        )
        with self._context.wrap_socket(client, server_side=True) as inside:
            receive(inside)  # the encryption settings, in the header alone
            receive(inside)  # the shared secret
            body = re.search(rb"<buf>(.*)</buf>", receive(inside), re.DOTALL)
            assert body is not None
            self.requests.append(json.loads(base64.b64decode(body[1]).rstrip(b"\0")))


def receive(client: socket.socket) -> bytes:
    (length,) = struct.unpack(">I", exactly(client, 4))
    header = exactly(client, length)
    if b"<type>SHARED_SECRET</type>" in header or b"MsgHeader_PI" not in header:
        return exactly(client, int(re.search(rb"<msgLen>(\d+)</msgLen>", header)[1]))  # type: ignore[index]
    sizes = [int(size) for size in re.findall(rb"<(?:msgLen|errorLen|bsLen)>(\d+)<", header)]
    return b"" if b"AES" in header else exactly(client, sum(sizes))


def exactly(client: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        part = client.recv(count - len(received))
        if not part:
            raise ConnectionResetError
        received += part
    return received


def send(client: socket.socket, kind: str, message: str) -> None:
    header = (
        f"<MsgHeader_PI><type>{kind}</type><msgLen>{len(message)}</msgLen><errorLen>0</errorLen><bsLen>0</bsLen>"
        "<intInfo>0</intInfo></MsgHeader_PI>"
    )
    client.sendall(struct.pack(">I", len(header)) + header.encode() + message.encode())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself; its key lies beside it."""
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "ca.pem"),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "ca.pem"


@pytest.fixture
def listener(certificate: Path) -> Iterator[Listener]:
    listener = Listener(certificate, certificate.parent / "key.pem")
    yield listener
    listener.close()


def ask(listener: Listener, parameters: str, environment: dict[str, str], host: str = "127.0.0.1") -> None:
    url = f"irods://alice@{host}:{listener.port}/z/home/alice?{parameters}"
    open_store(url, "csc", role="first", timeout_s=5, environment=environment).describe("a")


def test_with_the_centres_ca_the_login_goes_through_tls(
    listener: Listener, certificate: Path, environment: dict[str, str]
) -> None:
    with pytest.raises(Retryable):  # the listener hangs up at the login
        ask(listener, f"tls=require&ca={certificate}", environment)
    assert listener.requests
    assert listener.requests[0]["scheme"] == "native"
    assert listener.requests[0]["user_name"] == "alice"


def test_pam_sends_its_password_inside_tls_only(
    listener: Listener, certificate: Path, environment: dict[str, str]
) -> None:
    with pytest.raises(Retryable):
        ask(listener, f"auth=pam_password&ca={certificate}", environment)
    assert listener.requests
    assert listener.requests[0]["scheme"] == "pam_password"
    assert listener.requests[0]["a_pw"] == "rods"


def test_a_certificate_that_nobody_vouches_for_is_refused_although_no_ca_is_named(
    listener: Listener, environment: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError, match="CA file"):
        ask(listener, "auth=pam_password", environment)
    assert listener.requests == []


def test_a_certificate_of_another_host_is_refused_unless_only_the_certificate_is_verified(
    listener: Listener, certificate: Path, environment: dict[str, str]
) -> None:
    with pytest.raises(ConfigurationError, match="CA file"):
        ask(listener, f"tls=require&ca={certificate}", environment, host="localhost")
    assert listener.requests == []
    with pytest.raises(Retryable):
        ask(listener, f"tls=require&verify=cert&ca={certificate}", environment, host="localhost")
    assert listener.requests
