"""A real broker with a second door: TLS, and users with passwords."""

from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # imported there, but not declared as exports
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from b2stream.sandbox.kafka import KafkaBroker
from b2stream.sandbox.kafka.properties import SecureListener
from b2stream.sandbox.ports import free_port
from tests.integration.security.certificates import Authority

USER = "b2stream"
PASSWORD = 'right "horse=battery; staple'
"""With the characters that a properties file or a shell would stumble over."""


def listener(directory: Path, authority: Authority, *, client_certificates: bool = False) -> SecureListener:
    """The broker's side; certificates and keys as PEM, no Java key store."""
    directory.mkdir(parents=True, exist_ok=True)
    pair = authority.server()
    store = directory / "keystore.pem"
    store.write_text(pair.key + pair.certificate + authority.certificate)
    trusted = directory / "truststore.pem"
    trusted.write_text(authority.certificate)
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    quoted = PASSWORD.replace('"', '\\\\"')
    prefix = "listener.name.sasl_ssl"
    return SecureListener(
        free_port(),
        "SASL_SSL",
        {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(trusted),
            f"{prefix}.ssl.client.auth": "required" if client_certificates else "requested",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            f"{prefix}.plain.sasl.jaas.config": f'{plain} user_{USER}="{quoted}";',
            f"{prefix}.scram-sha-256.sasl.jaas.config": scram,
            f"{prefix}.scram-sha-512.sasl.jaas.config": scram,
        },
    )


def add_user(broker: KafkaBroker) -> None:
    """Tell the cluster the user's password for SCRAM; through the door without TLS."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    for mechanism in (ScramMechanism.SCRAM_SHA_256, ScramMechanism.SCRAM_SHA_512):
        wanted = UserScramCredentialUpsertion(USER, ScramCredentialInfo(mechanism, 4096), PASSWORD.encode())
        admin.alter_user_scram_credentials([wanted])[USER].result(timeout=30)
