"""Does it answer? One question for each kind of part, asked as its clients ask; an open port alone is no answer."""

import contextlib
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

from b2stream import kafka
from b2stream.sandbox import programs, redis_server
from b2stream.sandbox.handle import server as handle_server
from b2stream.sandbox.ports import host_in, port_in
from b2stream.sandbox.records import Part

ANSWER_S = 3.0
State = Literal["up", "silent", "down", "none"]
# What an iRODS client says first; a server answers with its version, or asks how to encrypt.
_STARTUP = (
    b"<StartupPack_PI><irodsProt>1</irodsProt><reconnFlag>0</reconnFlag><connectCnt>0</connectCnt>"
    b"<proxyUser>nobody</proxyUser><proxyRcatZone>none</proxyRcatZone><clientUser>nobody</clientUser>"
    b"<clientRcatZone>none</clientRcatZone><relVersion>rods4.3.0</relVersion><apiVersion>d</apiVersion>"
    b"<option>b2stream</option></StartupPack_PI>"
)


@dataclass(frozen=True)
class Health:
    """A part and how it is: up; silent (its process is there, but does not answer); down; none (left out on purpose)."""

    part: Part
    state: State

    @property
    def good(self) -> bool:
        return self.state in ("up", "none")


def ask_all(parts: list[Part]) -> list[Health]:
    """Ask all parts at once; takes a few seconds at most."""
    if not parts:
        return []
    with ThreadPoolExecutor(len(parts)) as pool:
        return list(pool.map(ask, parts))


def ask(part: Part) -> Health:
    """How one part is."""
    if part.pid is None and not part.address:
        return Health(part, "none")
    if part.pid is not None and not part.running:
        return Health(part, "down")
    if part.address and _question_for(part)(part.address):
        return Health(part, "up")
    return Health(part, "silent" if part.pid is not None else "down")


def irods_answers(address: str) -> bool:
    """Whether an iRODS server at `irods://user@host:port/…` answers a client's first message."""
    header = b"<MsgHeader_PI><type>RODS_CONNECT</type><msgLen>%d</msgLen><errorLen>0</errorLen><bsLen>0</bsLen>"
    header = header % len(_STARTUP) + b"<intInfo>0</intInfo></MsgHeader_PI>"
    with contextlib.suppress(OSError):
        where = (host_in(address), port_in(address))
        with socket.create_connection(where, timeout=ANSWER_S) as connection:
            connection.sendall(len(header).to_bytes(4, "big") + header + _STARTUP)
            return len(connection.recv(4)) > 0
    return False


def redis_answers(address: str) -> bool:
    """Whether Redis answers there; behind TLS an open port has to do."""
    if address.startswith("rediss://"):
        with contextlib.suppress(OSError), socket.create_connection((host_in(address), port_in(address)), ANSWER_S):
            return True
        return False
    return redis_server.answers(port_in(address), host_in(address))


def _program_ready(address: str) -> bool:
    return programs.ready(address)[0]


def _question_for(part: Part) -> Callable[[str], bool]:
    if part.kind == "program":
        return _program_ready
    return _QUESTIONS[part.name.partition("-")[0]]  # kafka-2 is asked as kafka is


_QUESTIONS: dict[str, Callable[[str], bool]] = {
    "kafka": lambda address: kafka.wait_until_answers(address, ANSWER_S),
    "redis": redis_answers,
    "handle": handle_server.answers,
    "first": irods_answers,
    "second": irods_answers,
}
