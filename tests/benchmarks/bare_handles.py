"""The ceiling of registering: the same records written by bare calls of as many threads, under other suffixes."""

import http.client
import json
import queue
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from b2stream.batches.identity import id24
from b2stream.contracts.records import BatchCommitted
from b2stream.handles.answers import document_of
from b2stream.handles.opening import open_handles, prefixes_from
from b2stream.handles.records import first_record
from b2stream.handles.rest import Login
from b2stream.handles.service import HandleRecord
from b2stream.settings import Settings
from b2stream.settings.passwords import password_of


def bare_calls(settings: Settings, commits: list[BatchCommitted], threads: int) -> float:
    """Records created per second by PUT alone, each thread with a kept connection of the standard library."""
    address = urlsplit(settings.handle.url)
    context = ssl.create_default_context(cafile=settings.handle.ca_file or None)
    login = Login(settings.handle.user, password_of("handle", settings.handle.password_file) or "")
    headers = {**login.header(certificate=False), "Content-Type": "application/json"}

    def writer() -> Callable[[HandleRecord], None]:
        connection = http.client.HTTPSConnection(address.hostname or "", address.port, context=context, timeout=60)
        connection.connect()

        def write(record: HandleRecord) -> None:
            body = json.dumps(document_of(record)).encode()
            connection.request("PUT", f"/api/handles/{record.handle}?overwrite=false", body, headers)
            answer = connection.getresponse()
            assert answer.status == 201, answer.read()
            answer.read()

        return write

    return _rate(_records(settings, commits, "bare"), threads, writer)


def own_client(settings: Settings, commits: list[BatchCommitted], threads: int) -> float:
    """The same through b2stream's client."""
    service = open_handles(settings.handle)

    def write(record: HandleRecord) -> None:
        assert service.create(record)

    try:
        return _rate(_records(settings, commits, "client"), threads, lambda: write)
    finally:
        service.close()


def _records(settings: Settings, commits: list[BatchCommitted], salt: str) -> list[HandleRecord]:
    """As the registrar writes them, under suffixes that nobody has."""
    prefixes = prefixes_from(settings)
    made = []
    for commit in commits:
        suffix = id24(commit.sha256[len(salt) :] + salt.encode().hex()[: len(salt)])
        made.append(replace(first_record(commit, prefixes), handle=f"{prefixes.first}/{suffix}"))
    return made


def _rate(records: list[HandleRecord], threads: int, writer: Callable[[], Callable[[HandleRecord], None]]) -> float:
    work: queue.SimpleQueue[HandleRecord] = queue.SimpleQueue()
    for record in records:
        work.put(record)
    ready = threading.Barrier(threads + 1)

    def run() -> None:
        write = writer()
        ready.wait()
        while True:
            try:
                record = work.get_nowait()
            except queue.Empty:
                return
            write(record)

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    ready.wait()
    began_s = time.monotonic()
    for worker in workers:
        worker.join()
    return len(records) / (time.monotonic() - began_s)
