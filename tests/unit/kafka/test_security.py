"""What does not fit together in the security settings is refused before a client is made; passwords are never shown."""

import ast
import logging
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

import b2stream
from b2stream.errors import ConfigurationError, Refused
from b2stream.kafka.security import librdkafka_settings, login_of, tls_context
from b2stream.kafka.settings import REFUSED_AT_START_S, REFUSED_LATER_S, Complaint
from b2stream.settings import Kafka, load

SASL = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN", "user": "u"}


def kafka(**settings: str) -> Kafka:
    return load(environment={f"B2STREAM_KAFKA_{key.upper()}": value for key, value in settings.items()}).settings.kafka


@pytest.fixture(autouse=True)
def no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("B2STREAM_KAFKA_PASSWORD", raising=False)
    monkeypatch.chdir(tmp_path)


def test_addresses_alone_and_default_settings_are_plain_text() -> None:
    assert librdkafka_settings("a:1,b:2") == {"bootstrap.servers": "a:1,b:2"}
    found = librdkafka_settings(kafka(bootstrap="a:1"))
    assert found == {"bootstrap.servers": "a:1", "security.protocol": "PLAINTEXT"}
    assert tls_context(kafka()) is None
    assert login_of(kafka()) is None


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_user_and_password_reach_librdkafka(monkeypatch: pytest.MonkeyPatch, protocol: str, mechanism: str) -> None:
    monkeypatch.setenv("B2STREAM_KAFKA_PASSWORD", "s3cret")
    found = librdkafka_settings(kafka(security_protocol=protocol, sasl_mechanism=mechanism, user="station"))
    assert found["security.protocol"] == protocol
    assert found["sasl.mechanism"] == mechanism
    assert (found["sasl.username"], found["sasl.password"]) == ("station", "s3cret")


def test_the_file_wins_over_the_variable_and_is_read_anew_for_each_client(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("B2STREAM_KAFKA_PASSWORD", "old")
    file = tmp_path / "password"
    settings = kafka(**SASL, password_file=str(file))
    for password in ("first", "changed"):
        file.write_text(f"{password}\nsecond line\n")
        file.chmod(0o600)
        assert librdkafka_settings(settings)["sasl.password"] == password


def test_a_login_does_not_show_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("B2STREAM_KAFKA_PASSWORD", "s3cret")
    login = login_of(kafka(**SASL))
    assert login is not None
    assert login.password == "s3cret"
    assert "s3cret" not in repr(login)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (SASL, "B2STREAM_KAFKA_PASSWORD"),
        ({**SASL, "password_file": "absent"}, "password file absent"),
        ({**SASL, "user": ""}, r"needs kafka\.user"),
        ({**SASL, "sasl_mechanism": ""}, r"needs kafka\.sasl_mechanism"),
        ({"user": "u"}, r"PLAINTEXT makes no use of kafka\.user"),
        ({"password_file": "p"}, r"PLAINTEXT makes no use of kafka\.password_file"),
        ({"ca_file": "ca"}, r"PLAINTEXT makes no use of kafka\.ca_file"),
        ({**SASL, "ca_file": "ca"}, r"SASL_PLAINTEXT makes no use of kafka\.ca_file"),
        ({"security_protocol": "SSL", "sasl_mechanism": "PLAIN"}, r"SSL makes no use of kafka\.sasl_mechanism"),
        ({"security_protocol": "SSL", "ca_file": "absent.pem"}, r"kafka\.ca_file: there is no file absent\.pem"),
        ({"security_protocol": "SSL", "key_file": "settings.toml"}, "belong together"),
    ],
)
def test_what_does_not_fit_together_is_refused(settings: dict[str, str], named: str) -> None:
    Path("settings.toml").touch()
    with pytest.raises(ConfigurationError, match=named):
        librdkafka_settings(kafka(**settings))


@pytest.mark.parametrize("name", ["security_protocol", "sasl_mechanism"])
def test_a_protocol_or_mechanism_that_no_client_knows_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"kafka.{name}"):
        kafka(**{name: "GSSAPI"})


def test_a_file_that_holds_no_certificate_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing\n")
    with pytest.raises(ConfigurationError, match=r"kafka\.ca_file"):
        tls_context(kafka(security_protocol="SSL", ca_file="ca.pem"))


def test_tls_compares_the_name_of_the_broker() -> None:
    context = tls_context(kafka(security_protocol="SSL"))
    assert context is not None
    assert context.check_hostname


class Client:
    """A client's connections on a clock of their own."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.complaint = Complaint("broker:9092", clock=lambda: self.now_s)

    def hears(self, code: int, text: str, for_s: float, every_s: float = 0.5) -> None:
        end_s = self.now_s + for_s
        while self.now_s < end_s:
            self.complaint.heard(KafkaError(code, text))
            self.now_s += every_s

    def refuses(self, for_s: float) -> None:
        self.hears(KafkaError._AUTHENTICATION, "Authentication failed", for_s)


def test_a_client_that_is_refused_from_the_start_stops_after_a_moment() -> None:
    client = Client()
    client.refuses(REFUSED_AT_START_S / 2)
    client.complaint.stop_if_refused()
    client.refuses(REFUSED_AT_START_S)
    with pytest.raises(Refused, match=r"broker:9092: Authentication failed; see kafka\.user"):
        client.complaint.stop_if_refused()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (KafkaError._SSL, "SSL handshake failed: certificate verify failed: broker certificate could not be verified"),
        (
            KafkaError._TRANSPORT,
            "Receive failed: SSL routines::tlsv13 alert certificate required: SSL alert number 116",
        ),
    ],
)
def test_a_certificate_that_one_side_does_not_trust_is_a_wrong_configuration(code: int, text: str) -> None:
    client = Client()
    client.hears(code, text, REFUSED_AT_START_S + 1)
    with pytest.raises(ConfigurationError, match=r"kafka\.ca_file"):
        client.complaint.stop_if_refused()


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (KafkaError._TRANSPORT, "Connection refused"),
        (KafkaError._SSL, "SSL handshake failed: Disconnected"),
        (KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down"),
        (KafkaError._RESOLVE, "Name or service not known"),
    ],
)
def test_I11_a_broker_that_is_away_is_waited_for(code: int, text: str) -> None:
    client = Client()
    client.hears(code, text, 3_600.0)
    client.complaint.stop_if_refused()


def test_I11_after_a_first_answer_refusals_of_a_starting_broker_are_waited_for() -> None:
    client = Client()
    client.complaint.answered()
    client.refuses(REFUSED_LATER_S / 2)
    client.complaint.stop_if_refused()
    client.complaint.answered()
    client.refuses(REFUSED_LATER_S / 2)
    client.complaint.stop_if_refused()
    client.refuses(REFUSED_LATER_S)
    with pytest.raises(Refused):
        client.complaint.stop_if_refused()


def test_refusals_with_quiet_hours_between_them_do_not_add_up() -> None:
    client = Client()
    for _ in range(10):
        client.refuses(0.5)
        client.now_s += 3_600.0
    client.complaint.stop_if_refused()


def test_a_refusal_is_said_at_once_and_then_twice_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    client = Client()
    with caplog.at_level(logging.WARNING):
        client.hears(KafkaError._TRANSPORT, "Connection refused", 1.0)
        client.refuses(60.0)
    assert len(caplog.messages) == 3
    assert "does not answer" in caplog.messages[0]
    assert "Authentication failed" in caplog.messages[1]


def test_what_is_neither_is_said_each_time(caplog: pytest.LogCaptureFixture) -> None:
    client = Client()
    with caplog.at_level(logging.WARNING):
        client.hears(KafkaError._TRANSPORT, "Connection refused", 1.0)
        client.hears(KafkaError._FATAL, "the producer is fenced", 1.0)
    assert [message for message in caplog.messages if "fenced" in message] == [
        "Kafka at broker:9092: the producer is fenced"
    ] * 2


def test_a_broker_that_dies_after_refusing_is_told_of_again(caplog: pytest.LogCaptureFixture) -> None:
    client = Client()
    client.refuses(1.0)
    with caplog.at_level(logging.WARNING):
        client.hears(KafkaError._TRANSPORT, "Connection refused", 60.0)
    assert any("does not answer" in message for message in caplog.messages)


def test_no_program_gives_a_client_addresses_without_their_security() -> None:
    """`settings.kafka.bootstrap` is for log lines; a client that is given it would speak plain text."""
    found = []
    clients = {"Admin", "Consumer", "FaustSource", "Producer", "read_range", "wait_until_answers"}
    for path in Path(b2stream.__file__).parent.rglob("*.py"):
        if "kafka.bootstrap" not in path.read_text(encoding="utf-8"):
            continue
        for call in (
            node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)
        ):
            name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
            given = [*call.args, *(keyword.value for keyword in call.keywords)]
            if name in clients and any(ast.unparse(each).endswith("kafka.bootstrap") for each in given):
                found.append(f"{path.name}:{call.lineno}")
    assert not found


def test_a_broker_that_is_being_started_need_not_answer_yet(caplog: pytest.LogCaptureFixture) -> None:
    complaint = Complaint("broker:9092", tells_silence=False)
    with caplog.at_level(logging.WARNING):
        complaint.heard(KafkaError(KafkaError._TRANSPORT, "Connection refused"))
        assert caplog.messages == []
        complaint.heard(KafkaError(KafkaError._AUTHENTICATION, "wrong password"))
    assert len(caplog.messages) == 1
