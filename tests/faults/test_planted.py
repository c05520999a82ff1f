"""Bugs planted in the real processor on real servers: the independent check complains of each; without the bug the same acts leave
nothing to complain of. The simulator does the same in memory (`tests/simulator/test_planted.py`)."""

import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from unittest.mock import patch

import pytest
from irods.session import iRODSSession

from b2stream.batches.identity import id24
from b2stream.sandbox import programs
from b2stream.sandbox.demo import checking
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.ports import LOOPBACK
from b2stream.sandbox.processes import Process
from b2stream.sandbox.sandbox_zone import SandboxZone
from b2stream.settings import variable
from tests.faults import load, planted
from tests.faults.chain import PROCESSOR, REPLICATOR, Chain, beside
from tests.faults.judging import Judge, write_plan
from tests.faults.load import StationFile
from tests.groups import end_sessions
from tests.waiting import until

REPOSITORY = Path(__file__).parents[2]
FOREIGN = b"somebody else's"
LAYING_S = 20  # for so long the processor stands still before its move


class PlantedChain(Chain):
    """A chain whose first processor has a bug; those that are started after it have none."""

    plant = ""

    def launch(
        self, label: str, *, fail_at: str | None = None, environment: Mapping[str, str] | None = None
    ) -> Process:
        """As ever, by way of the launcher that plants the bug."""
        if label != PROCESSOR or not self.plant:
            return super().launch(label, fail_at=fail_at, environment=environment)
        command = [sys.executable, "-m", planted.__name__, self.plant]
        with patch.object(programs, "b2stream_command", lambda: command):
            given = {"PYTHONPATH": str(REPOSITORY), **(environment or {})}
            return super().launch(label, fail_at=fail_at, environment=given)

    def sent(self) -> bool:
        """Whether Kafka has all that the stations were given."""
        return not {"not taken", "sending"} & set(self.waiting().values())

    def processor_is_done(self) -> bool:
        """Whether the processor acknowledged all of it."""
        return self.sent() and self.lag(PROCESSOR) == 0

    def kill_and_start_without_bug(self) -> None:
        """Kill -9 of the processor, and another one in its place; wait until everything is acknowledged, whatever came of it."""
        self.deployment.programs[PROCESSOR].kill()
        end_sessions(self.deployment.addresses["kafka"], self.group(PROCESSOR))
        self.plant = ""
        self.launch(PROCESSOR)
        self.wait_until_ready(PROCESSOR)
        until(lambda: self.processor_is_done() and self.lag(REPLICATOR) == 0, self.describe)

    def complaints(self) -> set[str]:
        """The invariants that the independent check names."""
        report = json.loads(checking.run(write_plan(self), {}, as_json=True).said)
        return {str(one["invariant"]) for one in report["findings"]}

    @property
    def first(self) -> SandboxZone:
        """The zone of the first centre."""
        zone = self.deployment.servers.get("first") or self.shared.servers["first"]
        assert isinstance(zone, SandboxZone)
        return zone

    shared: Deployment


def _photograph_and_table(seed: int) -> tuple[StationFile, StationFile]:
    """Two files of one station, and so of one partition, in two series."""
    files = [file for file in load.round_of_files(seed, 0) if file.station == load.MEADOW]
    photograph = next(file for file in files if file.name.endswith(".jpg"))
    return photograph, next(file for file in files if file.name.endswith(".dat"))


def _acknowledged_before_announced(chain: PlantedChain, seed: int) -> None:
    """It dies when all is acknowledged."""
    chain.start()
    chain.give(list(_photograph_and_table(seed)))
    until(lambda: chain.log_end() > 0 and chain.processor_is_done(), chain.describe)
    chain.kill_and_start_without_bug()


def _acknowledged_out_of_order(chain: PlantedChain, seed: int) -> None:
    """The first batch stands still, the second is done; then it dies."""
    photograph, table = _photograph_and_table(seed)
    chain.start({PROCESSOR: "stage:1:stall"})
    chain.give([photograph])
    until(lambda: chain.passed(PROCESSOR, "stage") == 1, chain.describe)
    chain.give([table])
    until(lambda: chain.outcomes(load.MEADOW)[table.name] == "replicated", chain.describe)
    until(
        lambda: chain.passed(PROCESSOR, "acknowledged") > 0 if chain.plant else chain.lag(PROCESSOR) > 0, chain.describe
    )
    chain.kill_and_start_without_bug()


def _retry_popped(chain: PlantedChain, seed: int) -> None:
    """The first try of a batch fails, the second one stands still; then it dies."""
    chain.start({PROCESSOR: "stage:1:raise,stage:2:stall"})
    chain.give([_photograph_and_table(seed)[0]])
    until(lambda: chain.passed(PROCESSOR, "stage") == 2, chain.describe)
    until(lambda: chain.processor_is_done() if chain.plant else chain.lag(PROCESSOR) > 0, chain.describe)
    chain.kill_and_start_without_bug()


def _stored_badly(chain: PlantedChain, seed: int) -> None:
    """The first centre stores another bit, and says that all is well."""
    chain.start()
    here = f"/{chain.deployment.community}/"
    fault = {"call": "DATA_OBJ_WRITE", "action": "store_flipped", "times": 2, "path": here}
    chain.first.control({"do": "add", "fault": fault})
    chain.give(list(_photograph_and_table(seed)))
    until(lambda: set(chain.waiting("committed").values()) <= {"replicated"}, chain.describe)
    until(lambda: chain.processor_is_done() and chain.lag(REPLICATOR) == 0, chain.describe)


def _conflict(chain: PlantedChain, seed: int) -> None:
    """Somebody lays an object where a batch is to be placed, after the processor has looked and before it moves."""
    half_hours = [file for file in load.round_of_files(seed, 0) if file.station == load.FOREST]
    chain.start({PROCESSOR: f"place data object:2:stall={LAYING_S}"})
    chain.give(half_hours[:1])
    chain.wait_until_drained()
    Judge(chain).judge()
    folder = _folder_of(chain, half_hours[0])
    file = half_hours[1]
    suffix = id24(hashlib.sha256(file.content).hexdigest())[:12]
    path = f"{folder}/{Path(file.name).stem}~{suffix}{Path(file.name).suffix}"
    chain.give([file])
    until(lambda: chain.passed(PROCESSOR, "place data object") == 2, chain.describe)
    _lay(chain, path)
    if chain.plant:
        chain.wait_until_drained()
    else:
        others = [each for each in load.round_of_files(seed, 0) if each.station == load.MEADOW]
        chain.give(others)
        until(lambda: len(chain.waiting()) == 1, chain.describe)


def _folder_of(chain: PlantedChain, file: StationFile) -> str:
    seen: dict[str, object] = json.loads((chain.directory / checking.SEEN_FILE).read_text(encoding="utf-8"))["first"]
    return next(path for path in seen if Path(file.name).stem in path).rpartition("/")[0]


def _lay(chain: PlantedChain, path: str) -> None:
    """Put an object there as another client, and let the check know that it was there."""
    zone = chain.first
    password = zone.password_file.read_text(encoding="utf-8").strip()
    with iRODSSession(host=LOOPBACK, port=zone.port, user="rods", password=password, zone=zone.zone_name) as session:
        target = f"/{zone.zone_name}/home/rods/{chain.deployment.community}/{path}"
        with session.data_objects.open(target, "w") as handle:
            handle.write(FOREIGN)
        session.data_objects.chksum(target)
        number = session.data_objects.get(target).id
    file = chain.directory / checking.SEEN_FILE
    seen = json.loads(file.read_text(encoding="utf-8"))
    seen["first"][path] = [number, len(FOREIGN), hashlib.sha256(FOREIGN).hexdigest()]
    file.write_text(json.dumps(seen), encoding="utf-8")


CASES: dict[str, tuple[Callable[[PlantedChain, int], None], frozenset[str]]] = {
    "acknowledge-before-announce": (_acknowledged_before_announced, frozenset({"I5", "I7"})),
    "overwrite-on-conflict": (_conflict, frozenset({"I4"})),
    "skip-verification": (_stored_badly, frozenset({"I3", "I4", "I7"})),
    "out-of-order-acknowledgement": (_acknowledged_out_of_order, frozenset({"I1"})),
    "pop-retry-before-done": (_retry_popped, frozenset({"I1"})),
}
"""By planted bug: what is done, and the invariants of which the check must name at least one."""


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("all_faults")
@pytest.mark.parametrize("plant", CASES)
@pytest.mark.parametrize("is_planted", [True, False], ids=["planted", "not-planted"])
def test_the_independent_check_complains_of_a_planted_bug(
    servers: Deployment, evidence: Path, name: str, seed: int, plant: str, is_planted: bool
) -> None:
    act, expected = CASES[plant]
    timeouts = {variable("first", "timeout_s"): "5"}
    chain = PlantedChain(beside(servers, evidence, name), environment=timeouts)
    chain.shared, chain.plant = servers, plant if is_planted else ""
    with chain:
        act(chain, seed)
        found = chain.complaints()
    if is_planted:
        assert found & expected, f"the check named {found}"
    elif act is _conflict:
        assert "I4" not in found, "what lay there first was touched"
    else:
        assert not found


def test_every_bug_that_can_be_planted_is_tried() -> None:
    assert CASES.keys() == planted.PLANTS.keys()
