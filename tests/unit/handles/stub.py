"""A Handle server for tests: it keeps records, and answers with what a real one was recorded to answer in each case.

It can do what the real one will not: fail with any status, hang up before or after the work, be slow, ask for a client certificate.
"""

import base64
import json
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

FIXTURE = Path(__file__).parents[2] / "fixtures" / "handle" / "recordings.jsonl"
RECORDINGS: dict[str, dict[str, Any]] = {
    each["name"]: each for each in map(json.loads, FIXTURE.read_text(encoding="utf-8").splitlines())
}
PREFIX = "21.T99999"
USER = f"300:{PREFIX}/USER01"
PASSWORD = "sandbox-secret"
_LEFT_OUT = {"transfer-encoding", "content-length", "set-cookie"}  # what belongs to the connection, not to the answer


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with one request: a recorded answer by name, a status, or a connection that breaks.

    `done`: the request is carried out all the same. `held` makes the server wait for it before anything else.
    """

    recording: str = ""
    status: int = 0
    body: bytes = b""
    hang_up: bool = False
    done: bool = False
    held: threading.Event | None = None


@dataclass
class StubHandleServer:
    """Listens on a free port of 127.0.0.1 while used as a context manager. `seen` has method, path and headers of each request."""

    tls: ssl.SSLContext | None = None
    records: dict[str, tuple[str, list[Any]]] = field(default_factory=dict)
    troubles: list[Trouble] = field(default_factory=list)  # for the next requests, in order
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    accepts_certificates: bool = False

    def __enter__(self) -> "StubHandleServer":
        stub = self

        class Handler(_Handler):
            owner = stub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if self.tls:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def next_trouble(self) -> Trouble | None:
        with self._lock:
            return self.troubles.pop(0) if self.troubles else None

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[str, dict[str, Any], int | None]:
        """The recording whose answer this request gets, what replaces members of its body, and another status."""
        parts = urlsplit(path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        handle = unquote(parts.path.removeprefix("/api/handles").removeprefix("/"))
        login = self._login(headers)
        if login == "wrong" or (login == "none" and (method != "GET" or not handle)):
            return ("bad-password" if login == "wrong" else "no-auth"), {"handle": handle}, None
        if method == "GET" and not handle:
            return self._list(query)
        if not handle.casefold().startswith(f"{PREFIX}/".casefold()):
            recording = {"GET": "wrong-prefix-get", "PUT": "wrong-prefix-create"}.get(method, "wrong-prefix-delete")
            return recording, {"handle": handle}, None
        with self._lock:
            return getattr(self, f"_{method.lower()}")(handle, query, body)  # type: ignore[no-any-return]

    def _login(self, headers: dict[str, str]) -> str:
        given = headers.get("authorization", "")
        if not given:
            return "none"
        if given == 'Handle clientCert="true"':
            return "right" if self.accepts_certificates else "wrong"
        user, _, password = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")
        return "right" if (unquote(user), password) == (USER, PASSWORD) and "%3A" in user else "wrong"

    def _get(self, handle: str, _query: dict[str, str], _body: bytes) -> tuple[str, dict[str, Any], int | None]:
        found = self.records.get(handle.casefold())
        if found is None:
            return "get-missing", {"handle": handle}, None
        return "get", {"handle": handle, "values": found[1]}, None

    def _put(self, handle: str, query: dict[str, str], body: bytes) -> tuple[str, dict[str, Any], int | None]:
        exists = handle.casefold() in self.records
        if exists and query.get("overwrite") == "false":
            return "create-conflict", {"handle": handle}, None
        values = sorted(json.loads(body)["values"], key=lambda value: value["index"])
        more = {"ttl": 86400, "timestamp": "2026-11-23T06:23:50Z"}
        self.records[handle.casefold()] = (handle, [{**value, **more} for value in values])
        return ("put-overwrite-true-existing" if exists else "create"), {"handle": handle}, None

    def _delete(self, handle: str, _query: dict[str, str], _body: bytes) -> tuple[str, dict[str, Any], int | None]:
        found = self.records.pop(handle.casefold(), None)
        return ("delete-missing" if found is None else "delete"), {"handle": handle}, None

    def _list(self, query: dict[str, str]) -> tuple[str, dict[str, Any], int | None]:
        prefix, page, size = query["prefix"], int(query["page"]), int(query["pageSize"])
        with self._lock:
            all_of_it = sorted(handle.upper() for handle, _ in self.records.values() if handle.startswith(prefix + "/"))
        shown = all_of_it[page * size : (page + 1) * size]
        said = {
            "prefix": prefix,
            "page": page,
            "pageSize": size,
            "totalCount": str(len(all_of_it)),
            "handles": shown,
        }
        return "list-handles", said, None


class _Handler(BaseHTTPRequestHandler):
    owner: StubHandleServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (OSError, ssl.SSLError):  # a client that went away, or one whose handshake failed
            self.close_connection = True

    def _do(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        self.owner.seen.append((self.command, self.path, headers))
        if not self.path.startswith("/api/"):
            self._redirect(unquote(self.path.removeprefix("/")))
            return
        trouble = self.owner.next_trouble()
        if trouble is None:
            self._send(*self.owner.answer(self.command, self.path, headers, body))
            return
        if trouble.held is not None:
            trouble.held.wait(60)
        if trouble.done:
            self.owner.answer(self.command, self.path, headers, body)
        if trouble.hang_up:
            self.close_connection = True
            self.connection.close()
        elif trouble.recording:
            self._send(trouble.recording, {}, None)
        else:
            self._send_raw(trouble.status, [("Content-Type", "text/html")], trouble.body)

    do_GET = do_PUT = do_DELETE = _do  # noqa: N815  # http.server's names

    def _redirect(self, handle: str) -> None:
        """Send whoever asks for a handle to its URL, as the server at the handle's own address does."""
        _, values = self.owner.records.get(handle.casefold(), ("", []))
        url = next((value["data"]["value"] for value in values if value["type"] == "URL"), None)
        if url is None:
            self._send("proxy-redirect-missing", {}, None)
        else:
            recorded = RECORDINGS["proxy-redirect"]["response"]
            self._send_raw(recorded["status"], [("Location", url)], recorded["text"].encode())

    def _send(self, recording: str, said: dict[str, Any], status: int | None) -> None:
        response = RECORDINGS[recording]["response"]
        document = response["json"]
        body = json.dumps({**document, **said}).encode() if document is not None else (response["text"] or "").encode()
        headers = [(name, value) for name, value in response["headers"] if name.lower() not in _LEFT_OUT]
        self._send_raw(status or response["status"], headers, body)

    def _send_raw(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # http.server's name
        """Nothing: the tests look at what was seen."""
