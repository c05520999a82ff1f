"""The demo from beginning to end: start everything, feed it, break it, wait until all has arrived, and let someone else check."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from typing import Any, TextIO

from b2stream.errors import Fatal
from b2stream.sandbox import processes, programs, signing
from b2stream.sandbox.demo import auditing, checking, farewell, interruption, sabotage, troubles
from b2stream.sandbox.demo.example import Example, choose
from b2stream.sandbox.demo.feeding import NOBODYS_STATION, FedStation, Feed
from b2stream.sandbox.demo.ledger import Ledger
from b2stream.sandbox.demo.progress import Progress
from b2stream.sandbox.demo.registering import wait_until_registered
from b2stream.sandbox.demo.screen import Screen
from b2stream.sandbox.demo.troubles import Stage
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.given import CENTRES, Given, require_open_kafka
from b2stream.sandbox.progress import JarProgress
from b2stream.sandbox.records import read_parts
from b2stream.settings import load, variable

STALLED_S = 90.0
QUICK_STOP_S = 5.0
GATEWAY_SETTINGS = {("gateway", "settle_s"): "0.5", ("gateway", "scan_s"): "0.3"}


class NotDrained(Fatal):
    """Not everything arrived: the files named here got no further. The logs in the demo's directory say why."""

    reason = "not_drained"


@dataclass(frozen=True)
class Choices:
    """What the user chose."""

    directory: Path
    given: Given
    community: str
    faults: bool
    amnesia: bool
    keep: bool
    as_json: bool


@dataclass
class Outcome:
    """What the demo found out, for `--json`."""

    good: bool = False
    files: int = 0
    new_files: int = 0
    seconds: float = 0.0
    peak_lag: dict[str, int] = field(default_factory=dict)
    check: Any = None


def run(choices: Choices, make_feed: Callable[[Path, Ledger], Feed], out: TextIO, progress_out: TextIO) -> Outcome:
    """Run the demo; its verdict is the check's. Raises Fatal and its kin where it could not come to one."""
    began_s, began = time.time(), time.monotonic()
    deployment = Deployment(
        choices.directory,
        choices.given,
        community=choices.community,
        unsigned="refuse",
        survives=choices.keep,
        say=lambda line: print_line(progress_out, f"  {line}"),
        tell_jars=JarProgress(progress_out),
    )
    outcome = Outcome()
    finished = False
    try:
        require_open_kafka(choices.given.kafka)
        ledger = Ledger(choices.directory)
        feed = make_feed(choices.directory / "stations", ledger)
        _introduce(feed, choices.directory, progress_out)
        deployment.start()
        deployment.prepare()
        settings = load(deployment.settings_file, environment={}).settings
        offsets_h = {one.station: one.utc_offset_h for one in feed.stations}
        registered = signing.register(settings, deployment.directory, offsets_h)
        print_line(
            progress_out,
            f"  starting {', '.join(_programs(deployment))} and {_number(len(feed.stations), 'gateway')}, a process each …",
        )
        _start_programs(deployment, feed.stations)
        with Screen(progress_out, feed.count, CENTRES[0].name, CENTRES[1].name) as screen:
            stage = Stage(deployment, feed, Progress(feed.stations), screen)
            _carry(stage, faults=choices.faults)
        outcome.files, outcome.new_files = feed.count, feed.new
        for lag in ("processor", "replicator"):
            outcome.peak_lag[lag] = stage.progress.peak(f"{lag}_lag")
        if done := sabotage.apply(deployment):
            print_line(progress_out, done)
        print_line(
            progress_out,
            "\nThe independent check: both centres against the source files, with none of b2stream's code\n",
        )
        interruption.raise_if_asked()
        plan, passwords = checking.write_plan(deployment, ledger.sources(), began_s, registered)
        verdict = checking.run(plan, passwords, as_json=choices.as_json)
        outcome.good = verdict.good
        outcome.check = json.loads(verdict.said) if choices.as_json else None
        if not choices.as_json:
            print_line(out, verdict.said)
        example = _example(deployment) if outcome.good else None
        if example is not None:
            _audit(deployment, feed, choices, outcome, example, progress_out)
        outcome.seconds = round(time.monotonic() - began, 1)
        if not choices.as_json:
            _conclude(deployment, feed, outcome, example, out, kept=choices.keep)
        finished = True
        return outcome
    finally:
        if not (finished and choices.keep):
            stop(deployment)


def stop(deployment: Deployment) -> None:
    """End everything that this demo started, quickly: nobody waits for commits in flight, the archive sorts them out."""
    processes.stop_all(list(deployment.programs.values()), QUICK_STOP_S)
    parts = [part.process for part in read_parts(deployment.directory).values() if part.process]
    processes.stop_all([process for process in parts if process.running], 2 * QUICK_STOP_S)


def print_line(stream: TextIO, line: str) -> None:
    """Print a line at once, also into a pipe."""
    stream.write(line + "\n")
    stream.flush()


def _introduce(feed: Feed, directory: Path, out: TextIO) -> None:
    names = ", ".join(station.station for station in feed.stations)
    print_line(out, f"{_number(feed.count, 'file')} of {_number(len(feed.stations), 'station')}: {names}")
    print_line(out, f"  everything lies in {directory}")
    if any(station.station == NOBODYS_STATION for station in feed.stations):
        print_line(out, f"  {NOBODYS_STATION} takes the files that name no station; it keeps UTC")
    for name in feed.left_out:
        print_line(
            out, f"  left out (a folder, a transfer that still runs, a list of sources without its file): {name}"
        )
    if feed.new < feed.count:
        told = "all of them" if feed.new == 0 else f"{feed.count - feed.new} of them"
        print_line(out, f"  {told} were fed here before and are given to the stations again, unchanged")


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _programs(deployment: Deployment) -> list[str]:
    return [name for name in deployment.program_names if programs.is_here(name)]


def _start_programs(deployment: Deployment, stations: list[FedStation]) -> None:
    """Start all programs at once, then wait until each is ready."""
    temporary = deployment.directory / "tmp"
    temporary.mkdir(exist_ok=True)
    common = {"TMPDIR": str(temporary)}
    for name in _programs(deployment):
        deployment.run_program(name, environment=common, wait=False)
    for station in stations:
        station.folder.mkdir(parents=True, exist_ok=True)
        environment = common | {variable(*key): value for key, value in GATEWAY_SETTINGS.items()}
        environment[variable("gateway", "key_file")] = str(signing.key_file(deployment.directory, station.station))
        if station.utc_offset_h is not None:
            environment[variable("gateway", "utc_offset_h")] = str(station.utc_offset_h)
        words = ("gateway", "--station", station.station, "--watch", str(station.folder))
        deployment.run_program(*words, label=f"gateway-{station.station}", environment=environment, wait=False)
    parts = read_parts(deployment.directory)
    for name, process in deployment.programs.items():
        programs.wait_until_ready(process, parts[name].address)


def _carry(stage: Stage, *, faults: bool) -> None:
    """Feed all files, with the troubles in the middle of those that are new; wait until the last one is replicated."""
    feed = stage.feed
    try:
        feed.give(feed.count - feed.new, stage.glance)
        if faults and feed.new:
            part = max(1, feed.new // 3)
            feed.give(feed.new - 2 * part if feed.new > 2 else 0, stage.glance)
            troubles.freeze_second_centre(stage, part)
            troubles.kill_processor(stage, feed.left)
        elif faults:
            stage.screen.say("nothing new to carry, so nothing is broken on the way (--fresh begins anew)")
        feed.give(feed.left, stage.glance)
        _wait_until_drained(stage)
        _wait_until_registered(stage)
        stage.screen.lags()
    finally:
        stage.progress.close()


def _wait_until_drained(stage: Stage) -> None:
    last, changed = None, time.monotonic()
    while True:
        stage.look()
        progress = stage.progress
        if progress.refused:
            told = "; ".join(f"{station} {name}: {why}" for (station, name), why in progress.refused.items())
            raise NotDrained(f"refused: {told}")
        if not progress.waiting:
            return
        counts = progress.history[-1]
        numbers = (counts.sent, counts.committed, counts.replicated)
        if numbers != last:
            last, changed = numbers, time.monotonic()
        elif time.monotonic() - changed > STALLED_S:
            told = "; ".join(f"{station} {name}: {state}" for (station, name), state in progress.waiting.items())
            raise NotDrained(f"nothing moved for {STALLED_S:.0f} s: {told}")
        time.sleep(troubles.POLL_S)


def _wait_until_registered(stage: Stage) -> None:
    if programs.REGISTRAR not in stage.deployment.programs:
        return
    left = wait_until_registered(stage.deployment, STALLED_S, stage.glance)
    if left:
        raise NotDrained(f"the registrar: nothing moved for {STALLED_S:.0f} s, {left} events are left")


def _audit(
    deployment: Deployment, feed: Feed, choices: Choices, outcome: Outcome, example: Example, out: TextIO
) -> None:
    """b2stream's own word, after the independent check; with amnesia, after Kafka has forgotten everything."""

    def say(line: str) -> None:
        print_line(out, line)

    def prepare() -> None:
        settings = load(deployment.settings_file, environment={}).settings
        signing.register(settings, deployment.directory, {one.station: one.utc_offset_h for one in feed.stations})
        _start_programs(deployment, feed.stations)

    if not auditing.is_possible(deployment):
        say(
            "No audit: on servers that others use, too, it would speak of their batches (`b2stream audit --station ID`)."
        )
        return
    if choices.amnesia:
        auditing.forget_everything(deployment, prepare, say)
    say(f"{example.path}: the one of {_number(example.among, 'data object')} that chance chose to be verified\n")
    outcome.good = auditing.audit_and_verify(deployment, example.name, say)


def _example(deployment: Deployment) -> Example:
    """Any of the data objects that the check saw."""
    seen = json.loads((deployment.directory / checking.SEEN_FILE).read_text(encoding="utf-8"))["first"]
    prefix = load(deployment.settings_file, environment={}).settings.first.prefix
    return choose(seen, prefix if deployment.addresses["handle"] else "", SystemRandom())


def _conclude(
    deployment: Deployment, feed: Feed, outcome: Outcome, example: Example | None, out: TextIO, *, kept: bool
) -> None:
    if example is None or not outcome.good:
        print_line(
            out,
            f"FAILED after {outcome.seconds:.0f} s: not everything is as it must be; each finding above names its place.",
        )
        return
    print_line(
        out,
        f"All {feed.count} files are whole, once, at both centres, after {outcome.seconds:.0f} s"
        f" (lag at most {outcome.peak_lag['processor']} files at the processor, {outcome.peak_lag['replicator']} at the"
        " replicator).",
    )
    seen = json.loads((deployment.directory / checking.SEEN_FILE).read_text(encoding="utf-8"))
    objects = ", ".join(f"{len(seen[centre.role])} at {centre.name}" for centre in CENTRES)
    again = "; nothing was sent or copied a second time" if feed.new == 0 else ""
    print_line(out, f"Objects, data and manifests: {objects}{again}.\n")
    if example.pid:
        print_line(
            out, f"{example.pid} leads to {example.path} at {CENTRES[0].name}, as every other PID does to its own.\n"
        )
    print_line(out, "\n".join(farewell.lines(deployment, feed.stations, example, kept=kept)))
