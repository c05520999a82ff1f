"""Apache Kafka for a laptop: the real broker, its jars checked against a committed lock, its Java from a Python package.

Neither Java nor Maven need to be installed. `jars` brings the class path, `broker` runs one KRaft node on it,
alone or as one of a `cluster`.
"""

from b2stream.sandbox.kafka.broker import KafkaBroker
from b2stream.sandbox.kafka.properties import Member, ProxiedListener

__all__ = ["KafkaBroker", "Member", "ProxiedListener"]
