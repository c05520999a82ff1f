"""Live status in Redis: per series the newest committed batch. Nothing decides by it; Redis away or empty changes no result."""

import json
import logging
import queue
import threading

import redis

from b2stream.contracts.canonical import iso_utc
from b2stream.errors import ConfigurationError
from b2stream.programs.processor.committing import Committed
from b2stream.settings import Redis
from b2stream.settings.passwords import password_of, without_password

_log = logging.getLogger(__name__)

_TIMEOUT_S = 0.5
_MOST_WAITING = 1_000


class LiveStatus:
    """Writes `<community>:series` (hash: `<station>/<series>` -> JSON) from a thread of its own; drops what Redis is too slow for.

    Raises ConfigurationError for an address that is none.
    """

    def __init__(self, settings: Redis, community: str) -> None:
        self._key = f"{community}:series"
        self._waiting: queue.Queue[Committed | None] = queue.Queue(_MOST_WAITING)
        self._thread: threading.Thread | None = None
        if settings.url:
            if without_password(settings.url) != settings.url:
                _log.warning(
                    "redis.url holds a password: others can see it; use redis.password_file or B2STREAM_REDIS_PASSWORD"
                )
            try:
                client = redis.Redis.from_url(
                    settings.url,
                    password=password_of("redis", settings.password_file),  # one in the URL wins
                    socket_timeout=_TIMEOUT_S,
                    socket_connect_timeout=_TIMEOUT_S,
                )
            except ValueError as error:  # the address itself stays out of it: it may hold a password
                raise ConfigurationError("redis.url is no address like redis://127.0.0.1:6379/0") from error
            self._thread = threading.Thread(target=self._write, args=(client,), name="live-status", daemon=True)
            self._thread.start()

    def committed(self, committed: Committed) -> None:
        """A batch was announced."""
        if self._thread is not None:
            try:
                self._waiting.put_nowait(committed)
            except queue.Full:
                _log.debug("Redis is too slow; a status is dropped")

    def close(self) -> None:
        """Stop writing."""
        if self._thread is not None and self._thread.is_alive():
            try:
                self._waiting.put_nowait(None)
            except queue.Full:
                return
            self._thread.join(2 * _TIMEOUT_S)

    def _write(self, client: redis.Redis) -> None:
        away = False
        while (committed := self._waiting.get()) is not None:
            event = committed.event
            status = {
                "batch": event.batch,
                "stem": event.stem,
                "rows": event.rows,
                "size_bytes": event.size_bytes,
                "stop": None if event.stop_us is None else iso_utc(event.stop_us),
                "committed_at": iso_utc(event.committed_at_us),
            }
            try:
                client.hset(self._key, f"{event.station}/{event.series}", json.dumps(status))
                away = False
            except redis.RedisError as error:
                if not away:
                    _log.warning("live status is not written: %s", error)
                away = True
