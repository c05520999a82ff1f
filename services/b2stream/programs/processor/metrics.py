"""What the processor measures, for Prometheus; units stand in the names."""

from prometheus_client import Counter, Gauge, Histogram

from b2stream.batches.assembling import Arrival
from b2stream.monitoring import Pauses

MESSAGES = Counter("b2stream_processor_messages_total", "Messages taken from the measurements topic.")
BLOCKS = Counter("b2stream_processor_blocks_total", "Blocks, by what became of them.", ["arrival"])
BLOCKS_BY_ARRIVAL = {arrival: BLOCKS.labels(arrival.value) for arrival in Arrival}
"""The same, looked up once: a look-up by label costs more than the count."""
COMMITTED = Counter("b2stream_processor_batches_committed_total", "Batches announced.")
COMMITTED_BYTES = Counter("b2stream_processor_committed_bytes_total", "Bytes of data objects of announced batches.")
COMMIT_SECONDS = Histogram(
    "b2stream_processor_commit_seconds",
    "One try of a commit, seconds.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300),
)
RETRIES = Counter("b2stream_processor_retries_total", "Tries of a commit to which nobody answered.")
STUCK = Counter("b2stream_processor_refused_total", "Tries of a commit that the centre refused, by reason.", ["reason"])
DEBRIS = Counter(
    "b2stream_processor_debris_total",
    "Staged objects at the first centre that could not be removed; a sweep takes them once they are a day old.",
)
DEAD_LETTERS = Counter("b2stream_processor_dead_letters_total", "Dead letters, by reason.", ["reason"])
REFUSED_CLOSES = Counter(
    "b2stream_processor_closes_refused_total",
    "Closes that are not their station's own, or that its description does not allow, by reason.",
    ["reason"],
)
WAITING_CLOSES = Gauge(
    "b2stream_processor_closes_waiting", "Closes that wait for their key to be published, an hour at most."
)
DESCRIPTIONS_PASSED_OVER = Gauge(
    "b2stream_processor_descriptions_passed_over",
    "Stations whose newest description on the topic is not believed; what was known before stays.",
)
EVICTIONS = Counter(
    "b2stream_processor_evictions_total", "Attempts that left the spool and are read again at their close."
)
OPEN_ATTEMPTS = Gauge("b2stream_processor_open_attempts", "Attempts without a close.")
REFUSED_ATTEMPTS = Counter(
    "b2stream_processor_attempts_refused_total",
    "Attempts that became dead letters because more than processor.open_attempts were open.",
)
CLOSED_BATCHES = Gauge("b2stream_processor_closed_batches", "Closed batches that are not announced yet.")
SPOOL_BYTES = Gauge("b2stream_processor_spool_bytes", "Bytes in the spool.")
LAG_MESSAGES = Gauge("b2stream_processor_lag_messages", "Messages between what is acknowledged and the end of the log.")
OLDEST_SECONDS = Gauge(
    "b2stream_processor_acknowledged_age_seconds", "Age of the oldest message that is not acknowledged."
)
STUCK_NOW = Gauge("b2stream_processor_stuck_batches", "Batches that the centre refused at their last try.")
UNANSWERED_NOW = Gauge(
    "b2stream_processor_unanswered_batches", "Batches whose last try found nobody who answers; they wait for the next."
)
CENTRE_ANSWERED_SECONDS = Gauge(
    "b2stream_processor_centre_answered_seconds",
    "Seconds since the centre last did what a commit asked of it; it grows also while there is nothing to commit.",
    ["centre"],
)
OUTAGE_SECONDS = Gauge(
    "b2stream_processor_outage_seconds", "For how long every try of a commit has failed; 0 while one succeeds."
)
LETTERS_TRIPPED = Gauge(
    "b2stream_processor_dead_letter_limit_tripped",
    "1 while dead letters come faster than processor.dead_letters_per_minute, and reading stands still again and again.",
)
PAUSES = Pauses(
    "b2stream_processor",
    ("closed_limit", "dead_letters_waiting", "dead_letter_rate", "schema_registry", "open_attempts"),
)
