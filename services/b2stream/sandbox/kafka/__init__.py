"""Apache Kafka for a laptop: the real broker, its jars checked against a committed lock, its Java from a Python package.

Neither Java nor Maven need to be installed. `jars` brings the class path, `broker` runs one KRaft node on it.
"""

from b2stream.sandbox.kafka.broker import KafkaBroker, ProxiedListener

__all__ = ["KafkaBroker", "ProxiedListener"]
