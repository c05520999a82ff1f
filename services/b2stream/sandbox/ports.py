"""Free ports on the loopback interface for the sandbox's servers.

They are taken from below the range that the kernel hands out to outgoing connections. Inside that range a client that
keeps reconnecting to a server which is down may be given the server's own port, even connect to itself (TCP's
simultaneous open), and then the server cannot come back.
"""

import contextlib
import random
import socket
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

LOWEST = 10_000
HIGHEST_WITHOUT_PROC = 32_000  # below what Linux (32768) and macOS (49152) use for outgoing connections
LOOPBACK = "127.0.0.1"
USUAL_PORTS = {"kafka": 9092, "redis": 6379, "rediss": 6379, "irods": 1247, "http": 80, "https": 443}

_given: set[int] = set()  # never the same port twice in one process, also while nobody listens there yet


def free_ports(count: int) -> list[int]:
    """`count` different ports of 127.0.0.1 on which nobody listens now."""
    highest = _highest()
    found: list[int] = []
    with contextlib.ExitStack() as held:
        for candidate in random.SystemRandom().sample(range(LOWEST, highest), highest - LOWEST):
            if len(found) == count:
                break
            if candidate not in _given and _bind(held, candidate):
                found.append(candidate)
        while len(found) < count:  # all taken: what the kernel offers is better than nothing
            held.enter_context(offered := socket.socket()).bind((LOOPBACK, 0))
            found.append(offered.getsockname()[1])
    _given.update(found)
    return found


def free_port() -> int:
    """One port of 127.0.0.1 on which nobody listens now."""
    return free_ports(1)[0]


def somebody_listens(port: int, *, timeout_s: float = 1.0) -> bool:
    """Whether a connection to 127.0.0.1:`port` is accepted."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_s):
            return True
    except OSError:
        return False


def host_in(address: str) -> str:
    """The host in HOST:PORT, or in a URL: `irods://user@host:1247/zone`."""
    return _split(address).hostname or LOOPBACK


def port_in(address: str) -> int:
    """The port in HOST:PORT, or in a URL; one that names none has its scheme's usual one."""
    parts = _split(address)
    return parts.port or USUAL_PORTS[parts.scheme]


def _split(address: str) -> SplitResult:
    return urlsplit(address if "://" in address else f"kafka://{address}")


def _highest() -> int:
    try:
        lowest_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        return HIGHEST_WITHOUT_PROC
    return lowest_outgoing if lowest_outgoing > LOWEST + 1000 else HIGHEST_WITHOUT_PROC


def _bind(held: contextlib.ExitStack, port: int) -> bool:
    candidate = socket.socket()
    try:
        candidate.bind((LOOPBACK, port))
    except OSError:
        candidate.close()
        return False
    held.enter_context(candidate)
    return True
