"""`python -m tests.faults.soak --seed N --minutes M`: random faults on every part and every link of a whole chain under load.

Phases: load with faults, heal, drain with a deadline, judge, then one fresh batch in each partition, and judge again. A table tells
the figures. Exit code 0: no violation and every bar held; 1: not so, and the evidence is kept.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from b2stream.contracts import topics
from b2stream.contracts.partitions import partition_of
from b2stream.settings import variable
from tests.faults import load, scale, schedule
from tests.faults.chain import PARTITIONS, PROCESSOR, REGISTRAR, REPLICATOR, gateway_of
from tests.faults.judge.oracle import Oracle
from tests.faults.judge.recorder import CannotRecord, Recorder
from tests.faults.judging import write_plan
from tests.faults.links.linked import LinkedChain
from tests.faults.load import StationFile
from tests.faults.scale import scaled_s
from tests.faults.schedule import Act, Targets
from tests.faults.soak_memory import BAR_MB, Memory, Slope, complaints
from tests.faults.supervisor import Supervisor
from tests.waiting import until

SECOND = "processor-second"
MEMBERS = (PROCESSOR, SECOND, REPLICATOR, REGISTRAR)
"""The programs that read as members of a group, with a session."""
ZONES = ("first", "second")
"""Servers of ours: their memory is judged as that of the programs."""
ANSWERING = (*ZONES, "handle")
"""The servers that are waited for by the setting `timeout_s`."""
PACE_S = 1.5  # a file comes to some station so often
DRAIN_BAR_S = 120.0
PATIENCE_S = 300.0  # what is not drained by then never will be
LOOK_EVERY_S = 3.0
CATCH_UP_EVERY = 10  # looks
TELL_EVERY_S = 30.0
STEP_S = 0.05
ANSWER_S = scaled_s(32.0)
"""Setting `timeout_s` of both centres and the Handle server: some of the faults last longer."""
WITHOUT_A_LONG_FAULT_S = 600.0
"""A load of so many seconds in which no fault outlasted a session, or none a timeout, shows too little."""
JUDGE_S = 1800.0
MUST_BE_COMPARED = ("I1", "I2", "I3", "I4", "I5", "I7", "I8", "I9")

Say = Callable[[str], None]


def _station_in(partition: int) -> str:
    names = (f"XX-N{number:02d}" for number in range(100_000))
    return next(name for name in names if partition_of(name, PARTITIONS) == partition)


NEWCOMERS = [_station_in(partition) for partition in range(PARTITIONS)]
"""Stations that come at the end, one in each partition."""


class SoakChain(LinkedChain):
    """Two processors, replicator, registrar and a gateway for each station; the stations have keys."""

    def __init__(self, directory: Path, seed: int) -> None:
        silence_s = scaled_s(900.0)
        settings = {variable(section, "timeout_s"): str(ANSWER_S) for section in ANSWERING}
        settings |= {variable("processor", "silence_s"): str(silence_s)}
        super().__init__(directory, seed, environment=settings, signed=(*load.STATIONS, *NEWCOMERS))

    @property
    def labels(self) -> list[str]:
        return [*super().labels, SECOND]


@dataclass
class Told:
    """What came of a soak."""

    files: int = 0
    drained_s: float | None = None
    acts: list[Act] = field(default_factory=list)
    slopes: list[Slope] = field(default_factory=list)
    compared: dict[str, dict[str, int]] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)


class Soak:
    """One run in a directory. `run` does not raise for what it finds: that stands in what it returns."""

    def __init__(self, directory: Path, seed: int, length_s: float, say: Say, pace_s: float = PACE_S) -> None:
        self._directory, self._seed, self._length_s, self._say, self._pace_s = directory, seed, length_s, say, pace_s
        self._chain = SoakChain(directory / "chain", seed)
        self._memory = Memory(file=directory / "memory.jsonl")
        self._recording = ThreadPoolExecutor(1)  # the oracle is used by one thread
        self._look: Future[None] | None = None
        self._looks = 0
        self._measured: set[str] = set()  # whose memory is judged, once the load begins
        self.told = Told()

    def run(self) -> Told:
        """All phases."""
        supervisor: Supervisor | None = None
        try:
            chain = self._chain
            with chain:
                try:
                    chain.start()
                    if not chain.registers:
                        self._say("no Handle server is to be had here: no registrar, and I6 is not judged")
                    self._recorder = self._new_recorder()
                    supervisor = Supervisor(chain, self._draw(), self._directory / "acts.jsonl", chain.links)
                    self._load(supervisor)
                    self._heal(supervisor)
                    self._judge("after the drain")
                    self._fresh_batches()
                    self._judge("after a fresh batch in each partition")
                finally:
                    self._recording.shutdown(wait=True)
                    if supervisor is not None:
                        supervisor.close()
        except Exception as error:  # whatever it is: it is what the soak found
            self.told.violations.append(f"{type(error).__name__}: {error}")
        self.told.slopes = self._memory.slopes()
        self.told.violations += complaints(self.told.slopes, self._measured, self._length_s)
        self.told.violations += too_short(self.told.acts, self._length_s)
        return self.told

    # Phases -----------------------------------------------------------------------------------------------------------

    def _draw(self) -> list[Act]:
        servers = list(self._chain.deployment.servers)
        zones = [name for name in servers if name in ZONES]
        self._measured = {*self._chain.labels, *zones}
        targets = Targets(self._chain.labels, servers, sorted(self._chain.links), zones)
        return schedule.draw(self._seed, self._length_s, targets)

    def _load(self, supervisor: Supervisor) -> None:
        """Give files and let the schedule run. What a link does is undone by the supervisor in its time."""
        files = _files(self._seed)
        next_file_s = next_look_s = 0.0
        next_line_s = TELL_EVERY_S
        while supervisor.at_s < self._length_s:
            self.told.files, self.told.acts = len(self._chain.given), supervisor.done
            supervisor.step()
            now_s = supervisor.at_s
            if now_s >= next_file_s:
                self._chain.give([next(files)])
                next_file_s += self._pace_s
            if now_s >= next_look_s:
                self._memory.sample(now_s, supervisor.processes())
                self._record()
                next_look_s = now_s + LOOK_EVERY_S
            if now_s >= next_line_s:
                self._say(
                    f"  {now_s:5.0f} s: {len(self._chain.given)} files, {self._states()}; {len(supervisor.done)} faults"
                )
                next_line_s += TELL_EVERY_S
            time.sleep(STEP_S)

    def _heal(self, supervisor: Supervisor) -> None:
        """Everything is there again; from here on nobody does anything by hand."""
        supervisor.heal()
        began = time.monotonic()
        self._chain.wait_until_drained(PATIENCE_S)
        self.told.drained_s = time.monotonic() - began
        self._say(f"drained {self.told.drained_s:.1f} s after healing")
        if self.told.drained_s > DRAIN_BAR_S:
            self.told.violations.append(f"drained after {self.told.drained_s:.1f} s, not within {DRAIN_BAR_S:.0f} s")
        supervisor.step()  # says who ended by itself

    def _judge(self, when: str) -> None:
        """Ask the judge, a process of its own."""
        self._look_for_certain()
        plan = write_plan(self._chain)
        command = [sys.executable, "-m", "tests.faults.judge", str(plan), str(self._directory / "oracle")]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=JUDGE_S, check=False)
        report = self._directory / f"judgement {when}.json"
        report.write_text(answer.stdout + answer.stderr, encoding="utf-8")
        if answer.returncode not in (0, 1):
            self.told.violations.append(f"{when}: the judge could not judge: {answer.stderr.strip()[-500:]}")
            return
        document: dict[str, Any] = json.loads(answer.stdout)
        self.told.compared = document["compared"]
        self.told.violations += [f"{when}: {_sentence(one)}" for one in document["findings"]]
        must = [*MUST_BE_COMPARED, *(["I6"] if self._chain.registers else [])]
        unseen = [invariant for invariant in must if not sum(document["compared"].get(invariant, {}).values())]
        if unseen:
            self.told.violations.append(f"{when}: nothing was compared for {', '.join(unseen)}")

    def _fresh_batches(self) -> None:
        """I11: one batch for each partition is committed, replicated and registered, without a restart by hand."""
        chain, begun = self._chain, dict(self._chain.deployment.programs)
        taken = {partition_of(station, PARTITIONS) for station in chain.stations}
        newcomers = [NEWCOMERS[partition] for partition in range(PARTITIONS) if partition not in taken]
        chain.stations = (*chain.stations, *newcomers)
        dice = random.Random(f"fresh {self._seed}")
        for station in newcomers:
            chain.launch(gateway_of(station))
        for station in newcomers:
            chain.wait_until_ready(gateway_of(station))
        chain.give([StationFile(one, f"fresh {one}.bin", dice.randbytes(40_000), None) for one in chain.stations])
        took_s = chain.wait_until_drained(PATIENCE_S)
        self._say(f"a fresh batch in each of {PARTITIONS} partitions: all in place after {took_s:.1f} s")
        ended = [name for name, process in begun.items() if not process.running]
        if ended:
            self.told.violations.append(f"ended after healing: {', '.join(ended)}")

    # Watching ---------------------------------------------------------------------------------------------------------

    def _new_recorder(self) -> Recorder:
        """Reads from Kafka itself, not by way of the proxy."""
        chain = self._chain
        topic = topics.MEASUREMENTS.full_name(chain.deployment.community)
        oracle = self._recording.submit(Oracle, self._directory / "oracle").result()
        return Recorder(chain.deployment.addresses["kafka"], topic, oracle)

    def _record(self) -> None:
        """Look at the offsets, and now and then at the log; a Kafka that does not answer is looked at later."""
        if self._look is not None and not self._look.done():
            return
        if self._look is not None:
            self._look.result()
        self._looks += 1

        def look() -> None:
            try:
                self._recorder.look()
                if self._looks % CATCH_UP_EVERY == 0:
                    self._recorder.catch_up()
            except CannotRecord:
                return

        self._look = self._recording.submit(look)

    def _look_for_certain(self) -> None:
        """Look until Kafka answers. Raises NotInTime."""

        def look() -> bool:
            try:
                self._recording.submit(self._recorder.look).result()
            except CannotRecord:
                return False
            return True

        until(look, "Kafka does not say which offsets are committed", poll_s=1.0)

    def _states(self) -> str:
        states = Counter(self._chain.waiting("").values())
        return ", ".join(f"{number} {state}" for state, number in sorted(states.items()))


def too_short(acts: Sequence[Act], length_s: float) -> list[str]:
    """What is to be said of a load that was long, and in which no session or no timeout ran out."""
    if length_s < WITHOUT_A_LONG_FAULT_S:
        return []
    counted = zip(("a consumer's session", "a timeout"), _outlasting(acts), strict=True)
    return [f"no fault outlasted {what}" for what, number in counted if number == 0]


def _outlasting(acts: Sequence[Act]) -> tuple[int, int]:
    """How many outlasted a session, and how many a timeout."""
    sessions = schedule.outlasting_a_session(acts, MEMBERS)
    return len(sessions), len(schedule.outlasting_a_timeout(acts, ANSWERING, ANSWER_S))


def table(told: Told, seed: int, length_s: float) -> str:
    """The figures, for a person."""
    acts = Counter(f"{act.kind} {act.fault}".strip() for act in told.acts)
    lines = [f"seed {seed}, {length_s / 60:.1f} minutes of load, {told.files} files, {len(told.acts)} faults"]
    lines.append("  " + ", ".join(f"{number} × {kind}" for kind, number in sorted(acts.items())))
    sessions, timeouts = _outlasting(told.acts)
    lines.append(
        f"  {sessions} of them outlasted a session ({schedule.SESSION_S:g} s), {timeouts} a timeout ({ANSWER_S:g} s)"
    )
    lines.append(f"{'process':<22} {'lives':>5} {'first MB':>9} {'last MB':>8} {'measured':>9} {'MB in 10 min':>13}")
    for one in told.slopes:
        steepness = "—" if one.mb_per_ten_minutes is None else f"{one.mb_per_ten_minutes:+.2f}"
        lines.append(
            f"{one.name:<22} {one.lives:>5} {one.first_mb:>9.1f} {one.last_mb:>8.1f} {one.measured_s:>7.0f} s"
            f" {steepness:>13}"
        )
    lines.append(f"the bar of {BAR_MB:g} MB is held against programs and zones that were measured long enough")
    for invariant, counts in sorted(told.compared.items(), key=lambda each: int(each[0][1:])):
        lines.append(f"{invariant:<4} " + "; ".join(f"{number:,} {what}" for what, number in counts.items()))
    drained = "not drained" if told.drained_s is None else f"drained {told.drained_s:.1f} s after healing"
    lines.append(f"{drained}; {len(told.violations)} violations")
    return "\n".join([*lines, *(f"  {each}" for each in told.violations)])


def _files(seed: int) -> Iterator[StationFile]:
    for number in range(1_000_000):
        yield from load.round_of_files(seed, number)


def _sentence(finding: dict[str, str]) -> str:
    place = " ".join(finding[part] for part in ("station", "file", "centre", "path") if finding[part])
    return f"{finding['invariant']} {place}: {finding['what']}"


def say(text: str) -> None:
    """A line at once, also into a pipe."""
    print(text, flush=True)


def main() -> int:
    """Run it from a terminal."""
    parser = argparse.ArgumentParser(description="Random faults on a whole chain under load.")
    parser.add_argument("--seed", type=int, default=1, help="where load and faults are drawn from")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long there is load with faults")
    parser.add_argument("--directory", type=Path, help="where everything lies; else a temporary folder")
    options = parser.parse_args()
    directory = options.directory or Path(tempfile.mkdtemp(prefix="b2stream-soak-"))
    directory.mkdir(parents=True, exist_ok=True)
    say(f"{scale.told()}\nseed {options.seed}, {options.minutes:g} minutes, everything lies in {directory}")
    told = Soak(directory, options.seed, options.minutes * 60, say).run()
    text = table(told, options.seed, options.minutes * 60)
    say(text)
    (directory / "table.txt").write_text(text + "\n", encoding="utf-8")
    if told.violations:
        say(f"the evidence is kept in {directory}")
        return 1
    if options.directory is None:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
