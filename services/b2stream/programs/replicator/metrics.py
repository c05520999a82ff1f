"""What /metrics says of the replicator. Names end in their unit."""

from prometheus_client import Counter, Gauge, Histogram

from b2stream.work.meters import Meters, Standstill

LAG_EVENTS = Gauge(
    "b2stream_replicator_lag_events", "Commit events that are not replicated yet, of this process's partitions."
)
OLDEST_UNREPLICATED_SECONDS = Gauge(
    "b2stream_replicator_oldest_unreplicated_seconds",
    "Age of the oldest commit event that was read and is not replicated; 0 where there is none.",
)
WAITING_BATCHES = Gauge("b2stream_replicator_waiting_batches", "Batches that failed and wait for their next try.")
REFUSED_BATCHES = Gauge(
    "b2stream_replicator_refused_batches", "Different batches that a centre refused since one last got through."
)
COPIES_RUNNING = Gauge("b2stream_replicator_copies_running", "Copies in flight.")
CENTRE_AWAY = Gauge(
    "b2stream_replicator_centre_away",
    "1 while a centre answers nobody, or refuses everything for a quarter of an hour.",
)
COPIED_BYTES = Counter("b2stream_replicator_copied_bytes_total", "Bytes of objects placed at the second centre.")
COPIED_OBJECTS = Counter("b2stream_replicator_copied_objects_total", "Objects placed at the second centre.")
BATCHES = Counter(
    "b2stream_replicator_batches_total",
    "Commit events done with, by outcome: copied, already_there, one_copy_wanted, dead_letter.",
    ["outcome"],
)
DEBRIS = Counter(
    "b2stream_replicator_debris_total",
    "Staged objects at the second centre that could not be removed; a sweep takes them once they are a day old.",
)
FAILURES = Counter("b2stream_replicator_failures_total", "Tries that failed and are repeated, by reason.", ["reason"])
COPY_SECONDS = Histogram(
    "b2stream_replicator_copy_seconds",
    "Seconds from the start of a try to both objects in place.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
)
EVENT_TO_REPLICA_SECONDS = Histogram(
    "b2stream_replicator_event_to_replica_seconds",
    "Seconds from the commit event's append time to the acknowledged replica event.",
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 1000, 10_000, 100_000, 1_000_000),
)

METERS = Meters(
    lag_events=LAG_EVENTS,
    oldest_seconds=OLDEST_UNREPLICATED_SECONDS,
    waiting=WAITING_BATCHES,
    refused=REFUSED_BATCHES,
    running=COPIES_RUNNING,
    away=CENTRE_AWAY,
    outcomes=BATCHES,
    failures=FAILURES,
    event_to_done_seconds=EVENT_TO_REPLICA_SECONDS,
    standstill=Standstill.of("b2stream_replicator"),
)
CENTRE_ANSWERED_SECONDS = Gauge(
    "b2stream_replicator_centre_answered_seconds",
    "Seconds since the centre last did what a copy asked of it; it grows also while there is nothing to copy.",
    ["centre"],
)
