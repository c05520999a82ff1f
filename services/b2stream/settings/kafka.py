"""Settings of Kafka and of the schema registry."""

from pydantic import Field

from b2stream.settings.section import Section


class Kafka(Section):
    bootstrap: str = Field("127.0.0.1:9092", description="Addresses of Kafka brokers, host:port, separated by commas.")
    partitions: int = Field(
        12, ge=1, le=10_000, description="Partitions of every topic: part of the contract; growing means a new topic."
    )
    replication: int = Field(1, ge=1, le=9, description="Replicas of every topic; 3 in production.")
    registry_url: str = Field(
        "", description="Schema registry with Confluent's API; empty: no registry is needed or asked."
    )
