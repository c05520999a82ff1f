"""Settings of Kafka and of the schema registry."""

from pydantic import Field

from b2stream.settings.section import Section


class Kafka(Section):
    bootstrap: str = Field("127.0.0.1:9092", description="Addresses of Kafka brokers, host:port, separated by commas.")
    partitions: int = Field(
        12, ge=1, le=10_000, description="Partitions of every topic: part of the contract; growing means a new topic."
    )
    replication: int = Field(1, ge=1, le=9, description="Replicas of every topic; 3 in production.")
    security_protocol: str = Field(
        "PLAINTEXT",
        pattern="^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$",
        description="What the brokers' listener speaks: PLAINTEXT, SSL (TLS), SASL_SSL (TLS and a password) or SASL_PLAINTEXT.",
    )
    ca_file: str = Field(
        "", description="PEM file with the certificates that the brokers' are trusted by; empty: the system's."
    )
    certificate_file: str = Field(
        "", description="PEM file with this client's certificate, where the brokers ask for one."
    )
    key_file: str = Field("", description="PEM file with the key of the client's certificate, not encrypted.")
    sasl_mechanism: str = Field(
        "",
        pattern="^(|PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$",
        description="How the password is proven with SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.",
    )
    user: str = Field("", description="User name for SASL.")
    password_file: str = Field(
        "", description="File that holds the user's password, nothing else; empty: B2STREAM_KAFKA_PASSWORD holds it."
    )
    registry_url: str = Field(
        "", description="Schema registry with Confluent's API; empty: no registry is needed or asked."
    )
    registry_user: str = Field("", description="User name at the schema registry; empty: it asks for none.")
    registry_password_file: str = Field(
        "", description="File that holds the registry's password; empty: B2STREAM_KAFKA_REGISTRY_PASSWORD holds it."
    )
