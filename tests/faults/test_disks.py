"""Disks that are full, read-only, torn, too small or slow, one after the other in one chain; after each everything is judged."""

import json
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from b2stream.programs.gateway.running import JOURNAL
from b2stream.sandbox.demo import checking
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.processes import Process
from b2stream.sandbox.sandbox_zone import SandboxZone
from b2stream.settings import variable
from tests.faults import load
from tests.faults.chain import PROCESSOR, Chain, beside, gateway_of
from tests.faults.disks import fill, may_mount, read_only, small_disk
from tests.faults.judging import Judge, write_plan
from tests.faults.load import FOREST, MEADOW, STATIONS, TOWER, StationFile
from tests.faults.scale import deadline_s, scaled_s
from tests.pages import metric
from tests.waiting import PATIENCE_S, until

MIB = 1 << 20
LARGE_BYTES = 5 * MIB  # more than a small disk holds, so that each one is evicted from it, whenever the others come
QUOTA_EXCEEDED = -110_000  # SYS_RESC_QUOTA_EXCEEDED
TIMEOUT_S = scaled_s(60.0, short_s=4.0)
"""Short, because a slow disk is waited for twice as long, several times."""
SILENCE_S = scaled_s(900.0, short_s=15.0)
"""T; short, because it is waited for. No gateway of this load is silent for so long in mid-batch."""


@dataclass
class Case:
    """The chain and what the acts share."""

    chain: Chain
    rounds: Iterator[list[StationFile]]
    disks: ExitStack
    draw: random.Random

    def launch(self, label: str, **options: object) -> Process:
        """Start a program anew and wait until it is ready."""
        self.chain.deployment.programs[label].stop(PATIENCE_S)
        process = self.chain.launch(label, **options)  # type: ignore[arg-type]
        self.chain.wait_until_ready(label)
        return process

    def large_files(self, name: str) -> None:
        """One of several MiB for each station, all at once: each is more than the small disk, or the spool, holds."""
        files = [StationFile(station, name, self.draw.randbytes(LARGE_BYTES), None) for station in STATIONS]
        self.chain.give(files)

    def evictions(self) -> float:
        return metric(self.chain.port_of(PROCESSOR), "b2stream_processor_evictions_total")

    def ends_over_its_journal(self, station: str, word: str) -> None:
        """The gateway stops by itself, and names its journal and the trouble."""
        gateway = self.chain.deployment.programs[gateway_of(station)]
        assert gateway.wait(PATIENCE_S), "it goes on without its journal"
        said = gateway.last_log_lines()
        assert gateway.exit_code == 1, said
        assert "journal.sqlite" in said, said
        assert word in said, said
        self.chain.forget_journals()


@pytest.mark.timeout(deadline_s(900))
@pytest.mark.usefixtures("all_faults")
def test_disks_that_fail_lose_nothing(
    servers: Deployment, evidence: Path, name: str, seed: int, say: Callable[[str], None], note: Callable[..., None]
) -> None:
    timeouts = {variable("first", "timeout_s"): str(TIMEOUT_S)}
    own = beside(servers, evidence / "chain", name)
    can_mount = may_mount(evidence / "disk")
    told = [] if can_mount else ["no small disks: nobody may mount one here; unit tests inject ENOSPC instead"]
    with ExitStack() as disks, Chain(own, environment=timeouts) as chain:
        chain.start()
        judge = Judge(chain)
        case = Case(chain, iter([load.round_of_files(seed, at) for at in range(20)]), disks, random.Random(seed))
        for act in (*(OF_SMALL_DISKS if can_mount else ()), *OTHERS):
            began = time.monotonic()
            did = act(case, servers)
            chain.wait_until_drained()
            told.append(f"{time.monotonic() - began:5.1f} s  {did}; {judge.judge().objects} objects judged")
            assert all(process.running for process in own.programs.values()), chain.describe()
            note(act)
        told.append(_journal_is_torn(case))
        note(_journal_is_torn)
    say("\n".join(told))


def _spool_is_full(case: Case, servers: Deployment) -> str:
    """ENOSPC, long before the budget of the spool is used up: the largest attempt is evicted and read again."""
    folder = case.disks.enter_context(small_disk(case.chain.directory / "spool", 4 * MIB))
    case.launch(PROCESSOR, environment={variable("processor", "spool_directory"): str(folder)})
    case.large_files("disk.bin")
    case.chain.wait_until_drained()
    evicted = case.evictions()
    assert evicted > 0, "the disk was large enough"
    case.launch(PROCESSOR)
    return f"spool on a disk of 4 MiB, real: {evicted:.0f} attempts were evicted"


def _journal_is_full(case: Case, servers: Deployment) -> str:
    """The gateway stops before it publishes what it could not write down; once there is room it goes on."""
    label, folder = gateway_of(MEADOW), _journal_folder(case, MEADOW)
    _move_to_small_disk(case, folder)
    case.launch(label)
    case.chain.give(next(case.rounds))
    case.chain.wait_until_drained()
    ballast = fill(folder)
    case.chain.give(next(case.rounds))
    case.ends_over_its_journal(MEADOW, "full")
    ballast.unlink()
    case.chain.launch(label)
    return "journal on a full disk, real: the gateway stopped and went on when there was room"


def _journal_is_read_only(case: Case, servers: Deployment) -> str:
    label, folder = gateway_of(MEADOW), _journal_folder(case, MEADOW)
    case.chain.deployment.programs[label].stop(PATIENCE_S)
    case.chain.forget_journals()
    read_only(folder, only=True)
    case.chain.give(next(case.rounds))
    case.chain.launch(label)
    case.ends_over_its_journal(MEADOW, "read")
    read_only(folder, only=False)
    case.chain.launch(label)
    return "journal on a read-only disk, real: the gateway did not begin"


def _journal_is_cut_in_half(case: Case, servers: Deployment) -> str:
    """That cannot be read: the gateway says so, touches nothing, and begins anew once somebody moves it away."""
    label, folder = gateway_of(TOWER), _journal_folder(case, TOWER)
    case.chain.deployment.programs[label].stop(PATIENCE_S)
    case.chain.forget_journals()
    file = folder / JOURNAL.name
    os.truncate(file, file.stat().st_size // 2 + 100)
    half = file.read_bytes()
    case.chain.give(next(case.rounds))
    case.chain.launch(label)
    case.ends_over_its_journal(TOWER, "malformed")
    assert file.read_bytes() == half
    for left in folder.glob("journal.sqlite*"):
        left.rename(left.with_name(f"broken-{left.name}"))
    case.chain.launch(label)
    until(lambda: not case.chain.waiting(), case.chain.describe, 2 * PATIENCE_S)
    return "journal cut in half: the gateway refused it, and began anew without it"


def _journal_is_torn(case: Case) -> str:
    """Its latest pages never reached the disk: what they knew is found out again. An attempt that it has forgotten is abandoned in the
    end, and its letters stay: nobody can know that their content came another way."""
    label, folder, lost_bytes = gateway_of(TOWER), _journal_folder(case, TOWER), 0
    case.launch(PROCESSOR, environment={variable("processor", "silence_s"): str(SILENCE_S)})
    for step in ("journal written:5", "close sent:1", "blocks sent:2"):
        case.launch(label, fail_at=step)
        case.chain.forget_journals()  # who closes it last would fold the log into the file
        case.chain.give(next(case.rounds))
        assert case.chain.deployment.programs[label].wait(PATIENCE_S), f"{label} did not come to {step}"
        log = folder / f"{JOURNAL.name}-wal"
        size_bytes = log.stat().st_size
        os.truncate(log, case.draw.randrange(size_bytes // 2, size_bytes))
        lost_bytes += size_bytes - log.stat().st_size
        case.chain.launch(label)
        case.chain.wait_until_drained()
    found = json.loads(checking.run(write_plan(case.chain), {}, as_json=True).said)["findings"]
    assert found, "nothing that the journal knew was lost"
    assert all((one["invariant"], one["station"]) == ("I1", TOWER) for one in found), found
    assert all(one["what"].startswith("a dead letter, abandoned") for one in found), found
    return f"journal torn three times, {lost_bytes} bytes of it lost; {len(found)} blocks of forgotten attempts are letters"


def _spool_is_smaller_than_the_batches(case: Case, servers: Deployment) -> str:
    case.launch(PROCESSOR, environment={variable("processor", "spool_bytes"): str(MIB)})
    case.large_files("open.bin")
    case.chain.wait_until_drained()
    evicted = case.evictions()
    assert evicted > 0, "the spool was large enough"
    case.launch(PROCESSOR)
    return f"spool smaller than the open batches: {evicted:.0f} attempts were evicted"


def _quota_of_one_station(case: Case, servers: Deployment) -> str:
    """The first centre takes nothing more of one station; the others go on, and it too when it may again."""
    fault = {"call": "DATA_OBJ_RENAME", "action": "error", "code": QUOTA_EXCEEDED}
    zone = _first(servers)
    zone.control({"do": "add", "fault": {**fault, "path": f"/{case.chain.deployment.community}/{FOREST}/"}})
    try:
        files = next(case.rounds)
        case.chain.give(files)
        others = [f"{file.station} {file.name}" for file in files if file.station != FOREST]
        until(lambda: not set(others) & set(case.chain.waiting()), case.chain.describe)
        stuck = [name for name in case.chain.waiting() if name.startswith(FOREST)]
        assert len(stuck) == len(files) - len(others), case.chain.describe()
        port = case.chain.port_of(PROCESSOR)
        until(lambda: metric(port, "b2stream_processor_stuck_batches") > 0, "I13: nobody says so")
    finally:
        zone.control({"do": "clear"})
    return f"quota of one station exhausted: {len(stuck)} of its batches waited, {len(others)} others went on"


def _slow_disk(case: Case, servers: Deployment) -> str:
    """The server hashes for longer than the client waits for its answer: it is asked what became of it."""
    zone = _first(servers)
    slow = {"call": "DATA_OBJ_CLOSE", "action": "delay", "seconds": 2 * TIMEOUT_S, "times": 4}
    for call in ("DATA_OBJ_CLOSE", "REPLICA_CLOSE"):
        zone.control({"do": "add", "fault": {**slow, "call": call, "path": f"/{case.chain.deployment.community}"}})
    case.large_files("slow.bin")
    try:
        case.chain.wait_until_drained()
        faults = zone.control({"do": "list"})["faults"]
        assert isinstance(faults, list)
        hits = sum(each["hits"] for each in faults)
        assert hits > 0, "no object was slow"
    finally:
        zone.control({"do": "clear"})
    return f"a disk that needs {2 * TIMEOUT_S:.0f} s where the client waits {TIMEOUT_S:.0f} s, {hits} times"


def _first(servers: Deployment) -> SandboxZone:
    zone = servers.servers["first"]
    assert isinstance(zone, SandboxZone)
    return zone


def _journal_folder(case: Case, station: str) -> Path:
    return (case.chain.folder_of(station) / JOURNAL).parent


def _move_to_small_disk(case: Case, folder: Path) -> None:
    """The station's journal lies on a disk of its own from now on."""
    case.chain.deployment.programs[gateway_of(MEADOW)].stop(PATIENCE_S)
    case.chain.forget_journals()
    contents = {file.name: file.read_bytes() for file in folder.iterdir()}
    case.disks.enter_context(small_disk(folder, 8 * MIB))  # SQLite's log alone may take 4
    for name, content in contents.items():
        (folder / name).write_bytes(content)


Act = Callable[[Case, Deployment], str]
OF_SMALL_DISKS: tuple[Act, ...] = (_spool_is_full, _journal_is_full, _journal_is_read_only)
OTHERS: tuple[Act, ...] = (
    _journal_is_cut_in_half,
    _spool_is_smaller_than_the_batches,
    _quota_of_one_station,
    _slow_disk,
)
