"""The quiet faults, one after the other in one chain with signed stations and PIDs: nothing dies, and something is not as it should be.

After each the independent check judges both centres, the Handle server and the chains, and the log is compared with the archive.
"""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from b2stream.batches.signing import public_key_of
from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import Letter, read_letter
from b2stream.contracts.stations import StationKey, key_id
from b2stream.kafka.admin import Admin
from b2stream.programs.gateway.running import JOURNAL
from b2stream.sandbox import programs, signing
from b2stream.sandbox.demo import checking
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.given import Given
from b2stream.sandbox.processes import Process
from b2stream.settings import FILE_VARIABLE, variable
from b2stream.settings import load as load_settings
from b2stream.stations.keys import make_key
from b2stream.stations.known import publish
from tests.faults import load
from tests.faults.chain import PARTITIONS, PROCESSOR, READS, REPLICATOR, Chain, gateway_of
from tests.faults.clocks import HOUR_S, YEAR_2100_S, Clock, set_all
from tests.faults.judging import Judge, read_log, write_plan
from tests.faults.load import FOREST, MEADOW, TOWER, StationFile
from tests.faults.scale import deadline_s, scaled_s
from tests.waiting import PATIENCE_S, until

SILENCE_S = scaled_s(900.0, short_s=12.0)
"""T where a station is silent for longer than that; short, because it is waited for several times."""
STALL_S = round(scaled_s(1500.0, short_s=36.0))

Rounds = Iterator[list[StationFile]]


@dataclass
class Case:
    """The chain and what the acts share."""

    chain: Chain
    judge: Judge
    rounds: Rounds
    notes: list[str] = field(default_factory=list)

    def launch(self, label: str, **options: object) -> None:
        """Start a program anew and wait until it is ready; what runs under that name is stopped in order before."""
        if (running := self.chain.deployment.programs.get(label)) is not None:
            running.stop(PATIENCE_S)
        self.chain.launch(label, **options)  # type: ignore[arg-type]
        self.chain.wait_until_ready(label)

    def give(self) -> list[StationFile]:
        """The next round."""
        files = next(self.rounds)
        self.chain.give(files)
        return files

    def letters(self) -> list[Letter]:
        """All dead letters that Kafka has."""
        kafka, topic = self.chain.deployment.addresses["kafka"], topics.DEAD_LETTERS.full_name("quiet")
        found: list[Letter] = []
        for partition, held in Admin(kafka).ranges(topic, PARTITIONS).items():
            letters = [read_letter(message.headers) for message in read_log(kafka, topic, partition, held.end)]
            found += [letter for letter in letters if letter is not None]
        return found

    def in_mid(self, label: str, step: str, act: Callable[[], object]) -> None:
        """Give a round, and act as soon as a program passes a step with it."""
        passed = self.chain.passed(label, step)
        self.give()
        until(lambda: self.chain.passed(label, step) > passed, lambda: f"{label}: {self.chain.describe()}")
        act()

    def more_is_published(self, act: Callable[[], object]) -> int:
        """Act, and wait until more is in the log than before; its end then."""
        before = self.chain.log_end()
        act()
        return until(lambda: (end := self.chain.log_end()) > before and end, self.chain.describe) or 0


@pytest.mark.timeout(deadline_s(1200))
@pytest.mark.usefixtures("all_faults")
def test_quiet_faults_change_nothing_or_are_named(
    evidence: Path, seed: int, say: Callable[[str], None], note: Callable[..., None]
) -> None:
    own = Deployment(evidence / "chain", Given(), community="quiet")
    with Chain(own, signed=load.STATIONS) as chain:
        chain.start()
        case = Case(chain, Judge(chain), iter([load.round_of_files(seed, number) for number in range(40)]))
        for act in ACTS:
            began = time.monotonic()
            did = act(case)
            chain.wait_until_drained()
            objects = case.judge.judge().objects
            assert all(process.running for process in own.programs.values()), chain.describe()
            case.notes.append(f"{time.monotonic() - began:5.1f} s  {did}; {objects} objects judged")
            note(act)
        case.notes.append(_a_whole_disk_of_last_week(case))
        note(_a_whole_disk_of_last_week)
    say("\n".join(case.notes))


def _gateways_in_1970_and_2100(case: Case) -> str:
    """Their clocks say so from the start, and are corrected in the middle of a load."""
    clocks = {
        MEADOW: _clock(case, gateway_of(MEADOW), -time.time() + HOUR_S),
        TOWER: _clock(case, gateway_of(TOWER), YEAR_2100_S - time.time()),
    }
    for station, clock in clocks.items():
        case.launch(gateway_of(station), environment=clock.environment)
    case.give()
    case.chain.wait_until_drained()
    for station, year in ((MEADOW, 1970), (TOWER, 2100)):
        assert {seen.year for seen in clocks[station].seen().values()} == {year}, f"{station} knew what time it is"
    case.in_mid(gateway_of(TOWER), "publish block", lambda: set_all(clocks, 0.0))
    until(lambda: all(0.0 in clock.seen() for clock in clocks.values()), "the corrected clocks are read")
    return "a gateway in 1970 and one in 2100, then corrected"


def _clock(case: Case, label: str, shift_s: float = 0.0) -> Clock:
    """A new clock for a program; what clocks before it have shown is forgotten with them."""
    folder = case.chain.directory / "clocks" / f"{len(case.notes)}"
    folder.mkdir(parents=True, exist_ok=True)
    return Clock(folder / f"{label}.clock", shift_s)


def _clocks_jump_an_hour(case: Case) -> str:
    """Of every program, forwards for some and backwards for the others, in the middle of a load."""
    labels = case.chain.labels
    clocks = {label: _clock(case, label) for label in labels}
    for label, clock in clocks.items():
        case.launch(label, environment=clock.environment)
    jumps = {label: HOUR_S if number % 2 else -HOUR_S for number, label in enumerate(labels)}
    case.in_mid(PROCESSOR, "stage", lambda: set_all(clocks, jumps))
    case.chain.wait_until_drained()
    for label, clock in clocks.items():
        until(lambda clock=clock, label=label: jumps[label] in clock.seen(), f"{label} reads the time that jumped")  # type: ignore[misc]
    case.in_mid(REPLICATOR, "copy", lambda: set_all(clocks, 0.0))
    return f"the clocks of {len(labels)} programs jumped an hour, and back"


def _one_content_two_names(case: Case) -> str:
    """And from two stations."""
    content = b"\xff\xd8\xff\xe0 the same picture " * 2_000
    places = [(MEADOW, "one.jpg"), (MEADOW, "other.jpg"), (TOWER, "one.jpg")]
    case.chain.give([StationFile(station, name, content, None) for station, name in places])
    return "one content under two names and from two stations"


def _corrected_and_back(case: Case) -> str:
    """A corrected file, then the first content again: published, and in the archive once."""
    first, second = (replace(file, name="corrected.dat") for file in _tables(case))
    kept = case.chain.directory / "contents"
    kept.mkdir(exist_ok=True)
    for number, file in enumerate((first, second, first)):
        case.more_is_published(lambda file=file: case.chain.give([file]))  # type: ignore[misc]
        case.chain.wait_until_drained()
        entry = case.chain.given.pop()
        if number < 2:  # the third is a batch that is there: the independent check expects it once
            copy = kept / f"{number}-{file.name}"
            copy.write_bytes(file.content)
            case.chain.given.append((entry[0], copy))
    return "a corrected file, then the first content again"


def _tables(case: Case) -> list[StationFile]:
    return [file for file in next(case.rounds) if file.name.startswith("TOA5")][:2]


def _two_gateways(case: Case) -> str:
    """A second computer watches the folder of a station with a journal of its own, and sends everything again."""
    before = case.chain.log_end()
    second = _second_gateway(case)
    until(lambda: case.chain.log_end() > before, case.chain.describe)
    case.give()
    case.chain.wait_until_drained()
    end = case.chain.log_end()
    second.stop(PATIENCE_S)
    case.chain.deployment.programs.pop("gateway-second")
    return f"two gateways for one station, {end - before} messages"


def _second_gateway(case: Case) -> Process:
    chain = case.chain
    given = {
        ("gateway", "block_bytes"): str(2 * load.BLOCK_BYTES),
        ("gateway", "utc_offset_h"): "1",
        ("gateway", "settle_s"): "0.5",
        ("gateway", "scan_s"): "0.1",
        ("gateway", "journal"): str(chain.directory / "second.sqlite"),
        ("gateway", "key_file"): str(signing.key_file(chain.directory, TOWER)),
    }
    words = ("gateway", "--station", TOWER, "--watch", str(chain.folder_of(TOWER)))
    environment = {variable(*name): value for name, value in given.items()}
    return chain.deployment.run_program(*words, label="gateway-second", environment=environment)


def _journal_of_last_week(case: Case) -> str:
    """The journal's disk is restored; what was sent since is sent again, with the numbers that it had."""
    label, folder = gateway_of(FOREST), (case.chain.folder_of(FOREST) / JOURNAL).parent
    backup = case.chain.directory / "journal-of-last-week"
    _stop(case, label)
    shutil.copytree(folder, backup)
    case.launch(label)
    case.give()
    case.chain.wait_until_drained()
    _stop(case, label)
    shutil.rmtree(folder)
    shutil.move(backup, folder)
    case.more_is_published(lambda: case.launch(label))
    return "a gateway with its journal of last week"


def _stop(case: Case, label: str) -> None:
    case.chain.deployment.programs[label].stop(PATIENCE_S)
    case.chain.forget_journals()


def _silent_in_mid_batch(case: Case) -> str:
    """For longer than T, then back: the attempt is abandoned, its tail is a hole, and the file is sent again."""
    label = gateway_of(FOREST)
    clock = _clock(case, label)
    case.launch(PROCESSOR, environment={variable("processor", "silence_s"): str(SILENCE_S)})
    case.launch(label, fail_at=f"publish block:2:stall={STALL_S}", environment=clock.environment)
    before = len(case.letters())
    case.give()
    until(lambda: {"abandoned"} <= _reasons(case, before), case.chain.describe, SILENCE_S + PATIENCE_S)
    until(lambda: {"abandoned", "hole"} <= _reasons(case, before), case.chain.describe, STALL_S + 2 * PATIENCE_S)
    until(lambda: "lost" in case.chain.outcomes(FOREST).values(), case.chain.describe)
    clock.set(120.0)  # it waits for a minute before it sends again
    case.chain.wait_until_drained()
    assert {letter.station for letter in case.letters()[before:]} == {FOREST}
    return f"a station silent in mid-batch for longer than T ({SILENCE_S:.0f} s), then back"


def _reasons(case: Case, before: int) -> set[str]:
    return {letter.reason for letter in case.letters()[before:]}


def _processor_behind(case: Case) -> str:
    """For longer than T, with an attempt open in the log: nothing is abandoned."""
    label, before = gateway_of(MEADOW), len(case.letters())
    _stop(case, PROCESSOR)
    case.launch(label, fail_at="publish block:2")
    case.give()
    dead = case.chain.deployment.programs[label]
    assert dead.wait(PATIENCE_S), case.chain.describe()
    stopped = time.monotonic()
    case.launch(label)
    until(lambda: not {"not taken", "sending"} & set(case.chain.waiting().values()), case.chain.describe)
    until(lambda: time.monotonic() - stopped > 1.5 * SILENCE_S, "T", 2 * SILENCE_S + PATIENCE_S)
    lag = case.chain.lag(PROCESSOR)
    case.launch(PROCESSOR, environment={variable("processor", "silence_s"): str(SILENCE_S)})
    case.chain.wait_until_drained()
    assert len(case.letters()) == before, "something was abandoned"
    case.launch(PROCESSOR)
    return f"a processor {lag} messages and more than T behind"


def _keys_rotated_while_the_centre_is_away(case: Case) -> str:
    """What was signed with the old key while it held is committed long after its end."""
    first, chain = case.chain.deployment.servers["first"], case.chain
    first.kill()
    case.give()
    until(lambda: not {"not taken", "sending"} & set(chain.waiting().values()), chain.describe)
    ends_us = _rotate(case, FOREST)
    until(lambda: time.time_ns() // 1000 > ends_us, "the end of the old key")
    case.launch(gateway_of(FOREST))
    case.give()
    until(lambda: not {"not taken", "sending"} & set(chain.waiting().values()), chain.describe)
    lag = chain.lag(PROCESSOR)
    first.start()
    chain.wait_until_drained()
    return f"a key was exchanged while the first centre was away, {lag} messages behind"


def _rotate(case: Case, station: str) -> int:
    """Publish a new key and the end of the old one, and give the gateway the new one; when the old one ends."""
    directory = case.chain.directory
    secret = signing.key_file(directory, station)
    secret.rename(secret.with_suffix(".old"))
    public = public_key_of(make_key(secret))
    now_us = time.time_ns() // 1000
    at, before = next((at, each) for at, each in enumerate(case.chain.descriptions) if each.station == station)
    ends_us = now_us + 2_000_000
    new = StationKey(key_id(public), base64.b64encode(public).decode(), now_us - 1_000_000)
    after = replace(before, keys=(*(replace(key, valid_until_us=ends_us) for key in before.keys), new))
    settings = load_settings(case.chain.deployment.settings_file, environment={}).settings
    publish(settings, Framing(), [after], PATIENCE_S)
    case.chain.descriptions[at] = after
    return ends_us


def _sigterm_during_a_commit_twice(case: Case) -> str:
    """Two processors one after the other are asked to stop in mid-commit, the second one twice within a moment."""
    for count in (1, 2):
        processor = case.chain.deployment.programs[PROCESSOR]

        def ask(processor: Process = processor, count: int = count) -> None:
            for _ in range(count):
                processor.send(signal.SIGTERM)

        case.in_mid(PROCESSOR, "stage", ask)
        assert processor.wait(PATIENCE_S), case.chain.describe()
        assert processor.exit_code == 0, processor.last_log_lines()
        case.launch(PROCESSOR)
    return "SIGTERM during a commit, twice"


def _first_centre_of_yesterday(case: Case) -> str:
    """The zone is restored from a backup: an audit names what is missing, a repair brings it from the second centre."""
    chain, first = case.chain, case.chain.deployment.servers["first"]
    backup = chain.directory / "centre-of-yesterday"
    first.stop()
    shutil.copytree(first.directory, backup)
    first.start()
    files = case.give()
    chain.wait_until_drained()
    first.stop()
    shutil.rmtree(first.directory)
    shutil.move(backup, first.directory)
    first.start()
    audit = _b2stream(chain, "audit", "--grace-s", "0", "--json")
    assert audit.returncode == 1, audit.stderr
    found = json.loads(audit.stdout)["findings"]
    assert {(each["kind"], each["centre"]) for each in found} == {("missing", "csc")}, audit.stdout
    assert len(found) == 2 * len(files)
    plan = chain.directory / "repair.json"
    for words in (("--plan", str(plan), "--grace-s", "0"), ("--apply", str(plan))):
        done = _b2stream(chain, "repair", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    again = _b2stream(chain, "audit", "--grace-s", "0")
    assert again.returncode == 0, again.stdout
    (chain.directory / checking.SEEN_FILE).unlink()  # what was lost and brought back is there under other data ids
    return f"the first centre of yesterday: {len(found)} objects named and brought back"


def _a_whole_disk_of_last_week(case: Case) -> str:
    """Journal and folder are restored: new files get numbers that others have. Nothing is lost, and the fork is named."""
    chain, label, folder = case.chain, gateway_of(FOREST), case.chain.folder_of(FOREST)
    backup = chain.directory / "disk-of-last-week"
    _stop(case, label)
    shutil.copytree(folder, backup)
    case.launch(label)
    case.give()
    chain.wait_until_drained()
    case.judge.judge()
    _stop(case, label)
    kept = chain.directory / "files-of-this-week"
    shutil.move(folder, kept)
    shutil.move(backup, folder)
    case.launch(label)
    chain.given = [(file, _where(path, folder, kept)) for file, path in chain.given]
    new = [file for file in next(case.rounds) if file.station == FOREST]
    case.more_is_published(lambda: chain.give(new))
    until(lambda: chain.outcomes(FOREST)[new[-1].name] == "replicated", chain.describe)
    until(lambda: not any(chain.lag(label) for label in chain.labels if label in READS), chain.describe)
    verdict = checking.run(write_plan(chain), {}, as_json=True)
    found = json.loads(verdict.said)["findings"]
    assert {(one["invariant"], one["station"]) for one in found} == {("I2", FOREST)}, verdict.said
    numbers = {int(number) for one in found for number in re.findall(r"series number (\d+): a fork", one["what"])}
    assert len(numbers) == len(found) == len(new), verdict.said
    audit = _b2stream(chain, "audit", "--grace-s", "0", "--json")
    assert audit.returncode == 0, audit.stdout
    forks = [each["forks"] for each in json.loads(audit.stdout)["series"] if each["station"] == FOREST]
    assert numbers <= {number for each in forks for number in each}, audit.stdout
    return f"       a whole disk of last week: nothing is lost, and {len(numbers)} forks are named"


def _b2stream(chain: Chain, *words: str) -> "subprocess.CompletedProcess[str]":
    """A command as an operator types it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("B2STREAM_")}
    environment = {**inherited, FILE_VARIABLE: str(chain.deployment.settings_file)}
    command = [*programs.b2stream_command(), *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def _where(path: Path, folder: Path, kept: Path) -> Path:
    return kept / path.name if path.parent == folder and not path.exists() else path


ACTS: list[Callable[[Case], str]] = [
    _gateways_in_1970_and_2100,
    _clocks_jump_an_hour,
    _one_content_two_names,
    _corrected_and_back,
    _two_gateways,
    _journal_of_last_week,
    _silent_in_mid_batch,
    _processor_behind,
    _keys_rotated_while_the_centre_is_away,
    _sigterm_during_a_commit_twice,
    _first_centre_of_yesterday,
]
