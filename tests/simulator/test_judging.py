"""The simulator's judge, fed archives, logs and offsets that are broken in one place each: it names the invariant."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from b2stream.archive.store import ReplicaStatus
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import BatchCommitted
from tests.simulator import fleet
from tests.simulator.kafka import COMMITS, LETTERS
from tests.simulator.schedule import Attempt, Schedule
from tests.simulator.simulation import Simulation
from tests.simulator.worker import FRAMING

FILE, STREAM, SIGNED, DEAD = 0, 2, 5, 8
"""Batches of the fleet; the last one is closed once with a hole and sent again."""
SUFFIX = ".manifest.json"


def ended() -> Simulation:
    """A run at whose end all is well: three batches, one of which was dead once."""
    attempts = (Attempt(FILE), Attempt(STREAM), Attempt(SIGNED), Attempt(DEAD, order=()))
    simulation = Simulation(Schedule(attempts))
    outcome = simulation.run()
    assert not outcome.violations
    assert simulation.judge.letters
    return simulation


def manifest_path(simulation: Simulation, number: int) -> str:
    """Where the manifest of a batch lies."""
    return str(simulation.judge.announced[fleet.identity(number)]["manifest_path"])


def change(simulation: Simulation, path: str, content: bytes | None, *, also_second: bool = True) -> None:
    """Somebody changes or removes an object at the first centre, and at the second one too."""
    for centre in (simulation.first, simulation.second)[: 1 + also_second]:
        centre.placed.theirs = True
        if content is None:
            del centre.placed[path]
        else:
            centre.memory.put(path, content)
        centre.placed.theirs = False


def edited(simulation: Simulation, number: int, edit: Callable[[dict[str, Any]], None]) -> None:
    """Somebody writes something else into a manifest."""
    path = manifest_path(simulation, number)
    document = json.loads(simulation.first.memory.content(path))
    edit(document)
    change(simulation, path, json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


def event_again(simulation: Simulation, **changes: Any) -> None:
    """A commit event that says something else becomes visible."""
    message = next(simulation.log.all(COMMITS))
    event = dataclasses.replace(BatchCommitted.from_framed(FRAMING.unframe(message.value)), **changes)
    value = message.value[:10] + event.to_body() if message.value else b""
    simulation.judge.saw(dataclasses.replace(message, value=value))


def committed_and_gone(simulation: Simulation) -> None:
    path = manifest_path(simulation, FILE)
    change(simulation, path, None)
    change(simulation, path.removesuffix(SUFFIX), None)


def data_object_alone(simulation: Simulation) -> None:
    change(simulation, manifest_path(simulation, FILE), None)


def manifest_alone(simulation: Simulation) -> None:
    change(simulation, manifest_path(simulation, FILE).removesuffix(SUFFIX), None)


def committed_twice(simulation: Simulation) -> None:
    path = manifest_path(simulation, FILE)
    for each in (path, path.removesuffix(SUFFIX)):
        change(simulation, each.replace("/", "/again/", 1), simulation.first.memory.content(each))


def block_without_a_trace(simulation: Simulation) -> None:
    simulation.judge.sent[0, 999] = dataclasses.replace(fleet.block(1, 0, 0), attempt="f" * 32)


def letter_lost(simulation: Simulation) -> None:
    simulation.judge.announced.pop(fleet.identity(DEAD))
    simulation.judge.letters.clear()
    simulation.judge._dead.clear()


def letter_of_nothing(simulation: Simulation) -> None:
    message = next(simulation.log.all(LETTERS))
    headers = [(name, b"4711" if name == "b2stream_offset" else value) for name, value in message.headers]
    simulation.judge.saw(dataclasses.replace(message, headers=headers))


def other_count(simulation: Simulation) -> None:
    edited(simulation, FILE, lambda document: document["close"].update(count=1))


def overtaken(simulation: Simulation) -> None:
    simulation.judge.letters.clear()
    event_again(simulation, batch="0" * 64, close_offset=-1)


def other_bytes_of_a_file(simulation: Simulation) -> None:
    path = manifest_path(simulation, FILE).removesuffix(SUFFIX)
    change(simulation, path, simulation.first.memory.content(path)[:-1] + b"!")


def other_rows_of_a_stream(simulation: Simulation) -> None:
    path = manifest_path(simulation, STREAM).removesuffix(SUFFIX)
    content = bytearray(simulation.first.memory.content(path))
    content[-20] ^= 1
    change(simulation, path, bytes(content))


def no_manifest(simulation: Simulation) -> None:
    change(simulation, manifest_path(simulation, FILE), b"{")


def replaced(simulation: Simulation) -> None:
    simulation.first.memory.put(manifest_path(simulation, FILE), b"other")


def moved_away(simulation: Simulation) -> None:
    simulation.second.memory.set_aside(manifest_path(simulation, FILE), ".quarantine/it")


def announced_too_early(simulation: Simulation) -> None:
    event_again(simulation, path="SE-Htm/wind/2026/06/not-there.csv")


def announced_with_another_checksum(simulation: Simulation) -> None:
    event_again(simulation, sha256="0" * 64, pid=f"21.T1/{'A' * 24}")


def announced_while_stale(simulation: Simulation) -> None:
    path = manifest_path(simulation, FILE)
    simulation.first.memory.put(path, simulation.first.memory.content(path), status=ReplicaStatus.STALE)
    event_again(simulation)


def committed_and_never_announced(simulation: Simulation) -> None:
    del simulation.judge.announced[fleet.identity(FILE)]


def other_pid(simulation: Simulation) -> None:
    event_again(simulation, pid="21.T1/AAAA")


def no_second_copy(simulation: Simulation) -> None:
    simulation.second.placed.theirs = True
    del simulation.second.placed[manifest_path(simulation, FILE)]


def other_second_copy(simulation: Simulation) -> None:
    simulation.second.placed.theirs = True
    simulation.second.memory.put(manifest_path(simulation, FILE), b"{}")


def never_called_replicated(simulation: Simulation) -> None:
    simulation.judge.replicated.discard(fleet.identity(FILE))


def offset_too_far(simulation: Simulation) -> None:
    block_without_a_trace(simulation)
    simulation.judge.acknowledged(0, 0, 1000)


def replicators_offset_too_far(simulation: Simulation) -> None:
    simulation.judge.replicated.clear()
    simulation.judge.copies_acknowledged(simulation.log, 0, 0, 1)


def signed_by_nobody(simulation: Simulation) -> None:
    edited(simulation, SIGNED, lambda document: document.update(signature="AAAA"))


def closed_otherwise_than_signed(simulation: Simulation) -> None:
    edited(simulation, SIGNED, lambda document: document["close"].update(series_number=99))


def committed_without_a_close(simulation: Simulation) -> None:
    simulation._owed.discard(fleet.identity(FILE))


BROKEN: dict[Callable[[Simulation], None], str] = {
    committed_and_gone: "I1",
    data_object_alone: "I1",
    manifest_alone: "I1",
    committed_twice: "I1",
    block_without_a_trace: "I1",
    letter_lost: "I1",
    letter_of_nothing: "I1",
    other_count: "I2",
    overtaken: "I2",
    other_bytes_of_a_file: "I3",
    other_rows_of_a_stream: "I3",
    no_manifest: "I3",
    replaced: "I4",
    moved_away: "I4",
    announced_too_early: "I5",
    announced_with_another_checksum: "I5",
    announced_while_stale: "I5",
    committed_and_never_announced: "I5",
    other_pid: "I6",
    no_second_copy: "I7",
    other_second_copy: "I7",
    never_called_replicated: "I7",
    offset_too_far: "I8",
    replicators_offset_too_far: "I8",
    signed_by_nobody: "I9",
    closed_otherwise_than_signed: "I9",
    committed_without_a_close: "I9",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: str(each.__name__))
def test_the_judge_names_what_is_broken(broken: Callable[[Simulation], None]) -> None:
    simulation = ended()
    broken(simulation)
    simulation.judge.judge(simulation.log, simulation._owed, simulation._owed)
    named = {violation.split(":")[0] for violation in simulation.judge.violations}
    assert BROKEN[broken] in named


def test_the_judge_says_nothing_twice_of_an_end_at_which_all_is_well() -> None:
    simulation = ended()
    simulation.judge.judge(simulation.log, simulation._owed, simulation._owed)
    assert simulation.judge.violations == []


def test_a_message_is_read_without_the_pipelines_code() -> None:
    simulation = ended()
    message: LogMessage = next(simulation.log.all(COMMITS))
    event = BatchCommitted.from_framed(FRAMING.unframe(message.value))
    assert simulation.judge.announced[event.batch]["manifest_sha256"] == event.manifest_sha256
