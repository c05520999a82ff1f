"""I13: what a processor as a process says on its pages while it cannot work, and that it goes on by itself."""

import json
import signal
import urllib.error
import urllib.request
from dataclasses import replace
from typing import Any

from b2stream.sandbox.ports import free_port
from tests.integration.processor.alongside import alongside
from tests.integration.processor.conftest import QUICK_S, Deployment
from tests.pages import metric
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.waiting import until

ONE = attempt_name(1)


def page(port: int, name: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a page; (0, {}) while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.load(refusal)
    except OSError:
        return 0, {}


@alongside
def test_I13_a_centre_that_is_away_makes_it_not_ready_and_not_unhealthy(deployment: Deployment) -> None:
    port, nobody = free_port(), free_port()
    there = f":{deployment.zone.port}/"
    assert there in deployment.url
    away = deployment.url.replace(there, f":{nobody}/")
    deployment.configure(
        first={"url": away}, processor={"outage_ready_s": 1.0}, monitoring={"host": "127.0.0.1", "port": port}
    )
    deployment.send(StationBatch().sent(ONE))
    process = deployment.start()
    until(lambda: "centre" in page(port, "readyz")[1].get("reasons", {}))
    status, said = page(port, "readyz")
    assert (status, said["ok"]) == (503, False)
    assert said["reasons"]["centre"].startswith("csc took nothing")
    assert page(port, "healthz")[0] == 200
    until(lambda: metric(port, "b2stream_processor_unanswered_batches") == 1)
    assert metric(port, "b2stream_processor_outage_seconds") >= 1
    process.send(signal.SIGTERM)
    assert process.wait(QUICK_S)
    assert process.exit_code == 0


@alongside
def test_I10_a_flood_of_poison_is_told_and_a_higher_limit_takes_the_rest(deployment: Deployment) -> None:
    port = free_port()
    monitoring = {"host": "127.0.0.1", "port": port}
    deployment.configure(processor={"dead_letters_per_minute": 4}, monitoring=monitoring)
    rubbish = replace(StationBatch().block(ONE, 0), value=b"\x7fELF")
    deployment.send([rubbish] * 40, partition=0)
    process = deployment.start()
    until(lambda: "dead_letters" in page(port, "readyz")[1].get("reasons", {}))
    assert page(port, "healthz")[0] == 200
    assert metric(port, "b2stream_processor_dead_letter_limit_tripped") == 1
    written = len(deployment.letters())
    assert 4 <= written < 40
    process.kill()
    assert deployment.committed().get(0, 0) <= len(deployment.letters()), "no offset passes an unwritten letter"
    deployment.configure(processor={"dead_letters_per_minute": 1_000}, monitoring=monitoring)
    deployment.start()
    until(deployment.is_all_acknowledged)
    assert {letter.offset for letter in deployment.letters()} == set(range(40))
    until(lambda: page(port, "readyz")[0] == 200)
