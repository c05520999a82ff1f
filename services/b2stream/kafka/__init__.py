"""The edge to Kafka: the only folder that knows confluent-kafka. What the library raises is translated to the error tree here."""

from b2stream.kafka.admin import wait_until_answers
from b2stream.kafka.consumer import Consumer
from b2stream.kafka.once_more import read_range
from b2stream.kafka.producer import Delivered, Producer
from b2stream.kafka.ranges import LogRange
from b2stream.kafka.security import Brokers, addresses

__all__ = ["Brokers", "Consumer", "Delivered", "LogRange", "Producer", "addresses", "read_range", "wait_until_answers"]
