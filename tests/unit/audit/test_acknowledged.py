"""Kafka that goes away in the middle ends a command with a sentence; a program that is to stop does not wait for it."""

import threading
from concurrent.futures import Future

import pytest

from b2stream.errors import Poison, Retryable
from b2stream.programs.audit import acknowledged
from b2stream.programs.audit.acknowledged import wait_for


def test_what_is_acknowledged_is_told() -> None:
    published: Future[None] = Future()
    published.set_result(None)
    wait_for(published, "a.csv", within_s=0.0)


def test_what_kafka_refuses_is_raised() -> None:
    published: Future[None] = Future()
    published.set_exception(Poison("too large"))
    with pytest.raises(Poison, match="too large"):
        wait_for(published, "a.csv")


def test_nobody_waits_for_ever_for_kafka() -> None:
    with pytest.raises(Retryable, match=r"did not acknowledge the event about a\.csv"):
        wait_for(Future(), "a.csv", within_s=0.0)


def test_who_is_to_stop_does_not_wait_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledged, "LAST_S", 0.0)
    stopping = threading.Event()
    stopping.set()
    with pytest.raises(Retryable):
        wait_for(Future(), "a.csv", within_s=1e9, stopping=stopping)


def test_an_acknowledgement_that_comes_while_the_program_stops_counts() -> None:
    published: Future[None] = Future()
    stopping = threading.Event()
    stopping.set()
    threading.Timer(0.01, lambda: published.set_result(None)).start()
    wait_for(published, "a.csv", stopping=stopping)
