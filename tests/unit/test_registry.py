"""The schema registry's edge against a small server that speaks Confluent's API: only a definite "unknown" is poison."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from b2stream.contracts import schemas
from b2stream.contracts.framing import Framing, UnknownSchemaId
from b2stream.errors import ConfigurationError, Poison, Refused, Retryable
from b2stream.registry import Registry, framing_from
from b2stream.sandbox.ports import free_port
from b2stream.settings import load

BLOCK = schemas.current("MeasurementBlock")
CLOSE = schemas.current("BatchClosed")


@dataclass
class Stub:
    """A registry in memory. `answer` is given instead of its own, as (HTTP status, body); `hang` lets it say nothing."""

    url: str = ""
    texts: list[str] = field(default_factory=list)
    subjects: dict[str, list[int]] = field(default_factory=dict)
    compatibility: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    answer: tuple[int, bytes] | None = None
    config_needs_subject: bool = False
    hang: threading.Event | None = None

    def respond(self, method: str, path: str, body: Any) -> tuple[int, bytes]:
        self.asked.append(f"{method} {path}")
        if self.hang is not None:
            self.hang.wait(60)
        if self.answer is not None:
            return self.answer
        match [method, *path.strip("/").split("/")]:
            case ["GET", "schemas", "ids", number] if 0 < int(number) <= len(self.texts):
                return 200, json.dumps({"schema": self.texts[int(number) - 1]}).encode()
            case ["GET", "schemas", "ids", number]:
                return 404, json.dumps({"error_code": 40403, "message": f"Schema {number} not found"}).encode()
            case ["PUT", "config", subject]:
                if self.config_needs_subject and subject not in self.subjects:
                    return 404, json.dumps({"error_code": 40401, "message": "Subject not found"}).encode()
                self.compatibility[subject] = body["compatibility"]
                return 200, json.dumps(body).encode()
            case ["POST", "subjects", subject, "versions"]:
                if body["schema"] not in self.texts:
                    self.texts.append(body["schema"])
                new = self.texts.index(body["schema"]) + 1
                self.subjects.setdefault(subject, []).append(new)
                return 200, json.dumps({"id": new}).encode()
        return 500, b"what?"


@contextmanager
def serving(stub: Stub, port: int = 0) -> Iterator[None]:
    """Let the registry answer on this port, else on a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            stub.authorizations.append(self.headers.get("Authorization"))
            status, content = stub.respond(self.command, unquote(self.path), body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_POST = do_GET  # noqa: N815  # http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield
    finally:
        if stub.hang is not None:
            stub.hang.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def stub() -> Iterator[Stub]:
    stub = Stub()
    with serving(stub):
        yield stub


def framing(url: str) -> Framing:
    return framing_from(load(environment={"B2STREAM_KAFKA_REGISTRY_URL": url}).settings)


def test_without_a_registry_nobody_is_asked() -> None:
    plain = framing("")
    assert plain.frame(BLOCK, b"x")[:2] == b"\xc3\x01"
    with pytest.raises(UnknownSchemaId):
        plain.unframe(b"\x00\x00\x00\x00\x01x")


def test_what_one_program_frames_another_reads(stub: Stub) -> None:
    value = framing(stub.url).frame(BLOCK, b"body")
    assert value == b"\x00\x00\x00\x00\x01body"
    framed = framing(stub.url).unframe(value)
    assert (framed.schema.text, bytes(framed.body)) == (BLOCK.text, b"body")


def test_both_forms_of_framing_are_read(stub: Stub) -> None:
    framed = framing(stub.url).unframe(Framing().frame(BLOCK, b"body"))
    assert framed.schema.fingerprint == BLOCK.fingerprint
    assert stub.asked == []


@pytest.mark.parametrize("config_needs_subject", [False, True], ids=["at once", "after the first version"])
def test_a_schema_is_registered_once_under_its_topic_and_kept_compatible(
    stub: Stub, config_needs_subject: bool
) -> None:
    stub.config_needs_subject = config_needs_subject
    one = framing(stub.url)
    for _ in range(3):
        one.frame(BLOCK, b"")
        one.frame(CLOSE, b"")
    subjects = ["icos.measurements-MeasurementBlock", "icos.measurements-BatchClosed"]
    assert stub.subjects == {subjects[0]: [1], subjects[1]: [2]}
    assert stub.compatibility == dict.fromkeys(subjects, "FULL")
    assert stub.texts[0] == BLOCK.text, "doc strings included"
    assert len([each for each in stub.asked if each.startswith("POST")]) == 2


def test_every_record_of_a_topic_has_a_subject_of_its_own() -> None:
    registry = Registry("http://127.0.0.1:1", "icos")
    names = [name for name in schemas.names() if name != "DeadBlock"]
    assert len({registry.subject(name) for name in names}) == len(names)
    assert registry.subject("BatchCommitted") == "icos.commits-BatchCommitted"


def test_an_id_is_asked_for_once(stub: Stub) -> None:
    stub.texts.append(BLOCK.text)
    one = framing(stub.url)
    for _ in range(5):
        one.unframe(b"\x00\x00\x00\x00\x01")
    assert stub.asked == ["GET /schemas/ids/1"]


def test_threads_that_come_at_once_ask_once(stub: Stub) -> None:
    stub.texts.append(BLOCK.text)
    registry = Registry(stub.url, "icos")
    threads = [threading.Thread(target=registry.text_by_id, args=(1,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(stub.asked) == 1


def test_an_unknown_id_is_poison_and_asked_for_again_next_time(stub: Stub) -> None:
    one = framing(stub.url)
    with pytest.raises(UnknownSchemaId, match="40403") as caught:
        one.unframe(b"\x00\x00\x00\x00\x01")
    assert caught.value.reason == "unknown_schema"
    stub.texts.append(BLOCK.text)
    assert one.unframe(b"\x00\x00\x00\x00\x01").schema.fingerprint == BLOCK.fingerprint


def test_a_schema_of_no_release_is_poison(stub: Stub) -> None:
    stub.texts.append('{"type": "record", "name": "MeasurementBlock", "fields": []}')
    with pytest.raises(Poison) as caught:
        framing(stub.url).unframe(b"\x00\x00\x00\x00\x01")
    assert caught.value.reason == "unknown_schema"


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (500, b'{"error_code": 50001, "message": "store is away"}'),
        (503, b""),
        (429, b"slow down"),
        (404, b"<html>a proxy that knows no such page</html>"),
        (404, b'{"detail": "not found"}'),
        (404, b"[]"),
        (200, b"<html>a login page</html>"),
        (200, b"[]"),
        (200, b"{}"),
        (200, b'{"schema": 7}'),
    ],
)
def test_I11_whatever_is_not_a_definite_unknown_is_tried_again(stub: Stub, status: int, content: bytes) -> None:
    stub.texts.append(BLOCK.text)
    one = framing(stub.url)
    stub.answer = (status, content)
    with pytest.raises(Retryable):
        one.unframe(b"\x00\x00\x00\x00\x01")
    stub.answer = None
    assert one.unframe(b"\x00\x00\x00\x00\x01").schema.fingerprint == BLOCK.fingerprint


def test_I11_a_registry_that_is_away_or_says_nothing_is_tried_again(stub: Stub) -> None:
    with pytest.raises(Retryable, match=r"schema registry at http://127\.0\.0\.1:"):
        Registry(f"http://127.0.0.1:{free_port()}", "icos").text_by_id(1)
    stub.hang = threading.Event()
    with pytest.raises(Retryable):
        Registry(stub.url, "icos", timeout_s=0.2).text_by_id(1)


@pytest.mark.parametrize(
    ("status", "error"), [(401, Refused), (403, Refused), (409, ConfigurationError), (422, ConfigurationError)]
)
def test_a_schema_or_user_that_is_refused_stops_the_program(stub: Stub, status: int, error: type[Exception]) -> None:
    stub.answer = (status, b'{"error_code": 409, "message": "incompatible with an earlier schema"}')
    with pytest.raises(error, match="incompatible with an earlier schema"):
        framing(stub.url).frame(BLOCK, b"")


def test_an_answer_without_an_id_is_tried_again(stub: Stub) -> None:
    stub.answer = (200, b'{"id": -1}')
    with pytest.raises(Retryable, match="has no id"):
        framing(stub.url).frame(BLOCK, b"")


def test_user_and_password_of_the_address_are_sent_and_never_named(stub: Stub) -> None:
    stub.answer = (403, b"no")
    address = stub.url.replace("http://", "http://user:s%40cret@")
    with pytest.raises(Refused) as caught:
        framing(address).frame(BLOCK, b"")
    assert stub.authorizations == ["Basic " + base64.b64encode(b"user:s@cret").decode()]
    assert "cret" not in str(caught.value)


def test_a_password_in_the_address_is_warned_about(stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    framing(stub.url.replace("http://", "http://user:s%40cret@"))
    assert "kafka.registry_password_file" in caplog.text
    assert "cret" not in caplog.text


@pytest.mark.parametrize("where", ["variable", "file"])
def test_user_and_password_of_the_settings_are_sent(
    stub: Stub, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stub.answer = (401, b"no")
    (tmp_path / "password").write_text("s@cret\n")
    (tmp_path / "password").chmod(0o600)
    environment = {"B2STREAM_KAFKA_REGISTRY_URL": stub.url, "B2STREAM_KAFKA_REGISTRY_USER": "reader"}
    if where == "file":
        environment["B2STREAM_KAFKA_REGISTRY_PASSWORD_FILE"] = str(tmp_path / "password")
    else:
        monkeypatch.setenv("B2STREAM_KAFKA_REGISTRY_PASSWORD", "s@cret")
    with pytest.raises(Refused):
        framing_from(load(environment=environment).settings).frame(BLOCK, b"")
    assert stub.authorizations == ["Basic " + base64.b64encode(b"reader:s@cret").decode()]
    assert not caplog.messages


def test_a_password_without_a_user_is_a_wrong_configuration(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B2STREAM_KAFKA_REGISTRY_PASSWORD", "s3cret")
    with pytest.raises(ConfigurationError, match=r"kafka\.registry_user"):
        framing(stub.url)


def test_an_address_with_a_path_is_kept(stub: Stub) -> None:
    framing_with_path = framing(f"{stub.url}/apis/ccompat/v7/")
    with pytest.raises(Retryable):
        framing_with_path.unframe(b"\x00\x00\x00\x00\x07")
    assert stub.asked == ["GET /apis/ccompat/v7/schemas/ids/7"]


@pytest.mark.parametrize("wrong", ["registry:8081", "ftp://registry", "http://", "file:///etc/passwd"])
def test_an_address_that_is_none_is_a_wrong_configuration(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"kafka\.registry_url"):
        framing(wrong)
