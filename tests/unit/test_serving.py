"""What stands around a program that serves until a signal: its end in order, and at once where a centre refuses it."""

import os
import signal
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.errors import AccessRefused, Refused, Retryable
from b2stream.kafka.admin import Admin
from b2stream.sandbox.ports import free_port
from b2stream.serving import serving
from b2stream.settings import Settings

NO_PAGES: dict[str, Any] = {"monitoring": {"port": 0}}


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.set_wakeup_fd(-1)  # a gateway that ran in this process would take our signals for its own, and end it
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_asks_it_to_stop(number: signal.Signals) -> None:
    with serving(Settings(**NO_PAGES), "test", []) as standing:
        assert not standing.stopping.is_set()
        os.kill(os.getpid(), number)
        assert standing.stopping.wait(60)


def test_a_centre_that_refuses_the_credentials_ends_it_with_that_error() -> None:
    centre = MemoryStore("kit")
    centre.fail("describe_staged", Refused("rods at kit"))

    def serve() -> None:
        with serving(Settings(**NO_PAGES), "test", [centre]) as standing:
            assert standing.stopping.wait(60)
            assert "rods at kit" in standing.health.readyz()[1]

    with pytest.raises(Refused, match="rods at kit"):
        serve()


def test_a_permission_that_is_missing_does_not_end_it() -> None:
    centre = MemoryStore("kit")
    centre.fail("describe_staged", AccessRefused("the staging root"))
    with serving(Settings(**NO_PAGES), "test", [centre]) as standing:
        pass
    assert not standing.stopping.is_set()


def test_kafka_is_waited_for_and_the_pages_say_so() -> None:
    port = free_port()
    settings = Settings(monitoring={"port": port})  # type: ignore[arg-type]
    asked = 0

    def ask(_admin: Admin) -> str:
        nonlocal asked
        asked += 1
        if asked == 1:
            with pytest.raises(urllib.error.HTTPError) as answer:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60)
            assert "waiting for Kafka" in answer.value.read().decode()
            raise Retryable("connection refused")
        return "topic id"

    with serving(settings, "test", []) as standing:
        standing.ask_again_s = 0.01
        assert standing.until_kafka_answers(ask) == "topic id"
    assert asked == 2


def test_a_signal_ends_the_wait_for_kafka() -> None:
    def ask(_admin: Admin) -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        raise Retryable("connection refused")

    with serving(Settings(**NO_PAGES), "test", []) as standing:
        assert standing.until_kafka_answers(ask) is None
