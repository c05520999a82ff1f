"""What Prometheus is told of a gateway. One gateway per process, so no metric needs a station label: the target says it."""

from prometheus_client import Counter, Gauge

FILES = Counter("b2stream_gateway_files_published", "Files whose close Kafka acknowledged.")
ROWS = Counter("b2stream_gateway_rows_published", "Rows of these files.")
BYTES = Counter("b2stream_gateway_file_bytes_published", "Bytes of these files.")
OPAQUE = Counter("b2stream_gateway_opaque_files", "Files published without rows, by reason.", ["reason"])
RESENT = Counter("b2stream_gateway_batches_sent_again", "Batches sent again, by cause.", ["cause"])
UNFINISHED = Gauge("b2stream_gateway_files_without_commit", "Files sent that have no commit event yet.")
OLDEST_S = Gauge("b2stream_gateway_oldest_without_commit_seconds", "How long the oldest of them waits.")
REFUSED = Gauge("b2stream_gateway_files_refused", "Files whose latest content was refused; they need someone.")
LATE = Gauge("b2stream_gateway_files_late", "Files that wait for a commit event longer than gateway.shout_after_s.")
GONE = Gauge("b2stream_gateway_files_gone", "Files that have to be sent and are no longer in the folder.")
UNREADABLE = Gauge("b2stream_gateway_files_unreadable", "Files in the folder that cannot be read.")
KAFKA_WAIT_S = Gauge("b2stream_gateway_kafka_wait_seconds", "How long the gateway has waited for Kafka now; 0 if not.")
SCANNED_AT = Gauge("b2stream_gateway_last_scan_timestamp_seconds", "When the folder was last read, seconds since 1970.")
