"""/metrics, /healthz and /readyz: tied to the program's own progress, served while it works."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client import Counter

from b2stream.errors import ConfigurationError
from b2stream.monitoring import Health, MonitoringServer


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
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{page}", timeout=10) as answer:
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
