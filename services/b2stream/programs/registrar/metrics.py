"""What /metrics says of the registrar. Names end in their unit."""

from prometheus_client import Counter, Gauge, Histogram

from b2stream.work.meters import Meters, Standstill

LAG_EVENTS = Gauge(
    "b2stream_registrar_lag_events",
    "Commit and replica events that are not registered yet, of this process's partitions.",
)
OLDEST_UNREGISTERED_SECONDS = Gauge(
    "b2stream_registrar_oldest_unregistered_seconds",
    "Age of the oldest event that was read and is not registered; 0 where there is none.",
)
WAITING_BATCHES = Gauge("b2stream_registrar_waiting_batches", "Events that failed and wait for their next try.")
REFUSED_BATCHES = Gauge(
    "b2stream_registrar_refused_batches", "Different batches that a server refused since one last got through."
)
REGISTRATIONS_RUNNING = Gauge("b2stream_registrar_registrations_running", "Registrations in flight.")
SERVER_AWAY = Gauge(
    "b2stream_registrar_server_away",
    "1 while the Handle server or a centre answers nobody, or refuses everything for a quarter of an hour.",
)
EVENTS = Counter(
    "b2stream_registrar_events_total",
    "Events done with, by outcome: created, rewritten, unchanged, elsewhere, dead_letter.",
    ["outcome"],
)
CONFLICTS = Counter(
    "b2stream_registrar_conflicts_total", "Tries that found a PID record of another content; each event is tried twice."
)
FAILURES = Counter("b2stream_registrar_failures_total", "Tries that failed and are repeated, by reason.", ["reason"])
EVENT_TO_RECORD_SECONDS = Histogram(
    "b2stream_registrar_event_to_record_seconds",
    "Seconds from the event's append time to its record and attributes.",
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 1000, 10_000, 100_000, 1_000_000),
)

METERS = Meters(
    lag_events=LAG_EVENTS,
    oldest_seconds=OLDEST_UNREGISTERED_SECONDS,
    waiting=WAITING_BATCHES,
    refused=REFUSED_BATCHES,
    running=REGISTRATIONS_RUNNING,
    away=SERVER_AWAY,
    outcomes=EVENTS,
    failures=FAILURES,
    event_to_done_seconds=EVENT_TO_RECORD_SECONDS,
    standstill=Standstill.of("b2stream_registrar"),
)
