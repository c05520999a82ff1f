"""TLS and passwords of Kafka: the `[kafka]` section as every client needs it, checked before one is made."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from b2stream.errors import ConfigurationError
from b2stream.settings import Kafka
from b2stream.settings.passwords import password_of

Brokers: TypeAlias = str | Kafka
"""Where a cluster is and how to speak to it; addresses alone (host:port, by commas) mean a listener without TLS and password."""


@dataclass(frozen=True, slots=True)
class Login:
    """A user and how the password is proven; `repr` never shows it."""

    mechanism: str
    user: str
    password: str = field(repr=False)


def addresses(brokers: Brokers) -> str:
    """host:port of each broker, separated by commas."""
    return brokers if isinstance(brokers, str) else brokers.bootstrap


def librdkafka_settings(brokers: Brokers) -> dict[str, Any]:
    """Addresses and security as librdkafka calls them. Raises ConfigurationError."""
    settings: dict[str, Any] = {"bootstrap.servers": addresses(brokers)}
    if isinstance(brokers, str):
        return settings
    check(brokers)
    settings["security.protocol"] = brokers.security_protocol
    for name, path in (
        ("ssl.ca.location", brokers.ca_file),
        ("ssl.certificate.location", brokers.certificate_file),
        ("ssl.key.location", brokers.key_file),
    ):
        if path:
            settings[name] = path
    login = login_of(brokers)
    if login is not None:
        settings["sasl.mechanism"] = login.mechanism
        settings["sasl.username"] = login.user
        settings["sasl.password"] = login.password
    return settings


def tls_context(kafka: Kafka) -> ssl.SSLContext | None:
    """For clients written in Python; None without TLS. The broker's name is compared with its certificate. Raises ConfigurationError."""
    check(kafka)
    if not _has_tls(kafka):
        return None
    try:
        context = ssl.create_default_context(cafile=kafka.ca_file or None)
        if kafka.certificate_file:
            context.load_cert_chain(kafka.certificate_file, kafka.key_file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(f"kafka.ca_file, kafka.certificate_file or kafka.key_file: {error}") from error
    return context


def login_of(kafka: Kafka) -> Login | None:
    """User and password; None without SASL. Raises ConfigurationError."""
    if not _has_sasl(kafka):
        return None
    password = password_of("kafka", kafka.password_file)
    if not password:
        raise ConfigurationError(
            f"kafka.security_protocol {kafka.security_protocol} needs a password: "
            "kafka.password_file, or B2STREAM_KAFKA_PASSWORD in the environment"
        )
    return Login(kafka.sasl_mechanism, kafka.user, password)


def check(kafka: Kafka) -> None:
    """Raise ConfigurationError where the settings do not fit together: a password that would not be used is a mistake, too."""
    protocol = f"kafka.security_protocol {kafka.security_protocol}"
    for name, is_used in (
        ("ca_file", _has_tls(kafka)),
        ("certificate_file", _has_tls(kafka)),
        ("key_file", _has_tls(kafka)),
        ("sasl_mechanism", _has_sasl(kafka)),
        ("user", _has_sasl(kafka)),
        ("password_file", _has_sasl(kafka)),
    ):
        value = getattr(kafka, name)
        if value and not is_used:
            raise ConfigurationError(f"{protocol} makes no use of kafka.{name}")
        if not value and is_used and name in ("sasl_mechanism", "user"):
            raise ConfigurationError(f"{protocol} needs kafka.{name}")
        if value and name in ("ca_file", "certificate_file", "key_file") and not Path(value).is_file():
            raise ConfigurationError(f"kafka.{name}: there is no file {value}")
    if bool(kafka.certificate_file) != bool(kafka.key_file):
        raise ConfigurationError("kafka.certificate_file and kafka.key_file belong together: one of them is not set")


def _has_tls(kafka: Kafka) -> bool:
    return kafka.security_protocol in ("SSL", "SASL_SSL")


def _has_sasl(kafka: Kafka) -> bool:
    return kafka.security_protocol.startswith("SASL_")
