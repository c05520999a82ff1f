"""/metrics, /healthz and /readyz: tied to the program's own progress, served while it works."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY, Counter

from b2stream.errors import ConfigurationError
from b2stream.monitoring import Health, MonitoringServer, Pauses


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(stale_after_s=60.0, clock=clock)


@pytest.fixture
def server(health: Health) -> Iterator[MonitoringServer]:
    made = MonitoringServer("127.0.0.1", 0, health)
    yield made
    made.close()


def get(server: MonitoringServer, page: str) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{page}", timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def test_I13_a_program_whose_loop_stands_still_is_not_healthy(
    server: MonitoringServer, health: Health, clock: Clock
) -> None:
    assert get(server, "/healthz")[0] == 200
    clock.now_s += 60
    assert get(server, "/healthz")[0] == 200
    clock.now_s += 0.5
    status, kind, body = get(server, "/healthz")
    assert (status, kind) == (503, "application/json")
    assert json.loads(body) == {"ok": False, "why": "last progress 60.5 s ago"}
    health.beat()
    assert get(server, "/healthz")[0] == 200


def test_I13_a_program_is_ready_only_once_it_says_so_and_says_what_it_lacks(
    server: MonitoringServer, health: Health
) -> None:
    assert get(server, "/readyz")[0] == 503
    health.ready()
    assert (get(server, "/readyz")[0], json.loads(get(server, "/readyz")[2])["ok"]) == (200, True)
    health.not_ready("Kafka does not answer")
    status, _, body = get(server, "/readyz")
    assert (status, json.loads(body)["why"]) == (503, "Kafka does not answer")
    assert get(server, "/healthz")[0] == 200, "not ready is not unhealthy"


def test_metrics_are_prometheus_text(server: MonitoringServer) -> None:
    Counter("test_of_monitoring", "Seen by this test.").inc(3)
    status, kind, body = get(server, "/metrics")
    assert status == 200
    assert kind.startswith("text/plain; version=")
    assert b"test_of_monitoring_total 3.0\n" in body


def test_a_page_may_be_asked_with_a_query(server: MonitoringServer) -> None:
    assert get(server, "/metrics?name[]=x")[0] == 200
    assert get(server, "/healthz?verbose")[0] == 200


def test_another_page_names_those_that_are_there(server: MonitoringServer) -> None:
    status, _, body = get(server, "/")
    assert (status, body) == (404, b"/metrics, /healthz, /readyz\n")


def test_a_closed_server_answers_no_more(health: Health) -> None:
    made = MonitoringServer("127.0.0.1", 0, health)
    made.close()
    with pytest.raises(urllib.error.URLError):
        get(made, "/healthz")


def test_a_port_that_is_taken_is_a_matter_of_configuration_and_named(server: MonitoringServer, health: Health) -> None:
    with pytest.raises(ConfigurationError, match=rf"monitoring\.port {server.port}: "):
        MonitoringServer("127.0.0.1", server.port, health)


def test_I13_every_trouble_makes_it_not_ready_and_is_named_by_a_short_name(
    server: MonitoringServer, health: Health
) -> None:
    health.ready()
    health.troubled_by({"centre": "csc took nothing for 10 minutes", "dead_letters": "too many"})
    status, _, body = get(server, "/readyz")
    assert status == 503
    assert json.loads(body) == {
        "ok": False,
        "why": "csc took nothing for 10 minutes; too many",
        "reasons": {"centre": "csc took nothing for 10 minutes", "dead_letters": "too many"},
    }
    assert get(server, "/healthz")[0] == 200, "it makes progress in waiting: a restart would not help"
    health.troubled_by({})
    assert get(server, "/readyz")[0] == 200


def test_I13_a_trouble_does_not_hide_that_a_program_is_not_ready_itself(health: Health) -> None:
    health.not_ready("stopping")
    health.troubled_by({"centre": "away"})
    assert health.reasons == {"program": "stopping", "centre": "away"}
    health.troubled_by({})
    assert health.readyz() == (False, "stopping")


def test_I13_a_trouble_is_logged_when_it_comes_and_when_it_goes(
    health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    for minutes in (10, 11, 12):
        health.troubled_by({"centre": f"away for {minutes} minutes"})
    health.troubled_by({})
    assert caplog.messages == ["not ready: away for 10 minutes", "no longer: away for 12 minutes"]


def sample(name: str, reason: str) -> float:
    value = REGISTRY.get_sample_value(name, {"reason": reason})
    assert value is not None, f"{name} has no {reason}"
    return value


def test_I10_pauses_are_counted_while_they_last_by_reason(clock: Clock) -> None:
    pauses = Pauses("test_pauses", ("full", "flood"), clock)
    assert (sample("test_pauses_paused", "full"), sample("test_pauses_paused_seconds_total", "full")) == (0, 0)
    with pauses.because("full"), pauses.because("full"):
        clock.now_s += 5
        pauses.look()
        assert (sample("test_pauses_paused", "full"), sample("test_pauses_paused_seconds_total", "full")) == (1, 5)
        assert sample("test_pauses_paused", "flood") == 0
        clock.now_s += 2
    clock.now_s += 100
    pauses.look()
    assert (sample("test_pauses_paused", "full"), sample("test_pauses_paused_seconds_total", "full")) == (0, 7)


def test_I10_a_pause_that_is_set_again_is_one_pause(clock: Clock) -> None:
    pauses = Pauses("test_set_pauses", ("full",), clock)
    for _ in range(3):
        pauses.set("full", True)
        clock.now_s += 1
    pauses.set("full", False)
    pauses.set("full", False)
    assert sample("test_set_pauses_paused_seconds_total", "full") == 3
    assert sample("test_set_pauses_paused", "full") == 0
