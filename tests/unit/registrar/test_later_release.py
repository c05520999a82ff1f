"""A registrar that is upgraded after processors and replicators: what it cannot read yet waits, what it can goes on."""

import pytest

from b2stream.contracts.envelopes import event_headers
from b2stream.contracts.partitions import partition_of
from b2stream.contracts.records import BatchReplicated
from tests.replication.batches import PARTITIONS, event_header_list
from tests.unit.contracts.later_release import upgrade, value_of
from tests.unit.registrar.stand import Stand
from tests.waiting import until


def tell_as_a_later_release(stand: Stand, event: BatchReplicated) -> None:
    """Commit and replica event."""
    commit = event.commit
    whose = partition_of(commit.station, PARTITIONS), commit.station.encode()
    stand.commits.append_raw(*whose, value_of(commit), event_header_list(commit))
    headers = event_headers("BatchReplicated", f"{commit.batch}/fzj", f"{commit.station}/s", source="replicator")
    stand.replicas.append_raw(*whose, value_of(event), headers)


def test_I6_events_of_a_later_release_wait_for_the_upgrade_and_the_others_go_on(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    later, known = stand.batch(1), stand.batch(2)
    tell_as_a_later_release(stand, later)
    stand.commit(known)
    with stand.running():
        until(lambda: stand.record(known) is not None)
    assert stand.record(later) is None
    assert stand.letters() == []
    upgrade(monkeypatch, "BatchCommitted", "BatchReplicated")
    for log in (stand.commits, stand.replicas):
        log.revoke(*log.messages)  # the one that was upgraded begins at the committed offsets
    stand.drain()
    record = stand.record(later)
    assert record is not None
    assert record.text("EUDAT/REPLICA") == later.url
    assert stand.letters() == []
