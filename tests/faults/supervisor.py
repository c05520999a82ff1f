"""Does to a chain what a schedule says, undoes each act in its time, and writes one JSON line for each.

Slow ends (a server that starts again) have a thread of their own, so that nothing else is late for them.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from b2stream.sandbox.handle import HandleServer
from b2stream.sandbox.kafka.broker import KafkaBroker
from b2stream.sandbox.processes import Process
from b2stream.sandbox.server import Server
from tests.faults.chain import Chain
from tests.faults.proxy import Fault, FaultProxy
from tests.faults.schedule import FREEZE, KILL, LINK, LINK_FAULTS, Act
from tests.waiting import PATIENCE_S

STOP_S = 30.0
START_S = (
    300.0  # a broker that recovers its log on a machine that is busy otherwise was seen to take more than a minute
)


class EndedByItself(AssertionError):
    """A program or server ended though nobody ended it."""


class Supervisor:
    """Over a chain that is started. `step` is called again and again by one thread; `heal` ends it."""

    def __init__(self, chain: Chain, acts: list[Act], journal: Path, links: Mapping[str, FaultProxy] = {}) -> None:
        self.chain, self.links = chain, links
        self.done: list[Act] = []
        self._coming = list(acts)
        self._running: list[Act] = []
        self._journal = journal
        self._began_s = time.monotonic()
        self._writing = threading.Lock()
        self._pool = ThreadPoolExecutor(8)
        self._ending: dict[str, Future[None]] = {}
        self._away: set[str] = set()  # ended by an act, and not started again yet

    @property
    def at_s(self) -> float:
        """Seconds since the schedule began."""
        return time.monotonic() - self._began_s

    def step(self) -> None:
        """Begin and end what is due. Raises EndedByItself, and what starting something again raised."""
        self._collect()
        for act in [one for one in self._running if one.ends_s <= self.at_s]:
            self._running.remove(act)
            self._end(act)
        while self._coming and self._coming[0].at_s <= self.at_s:
            act = self._coming.pop(0)
            if act.target in self._ending:  # a server that was ended still starts
                self._write("left out", act.target, {"planned_s": act.at_s, "kind": act.kind})
            else:
                self._begin(act)
        self._look()

    @property
    def is_over(self) -> bool:
        """Whether every act was begun and ended."""
        return not self._coming and not self._running and not self._ending

    def heal(self) -> None:
        """End every act that still runs, start nothing new, and wait until each part is there."""
        self._coming.clear()
        for act in self._running:
            self._end(act)
        self._running.clear()
        for future in list(self._ending.values()):
            future.result(START_S + PATIENCE_S)
        self._collect()
        self._look()
        self._write("healed", "everything", {})

    def close(self) -> None:
        """Let go of the threads; what is frozen is thawed, so that it can end."""
        for act in self._running:
            if act.kind == FREEZE:
                self._part(act.target).thaw()
        self._pool.shutdown(wait=True)

    def _begin(self, act: Act) -> None:
        self._running.append(act)
        self.done.append(act)
        facts: dict[str, Any] = {"planned_s": act.at_s, "length_s": act.length_s}
        if act.kind == LINK:
            facts["fault"] = act.fault
            self.links[act.target.partition(" ")[2]].set(Fault(**LINK_FAULTS[act.fault]))
        elif act.kind == FREEZE:
            self._ends(act.target, self._part(act.target).freeze)
        else:
            self._away.add(act.target)
            part = self._part(act.target)
            self._ends(act.target, part.kill if act.kind == KILL else lambda: part.stop(STOP_S))
        self._write(act.kind, act.target, facts)

    def _end(self, act: Act) -> None:
        if act.kind == LINK:
            self.links[act.target.partition(" ")[2]].clear()
            self._write("clear", act.target, {})
            return
        before = self._ending.get(act.target)
        if act.kind == FREEZE:
            self._ends(act.target, lambda: self._after(before, self._part(act.target).thaw), what="thaw")
        else:
            self._ends(act.target, lambda: self._after(before, lambda: self._start(act.target)), what="start")

    @staticmethod
    def _after(before: "Future[None] | None", then: Callable[[], None]) -> None:
        if before is not None:
            before.result(2 * PATIENCE_S)
        then()

    def _start(self, target: str) -> None:
        server = self.chain.deployment.servers.get(target)
        if isinstance(server, KafkaBroker | HandleServer):
            server.start(timeout_s=START_S)
        elif server is not None:
            server.start()
        else:
            self.chain.launch(target)
        self._away.discard(target)

    def _ends(self, target: str, do: Callable[[], object], what: str = "") -> None:
        def done() -> None:
            do()
            if what:
                self._write(what, target, {})

        self._ending[target] = self._pool.submit(done)

    def _collect(self) -> None:
        for target, future in list(self._ending.items()):
            if future.done():
                del self._ending[target]
                future.result()

    def _look(self) -> None:
        """Whoever is gone must have been ended here."""
        for name, process in self.processes().items():
            if not process.running and name not in self._away:
                raise EndedByItself(f"{name} ended with {process.exit_code}: {process.last_log_lines(5)}")

    def processes(self) -> dict[str, Process]:
        """Every program and server by name."""
        servers = {name: one.process for name, one in self.chain.deployment.servers.items() if one.process is not None}
        return {**self.chain.deployment.programs, **servers}

    def _part(self, target: str) -> Process | Server:
        return self.chain.deployment.servers.get(target) or self.chain.deployment.programs[target]

    def _write(self, did: str, target: str, facts: dict[str, Any]) -> None:
        pid = process.pid if (process := self.processes().get(target)) else None
        line = {"at_s": round(self.at_s, 2), "did": did, "target": target, "pid": pid, **facts}
        with self._writing, self._journal.open("a", encoding="utf-8") as journal:
            journal.write(json.dumps(line) + "\n")
