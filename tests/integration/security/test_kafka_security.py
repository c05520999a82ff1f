"""Kafka with TLS, client certificates and passwords: every client gets through, and whoever may not is told so and stops."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from b2stream.errors import ConfigurationError, Refused
from b2stream.kafka import Consumer, Producer, read_range, settings, wait_until_answers
from b2stream.kafka.admin import Admin
from b2stream.sandbox.zone.process import EmbeddedZone
from tests.integration.security.conftest import Programs, Secured
from tests.integration.security.secured import PASSWORD
from tests.waiting import PATIENCE_S

Make = Callable[[dict[str, str]], Programs]
NONE = {"certificate_file": "", "key_file": ""}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_every_mechanism_gets_every_client_through(secure: Secured, community: str, mechanism: str) -> None:
    kafka = secure.kafka(sasl_mechanism=mechanism)
    assert wait_until_answers(kafka, PATIENCE_S)
    admin = Admin(kafka)
    assert admin.create_topic(community, 1, 1, {})
    producer = Producer(kafka, "test")
    assert producer.publish(community, 0, b"key", b"value", []).result(PATIENCE_S).offset == 0
    producer.close()
    consumer = Consumer(kafka, community, client_id="test", group=community)
    assert next(message.value for message in iter(lambda: consumer.poll(1.0), b"") if message) == b"value"
    consumer.done_up_to(0, 1)
    consumer.close()
    assert admin.committed(community, community, 1) == {0: 1}
    assert [message.value for message in read_range(kafka, community, 0, 0, 0, client_id="test")] == [b"value"]


@pytest.mark.parametrize(
    ("wrong", "error", "named"),
    [
        ({"password_file": "", "sasl_mechanism": "PLAIN"}, Refused, "kafka.password_file"),
        ({"password_file": ""}, Refused, "kafka.password_file"),
        ({"user": "nobody"}, Refused, "kafka.user"),
        ({"ca_file": "other"}, ConfigurationError, "kafka.ca_file"),
        ({"ca_file": ""}, ConfigurationError, "kafka.ca_file"),
        (NONE, ConfigurationError, "kafka.certificate_file"),
    ],
    ids=["password-plain", "password-scram", "user", "other-ca", "system-ca", "no-certificate"],
)
def test_whoever_is_not_let_in_is_told_which_setting_is_wrong(
    secure: Secured, wrong: dict[str, str], error: type[Exception], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("B2STREAM_KAFKA_PASSWORD", "wr0ng")
    monkeypatch.setattr(settings, "REFUSED_AT_START_S", 0.1)
    given = {key: str(secure.other_ca_file) if value == "other" else value for key, value in wrong.items()}
    kafka = secure.kafka(**given)
    with pytest.raises(error, match=re.escape(named)) as refused:
        Admin(kafka).topic("any")
    assert secure.bootstrap in str(refused.value)
    assert "wr0ng" not in str(refused.value)
    assert PASSWORD not in str(refused.value)
    with pytest.raises(error, match=re.escape(named)):
        wait_until_answers(kafka, PATIENCE_S)


def test_a_file_goes_through_gateway_processor_and_follow(
    secure: Secured, community: str, programs: Make, tmp_path: Path
) -> None:
    station = tmp_path / "station"
    station.mkdir()
    (station / "notes.bin").write_bytes(b"\x00\x01 measured")
    with EmbeddedZone(tmp_path / "zone", "cscZone") as zone:
        run = programs(
            {
                **secure.variables(),
                "B2STREAM_GENERAL_COMMUNITY": community,
                "B2STREAM_FIRST_NAME": "csc",
                "B2STREAM_FIRST_URL": f"irods://rods@{zone.host}:{zone.port}{zone.home}/archive",
                "B2STREAM_FIRST_PASSWORD": "rods",
                "B2STREAM_GATEWAY_STATION": "SE-Htm",
                "B2STREAM_GATEWAY_WATCH": str(station),
                "B2STREAM_PROCESSOR_SPOOL_DIRECTORY": str(tmp_path / "spool"),
                "B2STREAM_PROCESSOR_UNSIGNED": "accept",
            }
        )
        ended(run, 0, "topics", "create")
        run.start("processor")
        ended(run, 0, "gateway", "--once", "--wait", "committed")
        printed = ended(run, 0, "follow", "--from-beginning", "--count", "1", "--group", "test")
    assert "notes" in printed
    for process in run.started:
        assert PASSWORD not in process.log_file.read_text(errors="replace")


def test_programs_that_are_not_let_in_end_with_one_line_that_says_why(
    secure: Secured, programs: Make, tmp_path: Path
) -> None:
    run = programs(
        {
            **secure.variables(password_file=""),
            "B2STREAM_KAFKA_PASSWORD": PASSWORD,
            "B2STREAM_FIRST_NAME": "csc",
            "B2STREAM_FIRST_URL": "memory:first",
            "B2STREAM_SECOND_NAME": "fzj",
            "B2STREAM_SECOND_URL": "memory:second",
            "B2STREAM_GATEWAY_STATION": "SE-Htm",
            "B2STREAM_GATEWAY_WATCH": str(tmp_path),
        }
    )
    wrong_password = {"B2STREAM_KAFKA_PASSWORD": "wr0ng"}
    untrusted = {"B2STREAM_KAFKA_CA_FILE": str(secure.other_ca_file)}
    started = [
        (run.start("gateway", **wrong_password), 1, "kafka.password_file"),
        (run.start("processor", **wrong_password), 1, "kafka.password_file"),
        (run.start("gateway", **untrusted, B2STREAM_GATEWAY_JOURNAL=str(tmp_path / "other")), 4, "kafka.ca_file"),
        (run.start("replicator", **untrusted), 4, "kafka.ca_file"),
        (run.start("follow", **wrong_password), 1, "kafka.password_file"),
    ]
    for process, exit_code, named in started:
        assert process.wait(PATIENCE_S), f"{process.name} still runs"
        printed = process.log_file.read_text(errors="replace")
        said = printed.strip().splitlines()
        assert process.exit_code == exit_code, printed
        assert said[-1].startswith("b2stream: ")
        assert named in said[-1]
        assert not [line for line in said if "Traceback" in line or "wr0ng" in line or PASSWORD in line]


def ended(run: Programs, exit_code: int, *words: str) -> str:
    """Run a command to its end; what it printed."""
    process = run.start(*words)
    assert process.wait(PATIENCE_S), f"{words} still runs"
    printed = process.log_file.read_text(errors="replace")
    assert process.exit_code == exit_code, printed
    return printed
