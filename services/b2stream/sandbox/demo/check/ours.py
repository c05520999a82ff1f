"""Which batches this run must answer for: a root or a Kafka that was there before may hold those of earlier runs and of others."""

from dataclasses import dataclass
from typing import Any

from .centres import Found
from .manifests import Batch

Source = tuple[str, str, str]  # station, file name, SHA-256


@dataclass(frozen=True)
class Ours:
    """What was fed, and what this Kafka has of it. Of servers that nobody shares everything is ours."""

    fed: frozenset[Source] = frozenset()
    topic_id: str | None = None  # of this Kafka's measurements; None where that was not asked
    repeated: frozenset[str] = frozenset()  # batches that lay there before, and were closed again on this Kafka
    kafka_shared: bool = False

    def closed(self, found: Found, batch: Batch) -> bool:
        """Whether the close in a manifest is one that this Kafka has."""
        if not found.centre.shared or self.topic_id is None:
            return True
        log = batch.document.get("log", {})
        return (batch.station, batch.name, batch.sha256) in self.fed and log.get("topic_id") == self.topic_id

    def announced(self, found: Found, batch: Batch) -> bool:
        """Whether this Kafka must have the batch's events: it has a close of it, the manifest's or a later one."""
        if self.closed(found, batch):
            return True
        return (batch.station, batch.name, batch.sha256) in self.fed and batch.id in self.repeated

    def told(self, event: dict[str, Any]) -> bool:
        """Whether a commit event is of something that was fed here; on a Kafka of our own it has to be."""
        named = event["station"], event["name"] or event["stem"], event["sha256"]
        return not self.kafka_shared or named in self.fed


EVERYTHING = Ours()
