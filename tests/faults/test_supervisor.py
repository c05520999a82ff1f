"""A supervisor does what its schedule says, undoes it in its time, and notices who ended without it."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from b2stream.sandbox import processes
from b2stream.sandbox.processes import Process
from tests.faults.chain import Chain
from tests.faults.proxy import FaultProxy
from tests.faults.schedule import FREEZE, KILL, LINK, STOP, Act
from tests.faults.supervisor import EndedByItself, Supervisor
from tests.waiting import until

ACTS = [
    Act(0.0, KILL, "processor", 0.3),
    Act(0.0, FREEZE, "gateway", 0.4),
    Act(0.1, LINK, "link kafka", 0.2, "delay"),
    Act(0.2, STOP, "replicator", 0.1),
]


class Sleepers:
    """Stands for a chain: programs that do nothing, and can be launched again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.deployment = SimpleNamespace(servers={}, programs=cast(dict[str, Process], {}))
        for label in ("processor", "replicator", "gateway"):
            self.launch(label)

    def launch(self, label: str) -> None:
        self.deployment.programs[label] = processes.start(label, ["sleep", "600"], self._folder / f"{label}.log")


@pytest.fixture
def sleepers(tmp_path: Path) -> Iterator[Sleepers]:
    made = Sleepers(tmp_path)
    yield made
    processes.stop_all(list(made.deployment.programs.values()))


@pytest.fixture
def link() -> Iterator[FaultProxy]:
    with FaultProxy("127.0.0.1:1") as proxy:
        yield proxy


def supervisor(sleepers: Sleepers, link: FaultProxy, acts: list[Act], folder: Path) -> Supervisor:
    return Supervisor(cast(Chain, sleepers), acts, folder / "acts.jsonl", {"kafka": link})


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "acts.jsonl").read_text().splitlines()]


def test_each_act_is_done_and_undone_and_leaves_a_line(sleepers: Sleepers, link: FaultProxy, tmp_path: Path) -> None:
    before = {name: process.pid for name, process in sleepers.deployment.programs.items()}
    works = supervisor(sleepers, link, ACTS, tmp_path)
    faults = set()

    def is_over() -> bool:
        works.step()
        faults.add(link.fault.kind)
        return works.is_over

    until(is_over)
    works.close()
    after = {name: process.pid for name, process in sleepers.deployment.programs.items()}
    assert {name for name in before if before[name] != after[name]} == {"processor", "replicator"}
    assert all(process.running for process in sleepers.deployment.programs.values())
    assert faults == {"pass", "delay"}
    did = [(line["did"], line["target"]) for line in lines(tmp_path)]
    assert [one for one in did if one[0] in (KILL, FREEZE, STOP, LINK)] == [(act.kind, act.target) for act in ACTS]
    undone = {("start", "processor"), ("thaw", "gateway"), ("clear", "link kafka"), ("start", "replicator")}
    assert undone == set(did) - {(act.kind, act.target) for act in ACTS}
    assert lines(tmp_path)[0]["pid"] == before["processor"]


def test_healing_ends_what_still_lasts_and_begins_nothing_more(
    sleepers: Sleepers, link: FaultProxy, tmp_path: Path
) -> None:
    acts = [Act(0.0, KILL, "processor", 600.0), Act(0.0, FREEZE, "gateway", 600.0), Act(500.0, KILL, "replicator", 1.0)]
    works = supervisor(sleepers, link, acts, tmp_path)
    works.step()
    works.heal()
    works.close()
    assert works.is_over
    assert [act.target for act in works.done] == ["processor", "gateway"]
    assert all(process.running for process in sleepers.deployment.programs.values())
    states = processes.thread_states(sleepers.deployment.programs["gateway"].pid)
    assert states
    assert "T" not in states


def test_who_ends_though_nobody_ended_it_is_named(sleepers: Sleepers, link: FaultProxy, tmp_path: Path) -> None:
    works = supervisor(sleepers, link, [], tmp_path)
    works.step()
    sleepers.deployment.programs["replicator"].kill()
    with pytest.raises(EndedByItself, match="replicator ended with -9"):
        works.step()
    works.close()
