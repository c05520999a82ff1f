"""The proxy before a real socket: faults come and go while connections live."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.conftest import REPOSITORY
from tests.faults.proxy import DOWN, UP, Fault, FaultProxy
from tests.waiting import PATIENCE_S, until

LARGE = bytes(range(256)) * 10_000


class Echo:
    """Sends back what it gets; ends its side when the client does."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listening.getsockname()[1]}"
        self.heard = b""
        self.endings: list[str] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self.listening.accept()[0],), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        ending = "reset"
        with contextlib.suppress(OSError), connection:
            while content := connection.recv(65536):
                self.heard += content
                connection.sendall(content)
            ending = "end"
        self.endings.append(ending)


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.listening.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[FaultProxy]:
    with FaultProxy(echo.address) as proxy:
        yield proxy


def connect(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S)


def said(client: socket.socket, content: bytes) -> bytes:
    client.sendall(content)
    return received(client, len(content))


def received(client: socket.socket, size_bytes: int) -> bytes:
    found = b""
    while len(found) < size_bytes and (more := client.recv(65536)):
        found += more
    return found


def is_silent(client: socket.socket) -> bool:
    client.settimeout(0.1)
    try:
        return client.recv(1) is None
    except TimeoutError:
        return True
    finally:
        client.settimeout(PATIENCE_S)


def test_everything_passes_and_is_counted(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        sending = threading.Thread(target=client.sendall, args=(LARGE,))
        sending.start()
        assert received(client, len(LARGE)) == LARGE
        sending.join()
        counts = proxy.counts
        assert (counts.connections, counts.open, counts.hits) == (1, 1, 0)
        assert counts.up_bytes == counts.down_bytes == len(LARGE)
    until(lambda: proxy.counts.open == 0)


def test_a_client_that_ends_its_side_still_gets_the_rest(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        client.sendall(b"the last word")
        client.shutdown(socket.SHUT_WR)
        assert received(client, 100) == b"the last word"


def test_what_is_held_comes_when_the_fault_ends_and_on_the_same_connection(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        assert said(client, b"a") == b"a"
        proxy.set(Fault("hold", DOWN))
        client.sendall(b"bc")
        assert is_silent(client)
        proxy.clear()
        assert received(client, 2) == b"bc"


def test_what_is_delayed_or_throttled_does_not_outlast_the_fault(proxy: FaultProxy) -> None:
    for fault in (Fault("delay", seconds=1000.0), Fault("throttle", bytes_per_s=0.001)):
        with connect(proxy) as client:
            proxy.set(fault)
            client.sendall(b"abc")
            assert is_silent(client)
            proxy.clear()
            assert received(client, 3) == b"abc"


def test_what_waits_is_bounded_so_the_sender_has_to_wait_too(proxy: FaultProxy) -> None:
    with connect(proxy) as client:
        assert said(client, b"a") == b"a"
        proxy.set(Fault("hold", UP))
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.sendall(LARGE * 20)


def test_into_a_black_hole_one_can_connect_and_a_connection_with_a_hole_does_not_go_on(proxy: FaultProxy) -> None:
    proxy.set(Fault("black_hole"))
    with connect(proxy) as client, connect(proxy) as silent:
        client.sendall(b"abc")
        assert is_silent(client)
        until(lambda: proxy.counts.hits == 1)
        proxy.clear()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        assert said(silent, b"nothing of mine is missing") == b"nothing of mine is missing"


@pytest.mark.parametrize("kind", ["cut", "reset"])
def test_connections_end_at_once_and_so_do_those_that_come(proxy: FaultProxy, echo: Echo, kind: str) -> None:
    with connect(proxy) as client, contextlib.suppress(ConnectionResetError):
        assert said(client, b"a") == b"a"
        proxy.set(Fault(kind))
        assert client.recv(1) == b""
        assert kind == "cut"
    assert until(lambda: echo.endings) == ["end" if kind == "cut" else "reset"]
    with contextlib.suppress(ConnectionResetError), connect(proxy) as client:
        assert client.recv(1) == b""
    proxy.clear()
    with connect(proxy) as client:
        assert said(client, b"b") == b"b"


def test_connections_of_now_are_broken_and_later_ones_pass(proxy: FaultProxy) -> None:
    with connect(proxy) as client, connect(proxy) as other:
        assert said(client, b"a") == said(other, b"a")
        assert proxy.break_off("reset") == 2
        for broken in (client, other):
            with pytest.raises(ConnectionResetError):
                broken.recv(1)
    with connect(proxy) as client:
        assert said(client, b"b") == b"b"


def test_half_closed_the_server_hears_an_end_and_its_answers_still_come(proxy: FaultProxy, echo: Echo) -> None:
    with connect(proxy) as client:
        proxy.set(Fault("half_close", UP, after_bytes=3))
        client.sendall(b"abcdef")
        assert received(client, 100) == b"abc"
    assert until(lambda: echo.endings) == ["end"]
    assert echo.heard == b"abc"


def test_a_reply_is_lost_although_its_request_was_heard(proxy: FaultProxy, echo: Echo) -> None:
    proxy.set(Fault("cut", DOWN, trigger="do it", trigger_in=UP, times=1))
    with connect(proxy) as client, contextlib.suppress(ConnectionResetError):
        assert said(client, b"this passes") == b"this passes"
        client.sendall(b"do it")
        assert client.recv(100) == b""
    assert echo.heard == b"this passes" + b"do it"
    assert proxy.counts.hits == 1
    with connect(proxy) as client:
        assert said(client, b"did you do it?") == b"did you do it?"


def test_a_fault_can_be_kept_to_those_who_open_with_certain_words(proxy: FaultProxy, echo: Echo) -> None:
    proxy.set(Fault("flip", UP, trigger="b", only="^mine"))
    with connect(proxy) as mine, connect(proxy) as other:
        assert said(other, b"other b") == b"other b"
        assert said(mine, b"mine") == b"mine"
        assert said(mine, b"b") == b"c"
        assert said(mine, b"b") == b"b"
    assert proxy.counts.hits == 1


def test_a_server_that_is_away_is_not_to_be_reached() -> None:
    with FaultProxy("127.0.0.1:1") as proxy, pytest.raises(ConnectionResetError), connect(proxy) as client:
        client.recv(1)


def test_it_runs_as_a_process_that_takes_orders_and_ends_with_its_input(echo: Echo) -> None:
    command = [sys.executable, "-m", "tests.faults.proxy", f"echo={echo.address}"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout

        def order(**words: object) -> dict[str, int]:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(words) + "\n")
            process.stdin.flush()
            answer: dict[str, int] = json.loads(process.stdout.readline())
            return answer

        host, _, port = json.loads(process.stdout.readline())["echo"].partition(":")
        order(link="echo", do="set", fault={"kind": "flip", "direction": "up", "after_bytes": 1})
        with socket.create_connection((host, int(port)), PATIENCE_S) as client:
            assert said(client, b"aaa") == b"a`a"
            assert order(link="echo", do="counts")["hits"] == 1
            assert order(link="echo", do="break_off", kind="cut")["hits"] == 1
            assert client.recv(1) == b""
        assert "error" in order(link="echo", do="explode")
        assert "error" in order(link="nobody", do="clear")
        assert order(link="echo", do="clear")["connections"] == 1
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0
