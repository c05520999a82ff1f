"""Whether a Handle server answers is asked as `sandbox status` asks it: over https and http, and an open port alone is no answer."""

import socket

import pytest

from b2stream.sandbox import probes
from b2stream.sandbox.handle import server
from b2stream.sandbox.records import Part
from tests.unit.handles.stub import StubHandleServer, Trouble


def test_a_server_that_answers_is_up_and_one_in_trouble_is_not() -> None:
    with StubHandleServer() as stub:
        part = Part("handle", "server", stub.url)
        assert probes.ask(part).state == "up"
        stub.troubles = [Trouble(status=503)]
        assert probes.ask(part).state == "down"
    assert probes.ask(part).state == "down"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_open_port_is_no_answer(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setattr(server, "ANSWER_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not server.answers(f"{scheme}://127.0.0.1:{silent.getsockname()[1]}")
