"""The class path of Apache Kafka."""

from pathlib import Path

from b2stream.sandbox import jars
from b2stream.sandbox.jars import JarSet, Tell

__all__ = ["KAFKA", "Tell", "class_path"]

KAFKA = JarSet(
    "Apache Kafka",
    "kafka",
    Path(__file__).parent,
    "kafka_2.13",
    "a broker that runs already can be used with --kafka HOST:PORT",
)


def class_path(tell: Tell | None = None) -> list[Path]:
    """Paths of all its jars; see `b2stream.sandbox.jars.class_path`."""
    return jars.class_path(KAFKA, tell)
