"""Our REST client against recorded answers, and against what a real server will not do on demand."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from b2stream.errors import (
    AccessRefused,
    B2streamError,
    ConfigurationError,
    Fatal,
    LostReply,
    Refused,
    Retryable,
    Stuck,
)
from b2stream.handles import rest
from b2stream.handles.answers import RecordRefused
from b2stream.handles.connection import Tls
from b2stream.handles.registering import Registered, create
from b2stream.handles.rest import Login, RestHandles
from tests.conformance.handles import record
from tests.unit.handles.stub import PASSWORD, PREFIX, USER, StubHandleServer, Trouble

OURS = record(PREFIX, "obj-9")


@pytest.fixture
def server() -> Iterator[StubHandleServer]:
    with StubHandleServer() as server:
        yield server


@pytest.fixture
def service(server: StubHandleServer) -> Iterator[RestHandles]:
    service = RestHandles(server.url, Login(USER, PASSWORD), timeout_s=30)
    yield service
    service.close()


def written(service: RestHandles) -> B2streamError:
    with pytest.raises(B2streamError) as raised:
        service.create(OURS)
    return raised.value


def test_the_colon_in_the_user_name_is_escaped_and_the_password_is_in_no_text(server: StubHandleServer) -> None:
    login = Login(USER, PASSWORD)
    assert RestHandles(server.url, login).create(OURS), "the stub takes the escaped user alone, like the real server"
    assert PASSWORD not in repr(login)


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ("bad-password", Refused),
        ("bad-user-foreign-prefix", Refused),
        ("user-colon-not-encoded", Refused),
        ("no-auth", Refused),
        ("auth-over-plain-http", Refused),
        ("no-perm-modify", AccessRefused),
        ("no-suffix", AccessRefused),
        ("wrong-prefix-create", RecordRefused),
        ("bad-json", RecordRefused),
        ("handle-mismatch", RecordRefused),
        ("duplicate-index", RecordRefused),
        ("patch", LostReply),  # 501: whatever stands before the server cannot do this now
        ("proxy-redirect", ConfigurationError),
        ("proxy-redirect-missing", ConfigurationError),
        ("unknown-api", RecordRefused),
    ],
)
def test_each_recorded_refusal_is_one_of_our_errors_and_names_the_handle(
    server: StubHandleServer, service: RestHandles, recording: str, expected: type[B2streamError]
) -> None:
    server.troubles = [Trouble(recording=recording)]
    error = written(service)
    assert type(error) is expected
    assert OURS.handle in str(error)
    assert PASSWORD not in str(error)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_5xx_may_have_been_carried_out_and_is_read_back(
    server: StubHandleServer, service: RestHandles, status: int
) -> None:
    server.troubles = [Trouble(status=status, body=b"<html>", done=True)]
    assert isinstance(written(service), LostReply)
    assert create(service, OURS)[0] is Registered.UNCHANGED


@pytest.mark.parametrize("status", [429, 408, 500, 503])
def test_reading_from_a_server_in_trouble_is_retryable(
    server: StubHandleServer, service: RestHandles, status: int
) -> None:
    server.troubles = [Trouble(status=status)]
    with pytest.raises(Retryable) as raised:
        service.read(OURS.handle)
    assert not isinstance(raised.value, LostReply)


@pytest.mark.parametrize("done", [True, False])
def test_a_connection_that_breaks_before_the_answer_is_a_lost_reply(
    server: StubHandleServer, service: RestHandles, done: bool
) -> None:
    server.troubles = [Trouble(hang_up=True, done=done)]
    assert isinstance(written(service), LostReply)
    assert (service.read(OURS.handle) == OURS) is done
    assert create(service, OURS)[0] is (Registered.UNCHANGED if done else Registered.CREATED)


def test_a_success_that_says_nothing_is_a_lost_reply(server: StubHandleServer, service: RestHandles) -> None:
    server.troubles = [Trouble(status=200, body=b"<html>a proxy's page</html>")]
    assert isinstance(written(service), LostReply)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"not JSON"])
def test_an_answer_without_a_record_is_never_taken_for_a_missing_one(
    server: StubHandleServer, service: RestHandles, body: bytes
) -> None:
    server.troubles = [Trouble(status=404, body=body)]
    with pytest.raises(Fatal, match=r"handle\.url"):
        service.read(OURS.handle)
    server.troubles = [Trouble(status=200, body=b'{"responseCode": 1}')]
    with pytest.raises(Retryable, match="no record"):
        service.read(OURS.handle)


def test_a_server_that_is_down_is_retryable_and_taken_again_when_it_is_back() -> None:
    with StubHandleServer() as server:
        service = RestHandles(server.url, Login(USER, PASSWORD))
        assert service.create(OURS)
    service.close()
    error = written(service)
    assert isinstance(error, Retryable)
    assert not isinstance(error, LostReply), "nobody was reached, so nothing can have been done"


def test_a_kept_connection_from_before_a_restart_costs_a_reader_nothing(
    server: StubHandleServer, service: RestHandles
) -> None:
    service.create(OURS)
    server.troubles = [Trouble(hang_up=True)]
    assert service.read(OURS.handle) == OURS


def test_a_server_that_is_slow_is_waited_for_so_long_and_no_longer(server: StubHandleServer) -> None:
    held = threading.Event()
    server.troubles = [Trouble(held=held, hang_up=True, done=True)]
    service = RestHandles(server.url, Login(USER, PASSWORD), timeout_s=0.3)
    began_s = time.monotonic()
    try:
        assert isinstance(written(service), LostReply)
    finally:
        held.set()
    assert time.monotonic() - began_s < 30


def test_neither_proxies_nor_ca_bundles_of_the_environment_interfere(
    server: StubHandleServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.setenv(name, "/nonexistent.pem")
        assert RestHandles(server.url, Login(USER, PASSWORD)).create(OURS)


def test_pages_of_a_list_are_followed(service: RestHandles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest, "PAGE_HANDLES", 2)
    for number in range(4):
        service.create(record(PREFIX, f"obj-{number}"))
    assert sorted(service.list(PREFIX)) == [f"{PREFIX}/OBJ-{number}" for number in range(4)]


def test_without_credentials_a_list_is_refused(server: StubHandleServer) -> None:
    with pytest.raises(Refused):
        list(RestHandles(server.url, Login()).list(PREFIX))


@pytest.mark.parametrize(
    "url", ["", "hdl.example.org", "ftp://hdl.example.org", "https://user:secret@hdl.example.org", "https://"]
)
def test_an_address_that_is_none_is_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"handle\.url") as raised:
        RestHandles(url, Login())
    assert "secret" not in str(raised.value)


def test_a_ca_file_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"handle\.ca_file"):
        RestHandles("https://127.0.0.1:1", Login(), Tls(ca_file="/nonexistent.pem"))


def test_refusals_of_one_record_are_stuck_and_refusals_of_everybody_fatal() -> None:
    assert issubclass(RecordRefused, Stuck)
    assert issubclass(Refused, Fatal)
