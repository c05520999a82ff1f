"""Live status: nothing decides by it, and its setting is checked at the start."""

import socket
import time
from types import SimpleNamespace
from typing import Any

import pytest

from b2stream.errors import ConfigurationError
from b2stream.programs.processor.committing import Committed
from b2stream.programs.processor.status import LiveStatus
from b2stream.settings import Redis
from tests.waiting import PATIENCE_S


@pytest.mark.parametrize("url", ["127.0.0.1:6379", "http://:secret@127.0.0.1", "redis://:secret@127.0.0.1:port/0"])
def test_an_address_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"redis\.url") as refused:
        LiveStatus(Redis(url=url, password_file=""), "icos")
    assert "secret" not in str(refused.value)


def test_without_an_address_nothing_is_written_and_nothing_waits() -> None:
    status = LiveStatus(Redis(url="", password_file=""), "icos")
    status.close()


@pytest.mark.parametrize(("url", "warned"), [("redis://:secret@127.0.0.1:1/0", True), ("redis://127.0.0.1:1/0", False)])
def test_a_password_in_the_address_is_warned_about_without_showing_it(
    url: str, warned: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("B2STREAM_REDIS_PASSWORD", "secret")
    LiveStatus(Redis(url=url, password_file=""), "icos").close()
    assert ("redis.password_file" in caplog.text) is warned
    assert "secret" not in caplog.text


def a_batch() -> Committed:
    """As much of a committed batch as live status looks at."""
    seen: Any = SimpleNamespace(
        station="SE-Htm", series="files", batch="b", stem="s", rows=1, size_bytes=1, stop_us=None, committed_at_us=0
    )
    return Committed(seen, seen, None, was_there=False)


@pytest.mark.parametrize("url", ["redis://{address}/0", "redis://:right@{address}/0"])
def test_the_password_is_given_to_redis(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener stands for Redis: what matters is the first thing that it is told."""
    monkeypatch.setenv("B2STREAM_REDIS_PASSWORD", "wrong" if "right" in url else "right")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(PATIENCE_S)
        address = f"127.0.0.1:{server.getsockname()[1]}"
        status = LiveStatus(Redis(url=url.format(address=address), password_file=""), "icos")
        status.committed(a_batch())
        connection, _ = server.accept()
        with connection:
            connection.settimeout(PATIENCE_S)
            said = connection.recv(4_096)
        status.close()
    assert b"right" in said
    assert b"wrong" not in said


def test_I11_a_redis_that_takes_connections_and_says_nothing_holds_up_nobody() -> None:
    """Each try waits half a second in a thread of its own; what does not fit into the queue meanwhile is dropped."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        status = LiveStatus(Redis(url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0", password_file=""), "icos")
        began_s = time.monotonic()
        for _ in range(5_000):  # forty minutes, if each had to wait
            status.committed(a_batch())
        status.close()
    assert time.monotonic() - began_s < PATIENCE_S
