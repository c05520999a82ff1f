"""Faults: where tests make the zone misbehave.

A fault names a call and says what happens to it: `delay` (seconds before it is done), `error` (a code instead of doing
it), `cut` (the connection is closed, nothing done), `drop_reply` (done, then the connection is closed without an
answer), `hang` (done after `clear`, or never), `pretend` (success is answered, nothing done), and for writes `store_half`
(the first half of each write) and `store_flipped` (one bit of each write is another). `after` calls pass before it takes
effect, then it happens `times` times.

They are set over the control port, a loopback socket that takes JSON lines and answers each with one:

    {"do": "add", "fault": {"call": "DATA_OBJ_RENAME", "action": "drop_reply", "times": 1, "path": "/part/of/a/path"}}
    {"do": "list"}   ->  {"faults": [{..., "hits": 1}]}
    {"do": "clear"}

`call` is a name of `numbers.Api`, `CONNECT`, or `*` for any; `path` keeps it to calls whose message, or whose open
object's path, contains that text. Faults end with the process.
"""

import json
import socketserver
import threading
from dataclasses import asdict, dataclass, field

ACTIONS = ("delay", "error", "cut", "drop_reply", "hang", "pretend", "store_half", "store_flipped")


@dataclass(slots=True)
class Fault:
    """One fault; see the module."""

    call: str
    action: str
    code: int = 0
    seconds: float = 0.0
    path: str = ""
    after: int = 0
    times: int = 1_000_000_000
    hits: int = field(default=0)

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"action is one of {', '.join(ACTIONS)}")


def stored_of(action: str, written: memoryview) -> bytes | memoryview:
    """What of a write reaches the disk."""
    if action == "pretend":
        return b""
    if action == "store_half":
        return written[: len(written) // 2]
    if action == "store_flipped":
        return bytes([written[0] ^ 1]) + written[1:]
    return written


class Cut(Exception):
    """Close this connection without an answer."""


class Faults:
    """The faults in force; empty unless a test says otherwise."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._cleared = threading.Event()

    @property
    def none(self) -> bool:
        """Whether no fault is in force."""
        return not self._faults

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        with self._lock:
            self._cleared.clear()
            self._faults.append(fault)

    def clear(self) -> None:
        """No faults any more; calls that hang go on."""
        with self._lock:
            self._faults.clear()
            self._cleared.set()

    def list(self) -> list[dict[str, object]]:
        """The faults in force with how often each took effect."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]

    def consult(self, call: str, message: bytes) -> Fault | None:
        """The fault for this call, if any, counted as a hit."""
        with self._lock:
            for fault in self._faults:
                if fault.call not in ("*", call) or fault.path.encode() not in message:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                elif fault.hits < fault.times:
                    fault.hits += 1
                    return fault
        return None

    def wait(self, fault: Fault) -> None:
        """A delay's seconds, or as long as a hang lasts; `clear` ends both."""
        self._cleared.wait(fault.seconds if fault.action == "delay" else None)


class ControlServer(socketserver.ThreadingTCPServer):
    """The control port: JSON lines on 127.0.0.1."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, faults: Faults) -> None:
        super().__init__(("127.0.0.1", 0), _ControlHandler)
        self.faults = faults

    @property
    def port(self) -> int:
        """The port that was free."""
        return int(self.server_address[1])


class _ControlHandler(socketserver.StreamRequestHandler):
    server: ControlServer

    def handle(self) -> None:
        for line in self.rfile:
            try:
                answer = self._answer(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                answer = {"error": str(error)}
            self.wfile.write(json.dumps(answer).encode() + b"\n")

    def _answer(self, request: dict[str, object]) -> dict[str, object]:
        faults, order = self.server.faults, request["do"]
        if order == "add":
            faults.add(Fault(**request["fault"]))  # type: ignore[arg-type]
        elif order == "clear":
            faults.clear()
        elif order != "list":
            raise ValueError("do is add, list or clear")
        return {"faults": faults.list()}
