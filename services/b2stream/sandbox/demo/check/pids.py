"""PID records by plain HTTP: each content has exactly one, with its checksum and its places, and none is of nothing."""

import base64
import http.client
import json
import ssl
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from .canonical import id24, irods_checksum
from .centres import Found
from .findings import Findings
from .manifests import Batch
from .plan import CannotCheck, Handle, read_password

ANSWER_S = 60.0
PAGE = 1000
SINGLE = ("URL", "EUDAT/CHECKSUM", "EUDAT/REPLICA")  # one place per centre
COUNTED = "PID records with their content's checksum and places"


class Registry:
    """A Handle server. Raises CannotCheck where it does not answer."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        parts = urlsplit(handle.url)
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=handle.ca_file)
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=ANSWER_S, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(host, port, timeout=ANSWER_S)

    def record(self, pid: str) -> dict[str, list[Any]] | None:
        """Values by type, None where there is no record."""
        status, _, document = self._get(f"/api/handles/{quote(pid)}")
        if status == http.HTTPStatus.NOT_FOUND and document.get("responseCode") == 100:
            return None
        if status != http.HTTPStatus.OK:
            raise CannotCheck(f"{pid}: HTTP {status} {document}")
        found: dict[str, list[Any]] = {}
        for value in document["values"]:
            found.setdefault(value["type"], []).append(value["data"]["value"])
        return found

    def resolved(self, pid: str) -> str:
        """Where the server sends whoever asks for a PID; empty where nowhere."""
        _, location, _ = self._get(f"/{quote(pid)}")
        return location

    def all_pids(self) -> list[str]:
        """Every handle under the prefix, in lower case: a server may give them in capitals."""
        password = read_password(self._handle.password) or ""
        login = base64.b64encode(f"{quote(self._handle.user, safe='/')}:{password}".encode()).decode()
        found: list[str] = []
        for page in range(1_000_000):
            query = urlencode({"prefix": self._handle.prefix, "page": page, "pageSize": PAGE})
            status, _, document = self._get(f"/api/handles?{query}", {"Authorization": f"Basic {login}"})
            if status != http.HTTPStatus.OK:
                raise CannotCheck(f"handles of {self._handle.prefix}: HTTP {status} {document}")
            found += [handle.lower() for handle in document["handles"]]
            if len(document["handles"]) < PAGE:
                break
        return found

    def close(self) -> None:
        self._connection.close()

    def _get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, str, dict[str, Any]]:
        try:
            self._connection.request("GET", path, headers=headers or {})
            answer = self._connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise CannotCheck(f"{self._handle.url} does not answer: {error!r}") from error
        try:
            document = json.loads(body)
        except ValueError:
            document = {}
        return answer.status, answer.getheader("Location") or "", document


def check_pids(handle: Handle, first: Found, second: Found, fed: set[str], findings: Findings) -> None:
    """Compare the records with what lies at the centres. `fed` are the SHA-256 of the sources: where others write into the root as
    well, only these were announced here. Raises CannotCheck.
    """
    contents: dict[str, list[Batch]] = {}
    for batch in first.batches.values():
        if not first.centre.shared or batch.sha256 in fed:
            contents.setdefault(batch.sha256, []).append(batch)
    registry = Registry(handle)
    try:
        for sha256, batches in sorted(contents.items()):
            _check_record(registry, f"{handle.prefix}/{id24(sha256)}", sha256, batches, (first, second), findings)
        if not handle.shared:
            ours = {f"{handle.prefix}/{id24(sha256)}".lower() for sha256 in contents}
            for pid in registry.all_pids():
                if pid not in ours and pid != handle.user.partition(":")[2].lower():
                    findings.add("I6", f"{pid} is registered, and there is no data object of its content")
    finally:
        registry.close()


def _check_record(
    registry: Registry, pid: str, sha256: str, batches: list[Batch], centres: tuple[Found, Found], findings: Findings
) -> None:
    first, second = centres
    place = first.file_of(batches[0].path)
    listed = registry.record(pid)
    if listed is None:
        findings.add("I6", f"{pid} is not registered", **place)
        return
    for kind in SINGLE:
        if len(listed.get(kind, [])) > 1:
            findings.add("I6", f"{pid}: it has {len(listed[kind])} values of {kind}, where one belongs", **place)
    record = {kind: values[0] for kind, values in listed.items()}
    findings.count("I6", COUNTED)
    if record.get("EUDAT/CHECKSUM") != irods_checksum(sha256):
        told = f"its EUDAT/CHECKSUM is {record.get('EUDAT/CHECKSUM')}, the content's is {irods_checksum(sha256)}"
        findings.add("I6", f"{pid}: {told}", **place)
    for kind, found in (("URL", first), ("EUDAT/REPLICA", second)):
        named = unquote(str(record.get(kind)))
        if named.startswith("irods://") or kind == "URL":
            if named not in {_address(found, batch) for batch in batches}:
                findings.add("I6", f"{pid}: its {kind} is {named}, where the content does not lie", **place)
        elif kind not in record:
            findings.add("I6", f"{pid}: it names no copy", **place)
    if registry.resolved(pid) != record.get("URL"):
        findings.add("I6", f"{pid}: the server does not lead to its URL", **place)
    findings.count("I6", "PIDs that the Handle server resolves")


def _address(found: Found, batch: Batch) -> str:
    account = found.centre.account
    return f"irods://{account['host']}:{account['port']}{found.centre.root}/{batch.path}"
