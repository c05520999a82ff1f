"""A Handle server by its HTTP JSON API: a small client of our own.

pyhandle's test for a conflict can never be true: it compares the status with an answer that the server does not give when
`overwrite=false`, so it would overwrite what is there. This one creates with `overwrite=false` and believes the server.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from b2stream.errors import LostReply, Retryable
from b2stream.handles import answers
from b2stream.handles.answers import HANDLE_EXISTS, HANDLE_NOT_FOUND, SUCCESS, code_of, document_of, record_of
from b2stream.handles.connection import Answer, Connections, Tls
from b2stream.handles.service import HandleRecord

PAGE_HANDLES = 1_000


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in. `user` is `300:prefix/USER`, an index and the handle that holds the HS_SECKEY; empty: by certificate."""

    user: str = ""
    password: str = field(default="", repr=False)

    def header(self, *, certificate: bool) -> dict[str, str]:
        """The header of each request that needs rights; a certificate counts only where it is asked for."""
        if certificate:
            return {"Authorization": 'Handle clientCert="true"'}
        if not self.user:
            return {}
        # A colon ends the user name in Basic authentication, so the one inside it is escaped.
        text = f"{quote(self.user, safe='/')}:{self.password}"
        return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode("ascii")}


class RestHandles:
    """A `HandleService` at `https://host:port`. Each thread has a connection of its own."""

    def __init__(self, url: str, login: Login, tls: Tls | None = None, *, timeout_s: float = 30.0) -> None:
        tls = tls or Tls()
        self._connections = Connections(url, tls, timeout_s)
        self._login = login.header(certificate=bool(tls.certificate_file))

    def create(self, record: HandleRecord) -> bool:
        answer = self._write(record, overwrite=False)
        if answer.status == 409 and code_of(answer.document) == HANDLE_EXISTS:
            return False
        self._expect_success(answer, f"creating {record.handle}")
        return True

    def rewrite(self, record: HandleRecord) -> None:
        self._expect_success(self._write(record, overwrite=True), f"rewriting {record.handle}")

    def read(self, handle: str) -> HandleRecord | None:
        about = f"reading {handle}"
        # `auth` makes a server that also caches others' handles ask the authority, and not its cache.
        answer = self._connections.ask(f"{_path(handle)}?auth=true", self._login)
        if answer.status == 404 and code_of(answer.document) == HANDLE_NOT_FOUND:
            return None
        if answer.status != 200 or code_of(answer.document) != SUCCESS:
            raise self._refusal(answer, about, changes=False)
        try:
            return record_of(handle, answer.document)
        except (KeyError, TypeError, ValueError) as error:
            raise Retryable(f"{about}: the answer is no record: {error!r}") from error

    def delete(self, handle: str) -> None:
        answer = self._connections.tell("DELETE", _path(handle), self._login, None)
        if answer.status == 404 and code_of(answer.document) == HANDLE_NOT_FOUND:
            return
        self._expect_success(answer, f"deleting {handle}")

    def list(self, prefix: str) -> Iterator[str]:
        page = 0
        while True:
            query = urlencode({"prefix": prefix, "page": page, "pageSize": PAGE_HANDLES})
            answer = self._connections.ask(f"/api/handles?{query}", self._login)
            if answer.status != 200 or code_of(answer.document) != SUCCESS:
                raise self._refusal(answer, f"listing {prefix}", changes=False)
            handles = answer.document.get("handles", [])
            yield from handles
            if len(handles) < PAGE_HANDLES:
                return
            page += 1

    def close(self) -> None:
        self._connections.close()

    def _write(self, record: HandleRecord, *, overwrite: bool) -> Answer:
        headers = {**self._login, "Content-Type": "application/json"}
        path = f"{_path(record.handle)}?overwrite={'true' if overwrite else 'false'}"
        return self._connections.tell("PUT", path, headers, document_of(record))

    def _expect_success(self, answer: Answer, about: str) -> None:
        if answer.status in (200, 201) and code_of(answer.document) == SUCCESS:
            return
        if answer.status in (200, 201):  # a success that does not say so: broken on the way
            raise LostReply(f"{about} at {self._connections.address}: HTTP {answer.status} without its response code")
        raise self._refusal(answer, about, changes=True)

    def _refusal(self, answer: Answer, about: str, *, changes: bool) -> Any:
        return answers.refusal(
            answer.status, answer.document, f"{about} at {self._connections.address}", changes=changes
        )


def _path(handle: str) -> str:
    return "/api/handles/" + quote(handle, safe="/")
