"""The replicator's pages while Kafka is not there: alive, not ready, and it says why; an orchestrator must not restart it for that."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from b2stream.sandbox.ports import free_port
from tests.waiting import until


def page(port: int, name: str) -> tuple[int, str]:
    """Status and reason; 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=60) as answer:
            return answer.status, json.load(answer)["why"]
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["why"]
    except OSError:
        return 0, ""


def test_I13_a_replicator_that_waits_for_kafka_is_alive_and_not_ready(tmp_path: Path) -> None:
    port, nobody = free_port(), f"127.0.0.1:{free_port()}"
    environment = {key: value for key, value in os.environ.items() if not key.startswith("B2STREAM_")}
    environment |= {
        "B2STREAM_KAFKA_BOOTSTRAP": nobody,
        "B2STREAM_FIRST_NAME": "csc",
        "B2STREAM_FIRST_URL": "memory:first",
        "B2STREAM_SECOND_NAME": "fzj",
        "B2STREAM_SECOND_URL": "memory:second",
        "B2STREAM_MONITORING_PORT": str(port),
    }
    command = [sys.executable, "-c", "from b2stream.cli import main; main()", "replicator"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.DEVNULL) as waiting:
        try:
            until(lambda: nobody in page(port, "readyz")[1], "a reason that names Kafka")
            assert page(port, "readyz")[0] == 503
            assert page(port, "healthz")[0] == 200
        finally:
            waiting.kill()
