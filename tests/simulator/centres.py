"""A centre in memory that may fail at any call, and each process's own way to it."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from b2stream.archive.attributes import Attributes
from b2stream.archive.memory import MemoryStore
from b2stream.archive.objects import MANIFEST_SUFFIX
from b2stream.archive.store import Chunk, ObjectState, Placement, ReplicaStatus
from b2stream.errors import LostReply, Retryable, Stuck
from tests.simulator.agenda import Agenda, Dead
from tests.simulator.process import Process

Answer = TypeVar("Answer")

REPLY_TIMEOUT_S = 20.0

ANY_CALL = ("away", "lost", "done, lost", "hangs, then done", "refused")
OF_STAGING = ("stored short", "stored flipped", "stored nothing", "left stale", "left intermediate")
OF_PLACING = ("same is there", "other is there", "moved nothing", "damaged while moved")
OF_READING = ("read flipped", "read short")
KINDS = (*ANY_CALL, *OF_STAGING, *OF_PLACING, *OF_READING)
"""What may go wrong with a call; those of one call alone wait for the next of its kind."""
OF_SECOND = tuple(kind for kind in KINDS if kind not in OF_READING)
"""There hardly anything is ever read."""
_CALL_OF = {
    **dict.fromkeys(OF_STAGING, "stage"),
    **dict.fromkeys(OF_PLACING, "place"),
    **dict.fromkeys(OF_READING, "read"),
}


class Placed(dict[str, Any]):
    """What lies at final paths; notes each change that I4 forbids. While `theirs` somebody else is at work, who may do that."""

    def __init__(self) -> None:
        super().__init__()
        self.forbidden: list[str] = []
        self.theirs = False

    def __setitem__(self, path: str, stored: Any) -> None:
        before = self.get(path)
        if before is not None and not self.theirs and before.content != stored.content:
            self.forbidden.append(f"{path} was replaced")
        super().__setitem__(path, stored)

    def __delitem__(self, path: str) -> None:
        if not self.theirs:
            self.forbidden.append(f"{path} was removed")
        super().__delitem__(path)

    def pop(self, path: str, *default: Any) -> Any:
        if not self.theirs:
            self.forbidden.append(f"{path} was taken away")
        return super().pop(path, *default)


class Server:
    """Something that answers calls, and what will go wrong at which of them."""

    def __init__(self, agenda: Agenda, latency_s: Callable[[], float]) -> None:
        self.agenda = agenda
        self.latency_s = latency_s
        self.faults: dict[int, str] = {}
        self._next_of: dict[str, str] = {}  # call: what the next one will meet
        self.away_until_s = 0.0
        self.refuses_until_s = 0.0
        self.calls = 0
        self.hit: Counter[str] = Counter()
        self.on_fault: Callable[[str], None] = lambda kind: None

    def heal(self) -> None:
        """Nothing fails any more."""
        self.faults.clear()
        self._next_of.clear()
        self.away_until_s = self.refuses_until_s = 0.0

    def fault(self, call: str) -> str:
        """What goes wrong with this call; empty where nothing does."""
        self.calls += 1
        kind = self.faults.pop(self.calls, "") if self.faults else ""
        if kind in _CALL_OF:
            self._next_of[_CALL_OF[kind]] = kind
            kind = ""
        kind = kind or self._next_of.pop(call, "")
        if not kind and self.agenda.now_s < self.away_until_s:
            kind = "away"
        if not kind and self.agenda.now_s < self.refuses_until_s:
            kind = "refused"
        if kind:
            self.hit[kind] += 1
            self.on_fault(kind)
        return kind


class Centre(Server):
    """What a centre holds."""

    def __init__(self, name: str, agenda: Agenda, latency_s: Callable[[], float]) -> None:
        super().__init__(agenda, latency_s)
        self.memory = MemoryStore(name, reply_timeout_s=REPLY_TIMEOUT_S, now=lambda: agenda.now_s)
        self.placed = self.memory._placed = Placed()
        self.foreign: set[str] = set()

    def heal(self) -> None:
        """Nothing fails any more; what others laid in our way, or damaged, is taken away by hand, with what lies beside it."""
        super().heal()
        self.placed.theirs = True
        for path in {path.removesuffix(MANIFEST_SUFFIX) for path in self.foreign}:
            for each in {path, path + MANIFEST_SUFFIX} & self.placed.keys():
                del self.placed[each]
        self.placed.theirs = False
        self.foreign.clear()

    def lay(self, path: str, content: bytes) -> None:
        """Somebody else lays an object at a final path, if none is there."""
        if path not in self.placed:
            self.memory.put(path, content)


class Way:
    """The way of one process to a server. Each call may be killed, fail, or see others overtake it."""

    def __init__(self, server: Server, process: Process) -> None:
        self._server = server
        self._process = process

    def _ask(self, call: str, look: Callable[[], Answer]) -> Answer:
        return self._answer(call, self._sent(call), look, late=lambda: None)

    def _change(self, call: str, change: Callable[[], Answer]) -> Answer:
        return self._answer(call, self._sent(call), change, late=None)

    def _sent(self, call: str) -> str:
        """The request leaves; what will go wrong with it. Raises what the centre answers at once."""
        process = self._process
        process.step(call)
        kind = self._server.fault(call)
        process.pause(self._server.latency_s())
        if kind == "away":
            raise Retryable(call)
        if kind == "refused":
            raise Stuck(call)
        return kind

    def _answer(self, call: str, kind: str, act: Callable[[], Answer], late: Callable[[], object] | None) -> Answer:
        """Carry it out and bring the answer back, or lose one of them. `late` is what a centre that hung still does, else `act`."""
        if kind == "lost":
            self._process.pause(self._server.latency_s())
            raise LostReply(call)
        if kind == "hangs, then done":
            # Before or after the client has given up waiting, and maybe after it has looked.
            self._server.agenda.after(REPLY_TIMEOUT_S * 30 * self._server.latency_s(), lambda: _quietly(late or act))
            self._process.pause(REPLY_TIMEOUT_S)
            raise LostReply(call)
        answer = act()
        self._arrived(call)
        if kind == "done, lost":
            raise LostReply(call)
        return answer

    def _arrived(self, call: str) -> None:
        self._process.step(f"{call} is done")
        self._process.pause(self._server.latency_s())


class Client(Way):
    """An `ObjectStore`: the way of one process to a centre."""

    def __init__(self, centre: Centre, process: Process) -> None:
        super().__init__(centre, process)
        self._there = centre
        self._memory = centre.memory

    @property
    def centre(self) -> str:
        return self._memory.centre

    @property
    def reply_timeout_s(self) -> float:
        return REPLY_TIMEOUT_S

    def url(self, path: str) -> str:
        return self._memory.url(path)

    def stage(self, staged_name: str, chunks: Iterable[Chunk], size_bytes: int, sha256: str) -> None:
        kind = self._sent("stage")
        self._memory.put_staged(staged_name, b"", status=ReplicaStatus.INTERMEDIATE, sha256=None)
        try:
            content = b"".join(bytes(chunk) for chunk in chunks)
        except BaseException:
            self._memory.put_staged(staged_name, b"", status=ReplicaStatus.STALE, sha256=None)
            raise

        def store() -> None:
            if len(content) != size_bytes:  # as iRODS does it: silent, without a checksum, and never good
                self._memory.put_staged(staged_name, content, status=ReplicaStatus.STALE, sha256=None)
            else:
                del self._memory._staged[staged_name]
                self._memory.stage(staged_name, [content], size_bytes, sha256)

        if kind in OF_STAGING:
            self._store_badly(kind, staged_name, content)
            self._arrived("stage")
            if kind.startswith("left"):
                raise LostReply(kind)
        else:
            self._answer("stage", kind, store, late=store)

    def describe_staged(self, staged_name: str) -> ObjectState | None:
        return self._ask("describe staged", lambda: self._memory.describe_staged(staged_name))

    def find_staged(self, *staged_names: str) -> list[ObjectState]:
        return self._ask("find staged", lambda: self._memory.find_staged(*staged_names))

    def discard_staged(self, staged_name: str) -> None:
        self._change("discard staged", lambda: self._memory.discard_staged(staged_name))

    def place(self, staged_name: str, path: str) -> Placement:
        kind = self._sent("place")
        staged = self._memory._staged.get(staged_name)
        if kind == "same is there" and staged is not None:
            self._there.lay(path, staged.content)
        elif kind == "other is there" and path not in self._there.placed:
            self._there.lay(path, b"laid here by somebody else")
            self._there.foreign.add(path)
        return self._answer(
            "place", "" if kind in OF_PLACING else kind, lambda: self._placed(kind, staged_name, path), late=None
        )

    def _placed(self, kind: str, staged_name: str, path: str) -> Placement:
        if kind == "moved nothing":
            return Placement.PLACED
        placement = self._place(staged_name, path)
        if kind == "damaged while moved" and placement is Placement.PLACED:
            there = self._there
            there.placed.theirs = True
            self._memory.put(path, there.placed[path].content[:-1], status=ReplicaStatus.STALE)
            there.placed.theirs = False
            there.foreign.add(path)  # somebody must take it away
        return placement

    def _place(self, staged_name: str, path: str) -> Placement:
        return self._memory.place(staged_name, path)

    def describe(self, path: str) -> ObjectState | None:
        return self._ask("describe", lambda: self._memory.describe(path))

    def find(self, folder: str, *names: str, below: bool = True) -> list[ObjectState]:
        return self._ask("find", lambda: self._memory.find(folder, *names, below=below))

    def read(self, path: str, chunk_bytes: int = 4 << 20, *, state: ObjectState | None = None) -> Iterator[bytes]:
        kind = self._sent("read")
        content = b"".join(self._answer("read", kind, lambda: list(self._memory.read(path, state=state)), late=None))
        if kind == "read flipped":
            content = content[:-1] + bytes([content[-1] ^ 1]) if content else b"!"
        yield content[:-1] if kind == "read short" else content

    def recompute_sha256(self, path: str) -> str:
        return self._ask("recompute", lambda: self._memory.recompute_sha256(path))

    def attributes(self, path: str) -> Attributes:
        return self._ask("attributes", lambda: self._memory.attributes(path))

    def set_attributes(self, path: str, attributes: Mapping[str, str]) -> None:
        self._change("set attributes", lambda: self._memory.set_attributes(path, attributes))

    def close(self) -> None:
        """Nothing to close."""

    def _store_badly(self, kind: str, staged_name: str, content: bytes) -> None:
        memory = self._memory
        if kind == "stored nothing":
            del memory._staged[staged_name]
        elif kind == "stored short":
            memory.put_staged(staged_name, content[:-1])
        elif kind == "stored flipped":
            memory.put_staged(staged_name, bytes([content[0] ^ 1]) + content[1:] if content else b"\0")
        elif kind == "left stale":
            memory.put_staged(staged_name, content, status=ReplicaStatus.STALE)
        else:
            memory.put_staged(staged_name, content, status=ReplicaStatus.INTERMEDIATE)


def _quietly(act: Callable[[], object]) -> None:
    try:
        act()
    except (Retryable, Stuck, Dead, KeyError):
        return  # nobody hears the answer any more


def sha256(content: bytes) -> str:
    """Hexadecimal."""
    return hashlib.sha256(content).hexdigest()
