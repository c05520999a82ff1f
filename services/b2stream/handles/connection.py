"""HTTP over one kept connection per thread: verified TLS, a deadline, and a clear word about what is known after a failure.

The standard library's client is used because it reads no environment: neither proxies nor REQUESTS_CA_BUNDLE or the like
may lead credentials elsewhere, or replace the CA that the settings name.
"""

import contextlib
import http.client
import json
import ssl
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from b2stream.errors import ConfigurationError, LostReply, Retryable

IDLE_LIMIT_S = 10.0
"""A connection that was idle for longer is not used for a write: a server that closed it meanwhile would look like a lost reply."""
LARGEST_ANSWER_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers in lower case, and the JSON of the body, None where it has none or no JSON."""

    status: int
    headers: Mapping[str, str]
    document: Any


@dataclass(frozen=True, slots=True)
class Tls:
    """`ca_file`: the CA that is trusted, empty for the system's. A client certificate and its key, where it is used to log in."""

    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


class Connections:
    """The connections to one server, one per thread, each used for one request after the other."""

    def __init__(self, url: str, tls: Tls, timeout_s: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise ConfigurationError("handle.url is not https://host:port, without user, password or query")
        self.address = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._host = parts.hostname
        self._port = parts.port
        self._path = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._context = _context(tls) if parts.scheme == "https" else None
        self._local = threading.local()
        self._open: weakref.WeakSet[http.client.HTTPConnection] = weakref.WeakSet()
        self._lock = threading.Lock()

    def ask(self, path: str, headers: Mapping[str, str]) -> Answer:
        """GET. Tried again once on a fresh connection: the kept one may be from before a restart. Raises Retryable."""
        for again in (True, False):
            fresh = getattr(self._local, "connection", None) is None
            try:
                return self._exchange("GET", path, headers, None)
            except LostReply as error:
                if fresh or not again:
                    raise Retryable(error.detail) from error
        raise AssertionError("unreachable")

    def tell(self, method: str, path: str, headers: Mapping[str, str], document: Any) -> Answer:
        """A request that changes something: made once. Raises LostReply where nobody knows whether it was carried out."""
        if time.monotonic() - getattr(self._local, "used_s", 0.0) > IDLE_LIMIT_S:
            self._drop()
        return self._exchange(method, path, headers, document)

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            opened = list(self._open)
        for connection in opened:
            connection.close()

    def _exchange(self, method: str, path: str, headers: Mapping[str, str], document: Any) -> Answer:
        about = f"{method} {self.address}{path.partition('?')[0]}"
        connection = self._connected(about)
        body = None if document is None else json.dumps(document).encode()
        try:
            connection.request(method, self._path + path, body, dict(headers))
            response = connection.getresponse()
            content = response.read(LARGEST_ANSWER_BYTES)
            if response.will_close:
                self._drop()
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            raise LostReply(f"{about}: {type(error).__name__} {error}") from error
        except BaseException:
            self._drop()
            raise
        self._local.used_s = time.monotonic()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, _json(content))

    def _connected(self, about: str) -> http.client.HTTPConnection:
        """This thread's connection, open, so that a failure to connect is never taken for a lost reply."""
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is not None and connection.sock is not None:
            return connection
        if self._context is not None:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=self._timeout_s, context=self._context
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.connect()
        except ssl.SSLCertVerificationError as error:
            raise ConfigurationError(f"{about}: {error.verify_message}; handle.ca_file must hold its CA") from error
        except OSError as error:
            raise Retryable(f"{about}: {type(error).__name__} {error}") from error
        self._local.connection = connection
        with self._lock:
            self._open.add(connection)
        return connection

    def _drop(self) -> None:
        connection = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()


def _context(tls: Tls) -> ssl.SSLContext:
    """A context that always verifies, chain and host name."""
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=tls.ca_file or None)
        if tls.certificate_file:
            context.load_cert_chain(tls.certificate_file, tls.key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(
            f"handle.ca_file, handle.certificate_file or handle.key_file cannot be used: {error}"
        ) from error
    return context


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
