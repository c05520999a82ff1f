"""Registrars at work on what a simulated chain announced: commit and replica events in any order and twice, one registrar or two at once.

The product's own `Registering` and all below, against a Handle service and the chain's centres. Calls fail and lose their replies, and a
registrar dies at any step; the next one begins with all events anew. When all is done I6 is judged by what the records say.
"""

import base64
import random
from collections import Counter
from dataclasses import dataclass
from typing import Any

from b2stream.contracts.messages import LogMessage
from b2stream.errors import B2streamError
from b2stream.handles.describing import Describing
from b2stream.handles.kinds import read_kinds
from b2stream.handles.memory import MemoryHandles
from b2stream.handles.records import Prefixes
from b2stream.handles.service import HandleRecord
from b2stream.programs.registrar.events import Events
from b2stream.programs.registrar.registering import Registering
from b2stream.work.schedule import Work
from tests.simulator.centres import ANY_CALL, Client, Server, Way, sha256
from tests.simulator.judging import decoded
from tests.simulator.kafka import COMMITS, COMMUNITY, REPLICAS
from tests.simulator.process import Process
from tests.simulator.schedule import from_seed
from tests.simulator.simulation import Simulation
from tests.simulator.worker import FRAMING

AGAIN_S = 4.0
DONE_S = 6_000.0
LATE_S = 100.0
"""What hung is done by then."""
_PREFIXES = Prefixes(first="21.T1")
_KINDS = read_kinds()


class _Handles(Way):
    """A `HandleService`, as far as registrars ask it: the way of one process to it."""

    def __init__(self, server: Server, records: MemoryHandles, process: Process) -> None:
        super().__init__(server, process)
        self._records = records

    def create(self, record: HandleRecord) -> bool:
        return self._change("create", lambda: self._records.create(record))

    def rewrite(self, record: HandleRecord) -> None:
        self._change("rewrite", lambda: self._records.rewrite(record))

    def read(self, handle: str) -> HandleRecord | None:
        return self._ask("read", lambda: self._records.read(handle))


@dataclass
class Registered:
    """What came of it; `hit` counts what went wrong on the way."""

    violations: list[str]
    hit: Counter[str]
    events: int
    trace: list[str]


class Registrars:
    """The registrars of a chain that has come to its end."""

    def __init__(self, chain: Simulation, seed: int) -> None:
        self._chain = chain
        self._agenda = chain.agenda
        self._dice = random.Random(f"registrars {seed}")
        self._records = MemoryHandles()
        self._server = Server(self._agenda, chain.first.latency_s)
        self._commits, self._replicas = (list(chain.log.all(topic)) for topic in (COMMITS, REPLICAS))
        self._left: dict[str, int] = {}  # threads of each registrar that are at work
        self._steps: Counter[str] = Counter()
        self._processes: list[Process] = []
        self._hit: Counter[str] = Counter()
        self._trace: list[str] = []
        self._kills: set[tuple[str, int]] = set()

    def run(self) -> Registered:
        """Let them work until all is done, and judge."""
        below = self._dice.randrange
        for server, many in ((self._server, 6), (self._chain.first, 3), (self._chain.second, 3)):
            server.heal()
            server.on_fault = self._struck
            for _ in range(below(many)):
                server.faults[server.calls + 1 + below(25)] = self._dice.choice(ANY_CALL)
        names = ("one", "other")[: 1 + below(2)]
        self._kills = {(self._dice.choice(names), 1 + below(60)) for _ in range(below(3))}
        for name in names:
            self._start(name)
        is_done = self._agenda.run_until(lambda: not any(self._left.values()), self._agenda.now_s + DONE_S)
        self._agenda.run_until(lambda: False, self._agenda.now_s + LATE_S)
        violations = [] if is_done else ["I11: not all events are worked off"]
        for process in self._processes:
            violations += [f"I11: {error!r}" for error in process.errors]
            process.end()
        return Registered(violations + self._judge(), self._hit, len(self._commits + self._replicas), self._trace)

    # The registrars ---------------------------------------------------------------------------------------------------

    def _start(self, name: str) -> None:
        """A registrar has two threads, and works on each batch in one of them at a time."""
        process = Process(self._agenda, name, self._step)
        self._processes.append(process)
        messages = [*self._commits, *self._replicas]
        messages += [each for each in messages if self._dice.random() < 0.2]
        self._dice.shuffle(messages)
        self._left[name] = 2
        for number in range(2):
            mine = [each for each in messages if sum(_batch(each).encode()) % 2 == number]
            process.start_thread(self._work_off, (process, mine), process.loop.create_future())

    def _work_off(self, process: Process, messages: list[LogMessage]) -> None:
        first: Any = Client(self._chain.first, process)
        second: Any = Client(self._chain.second, process)
        service: Any = _Handles(self._server, self._records, process)
        reading: Any = None  # for letters alone
        events = Events(COMMUNITY, self._chain.log.partitions, {COMMITS: "commits-1", REPLICAS: "replicas-1"}, FRAMING)
        describing = Describing(COMMUNITY, _PREFIXES, _KINDS)
        job = Registering(service, first, second, events, reading, _PREFIXES, describing)
        for message in messages:
            work = Work(message, _batch(message), 1)
            while not self._is_tried(job, work):
                process.pause(AGAIN_S * self._dice.random())
        self._left[process.name] -= 1

    def _is_tried(self, job: Registering, work: Work) -> bool:
        try:
            job.try_once(work)
        except B2streamError:
            return False
        return True

    def _step(self, process: Process, what: str) -> None:
        self._steps[process.name] += 1
        self._trace.append(f"{self._agenda.now_s:9.3f} {process.name} {what}")
        if (process.name, self._steps[process.name]) in self._kills:
            self._struck("kill")
            process.kill()
            self._agenda.after(AGAIN_S, lambda: self._start(process.name))

    def _struck(self, kind: str) -> None:
        self._hit[kind] += 1

    # I6 ---------------------------------------------------------------------------------------------------------------

    def _judge(self) -> list[str]:
        """One record per content, with its checksum, of a place where it lies; and the copy of that place, where there is one."""
        wrong: list[str] = []
        records = self._records.records()
        commits = {
            each["batch"]: each for each in (decoded("BatchCommitted", one.value or b"") for one in self._commits)
        }
        replicas = {
            each["commit"]["batch"]: each
            for each in (decoded("BatchReplicated", one.value or b"") for one in self._replicas)
        }
        contents = {each["sha256"] for each in commits.values()}
        if len(records) != len(contents):
            wrong.append(f"I6: {len(records)} records of {len(contents)} contents")
        for batch, commit in commits.items():
            record = records.get(commit["pid"])
            wrong += [f"I6: {batch[:8]}: {told}" for told in self._wrong_of(commit, replicas.get(batch), record)]
        return wrong

    def _wrong_of(
        self, commit: dict[str, Any], replica: dict[str, Any] | None, record: HandleRecord | None
    ) -> list[str]:
        if record is None:
            return [f"no record {commit['pid']}"]
        first, second = self._chain.first.placed, self._chain.second.placed
        digest = base64.b64encode(bytes.fromhex(sha256(first[commit["path"]].content))).decode()
        said = {value.type: value.value for value in record.values}
        places = {
            self._chain.first.memory.url(path)
            for path, each in first.items()
            if sha256(each.content) == commit["sha256"]
        }
        wrong = []
        if said["EUDAT/CHECKSUM"] != f"sha2:{digest}":
            wrong.append(f"its record has {said['EUDAT/CHECKSUM']}")
        if said["URL"] not in places:
            wrong.append(f"its record names {said['URL']}")
        if first[commit["path"]].attributes.get("PID") != commit["pid"]:
            wrong.append("its object does not tell its PID")
        if replica is not None and said["URL"] == commit["url"] and said.get("EUDAT/REPLICA") != replica["url"]:
            wrong.append("its record does not name the copy")
        if replica is not None and second[commit["path"]].attributes.get("EUDAT/PARENT") != commit["pid"]:
            wrong.append("its copy does not tell whose it is")
        return wrong


def _batch(message: LogMessage) -> str:
    return dict(message.headers)["ce_id"].decode().partition("/")[0]


def registered(seed: int) -> Registered:
    """Run the chain of a seed to its end, then its registrars."""
    chain = Simulation(from_seed(seed))
    chain.run()
    return Registrars(chain, seed).run()
