"""Sources that do not match and events that cannot be read: a dead letter, and the rest goes on."""

from dataclasses import replace

import pytest

from b2stream.archive.memory import MemoryStore
from b2stream.archive.store import ReplicaStatus
from b2stream.contracts.letters import read_letter
from tests.replication.batches import archive, committed
from tests.replication.fakelog import FakeLog
from tests.replication.in_thread import running
from tests.unit.replicator.stand import assert_replicated, make
from tests.waiting import until


@pytest.mark.parametrize("which", ["data object", "manifest"])
@pytest.mark.parametrize("damage", ["missing", "changed", "shorter", "longer", "stale"])
def test_a_source_that_is_missing_or_does_not_match_is_a_dead_letter_and_the_rest_goes_on(
    log: FakeLog, first: MemoryStore, second: MemoryStore, which: str, damage: str
) -> None:
    good_before, bad, good_after = (archive(first, number, b"wind %d" % number) for number in range(3))
    path = bad.path if which == "data object" else bad.manifest_path
    content = first.content(path)
    if damage == "missing":
        first.remove(path)
    elif damage == "stale":
        first.put(path, content, status=ReplicaStatus.STALE)
    else:
        damaged = {"changed": b"X" + content[1:], "shorter": content[:-1], "longer": content + b"!"}[damage]
        first.change(path, damaged)
    messages = [log.append(commit) for commit in (good_before, bad, good_after)]
    with running(make(log, first, second)):
        until(log.all_committed)
    copied = sorted(event.commit.batch for event in log.replicas())  # copies overlap: their order is chance
    assert copied == sorted([good_before.batch, good_after.batch])
    [(value, headers)] = log.letters()
    assert value == messages[1].value
    letter = read_letter(headers)
    assert letter is not None
    assert letter.reason == ("source_missing" if damage == "missing" else "source_damaged")
    assert (letter.topic_id, letter.partition, letter.offset) == ("commits-topic-id", messages[1].partition, 1)
    assert path in letter.detail
    assert letter.attempt == letter.batch == ""
    assert second.describe(bad.manifest_path) is None
    assert list(second.list_staged()) == []


def test_a_sound_source_whose_bytes_are_lost_on_the_way_is_no_dead_letter(
    log: FakeLog, first: MemoryStore, second: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The centre itself finds what was committed: however often it arrives otherwise, that is the way's fault."""
    commit = archive(first, 1, b"wind")
    bad, read = iter([True] * 4), first.read
    monkeypatch.setattr(
        first, "read", lambda *told, **more: iter([b"WIND"]) if next(bad, False) else read(*told, **more)
    )
    log.append(commit)
    with running(make(log, first, second)):
        until(log.all_committed)
    assert log.letters() == []
    assert_replicated(second, commit, b"wind")
    assert next(bad, None) is None, "the way was never bad"


def test_a_source_that_matches_at_the_second_look_is_copied(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    commit = archive(first, 1, b"wind")
    first.change(commit.path, b"WIND")
    log.append(commit)

    def mend(call: str, about: str) -> None:
        if call == "read" and any(done == "discard_staged" for done, _ in second.calls):
            first.change(commit.path, b"wind")

    first.before_call = mend
    with running(make(log, first, second)):
        until(log.all_committed)
    assert log.letters() == []
    assert_replicated(second, commit, b"wind")


def test_a_pair_that_is_missing_whole_is_a_dead_letter_once_another_batch_was_read(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    missing = committed(0, b"never archived")
    log.append(missing)
    with running(make(log, first, second)):
        until(lambda: len([call for call, _ in first.calls if call == "find"]) >= 1)
        assert log.letters() == []
        log.append(archive(first, 1, b"wind"))
        until(log.all_committed)
    [(_, headers)] = log.letters()
    letter = read_letter(headers)
    assert letter is not None
    assert letter.reason == "source_missing"
    assert len(log.replicas()) == 1


def test_a_first_centre_that_shows_nothing_at_all_makes_no_dead_letters(
    log: FakeLog, first: MemoryStore, second: MemoryStore
) -> None:
    elsewhere = MemoryStore("csc")  # as with a wrong root, or a lost permission: iRODS shows neither
    commits = [archive(first, number, b"wind %d" % number) for number in range(5)]
    for commit in commits:
        log.append(commit)
    with running(make(log, elsewhere, second)):
        until(lambda: len([call for call, _ in elsewhere.calls if call == "find"]) >= 10)
        assert log.published == []
        for number, commit in enumerate(commits):
            elsewhere.put(commit.path, b"wind %d" % number)
            elsewhere.put(commit.manifest_path, first.content(commit.manifest_path))
        until(log.all_committed)
    assert len(log.replicas()) == 5


@pytest.mark.parametrize("value", [None, b"", b"not avro", b"\xc3\x01" + bytes(8) + b"x"])
def test_an_event_that_cannot_be_read_is_a_dead_letter_and_the_rest_goes_on(
    log: FakeLog, first: MemoryStore, second: MemoryStore, value: bytes | None
) -> None:
    commit = archive(first, 1, b"wind")
    log.append_raw(0, b"SE-Htm", value, [])
    log.append(commit)
    with running(make(log, first, second)):
        until(log.all_committed)
    [(dead, headers)] = log.letters()
    assert dead == (value or b"")
    letter = read_letter(headers)
    assert letter is not None
    assert letter.reason in ("empty_value", "not_avro", "unknown_schema")
    assert [event.commit.batch for event in log.replicas()] == [commit.batch]


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../../outside", "manifest_path": "../../outside.manifest.json"},
        {"path": "/etc/passwd/x", "manifest_path": "/etc/passwd/x.manifest.json"},
        {"path": ".dead/a/b", "manifest_path": ".dead/a/b.manifest.json"},
        {"manifest_path": "SE-Htm/elsewhere.manifest.json"},
        {"attempt": "../x"},
        {"sha256": "short"},
        {"size_bytes": -1},
    ],
)
def test_an_event_that_no_processor_writes_never_leads_out_of_the_root(
    log: FakeLog, first: MemoryStore, second: MemoryStore, change: dict[str, object]
) -> None:
    log.append(replace(committed(1, b"wind"), **change))  # type: ignore[arg-type]
    with running(make(log, first, second)):
        until(log.all_committed)
    assert first.calls == second.calls == []
    [(_, headers)] = log.letters()
    letter = read_letter(headers)
    assert letter is not None
    assert letter.reason == "bad_commit_event"
