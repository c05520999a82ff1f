"""The replicator as a process, on a real Kafka and two embedded zones: kills, a frozen centre, damage, replays, two at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from b2stream.sandbox.zone.process import EmbeddedZone
from tests.groups import end_sessions
from tests.integration.conftest import Deploy
from tests.replication.deployment import PARTITIONS, Deployment
from tests.waiting import PATIENCE_S, until

Zones = tuple[EmbeddedZone, EmbeddedZone]
STEPS = ("copy", "verify", "place data object", "place manifest", "announce", "acknowledge")


def test_I7_committed_batches_are_replicated_announced_and_acknowledged(deployment: Deployment) -> None:
    replicator = deployment.start()
    deployment.announce(deployment.archive(12))
    deployment.wait_until_drained()
    deployment.check()
    until(lambda: replicator.metric("b2stream_replicator_lag_events") == 0, "lag 0 on /metrics")
    assert replicator.metric("b2stream_replicator_copied_objects_total") == 24
    assert replicator.stop() == 0
    assert list(deployment.second.list_staged()) == []


def test_killed_at_any_step_and_started_again_the_end_is_the_same(deploy_at: Deploy, kafka_bootstrap: str) -> None:
    """Each step has a deployment of its own; they live at the same time."""
    with ThreadPoolExecutor(len(STEPS)) as pool:
        lives = {step: pool.submit(_killed_and_started_again, deploy_at(kafka_bootstrap), step) for step in STEPS}
    failed = {step: error for step, life in lives.items() if (error := life.exception())}
    for step, error in failed.items():
        error.add_note(f"killed at {step!r}")
    if failed:
        raise BaseExceptionGroup("the end is not the same", list(failed.values()))


def _killed_and_started_again(deployment: Deployment, step: str) -> None:
    deployment.announce(deployment.archive(9))
    dying = deployment.start(fail_at=f"{step}:{1 if step == 'acknowledge' else 3}")
    assert dying.process.wait(PATIENCE_S) == -9
    assert deployment.passed()[step] >= 1
    assert deployment.unacknowledged() > 0  # it died with work in flight
    assert end_sessions(deployment.bootstrap, deployment.group) == 1
    last = deployment.start()
    deployment.wait_until_drained()
    deployment.check()
    assert last.stop() == 0


def test_a_frozen_second_centre_makes_lag_that_drains_and_nothing_is_lost(deployment: Deployment, zones: Zones) -> None:
    replicator = deployment.start()
    deployment.announce(deployment.archive(4))
    deployment.wait_until_drained()
    zones[1].freeze()
    try:
        deployment.announce(deployment.archive(20))
        until(lambda: replicator.metric("b2stream_replicator_lag_events") == 20, "lag 20 on /metrics")
        until(lambda: replicator.metric("b2stream_replicator_centre_away") == 1, "the outage on /metrics")
        assert replicator.process.poll() is None
        assert deployment.unacknowledged() == 20
    finally:
        zones[1].thaw()
    deployment.wait_until_drained()
    deployment.check()
    assert deployment.letters() == []
    until(lambda: replicator.metric("b2stream_replicator_centre_away") == 0, "the end of the outage on /metrics")
    assert replicator.stop() == 0


def test_a_second_centre_that_is_killed_and_comes_back_is_lag_only(deployment: Deployment, zones: Zones) -> None:
    replicator = deployment.start()
    zones[1].kill()
    try:
        deployment.announce(deployment.archive(10))
        until(lambda: replicator.metric("b2stream_replicator_centre_away") == 1, "the outage on /metrics")
    finally:
        zones[1].start()
    deployment.wait_until_drained()
    deployment.check()
    assert replicator.stop() == 0


def test_I11_a_damaged_source_is_a_dead_letter_and_the_rest_goes_on(deployment: Deployment, zones: Zones) -> None:
    commits = deployment.archive(6)
    file = deployment.vault_file(zones[0], commits[2].path)
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    replicator = deployment.start()
    deployment.announce(commits)
    deployment.wait_until_drained()
    deployment.check(without=(commits[2].batch,))
    [(_, letter)] = deployment.letters()
    assert letter is not None
    assert letter.reason == "source_damaged"
    assert commits[2].path in letter.detail
    assert replicator.stop() == 0


def test_a_replay_of_all_commits_copies_nothing_twice(deployment: Deployment) -> None:
    replicator = deployment.start()
    deployment.announce(deployment.archive(8))
    deployment.wait_until_drained()
    assert replicator.stop() == 0
    before = {state.path: state.modified_s for state in deployment.second.list()}
    begin = {
        partition: held.start
        for partition, held in deployment.admin.ranges(deployment.commits_topic, PARTITIONS).items()
    }
    deployment.admin.set_committed(deployment.group, deployment.commits_topic, begin)
    again = deployment.start()
    deployment.wait_until_drained()
    deployment.check()
    assert again.metric("b2stream_replicator_copied_objects_total") == 0
    assert {state.path: state.modified_s for state in deployment.second.list()} == before
    events = deployment.replicas()
    assert len(events) == 16
    assert again.stop() == 0


def test_two_replicators_share_the_group_and_one_that_dies_is_replaced(deployment: Deployment) -> None:
    """When its session has run out: here nobody ends it."""
    one, two = deployment.start(), deployment.start()

    def both_copied() -> bool:
        deployment.announce(deployment.archive(4))
        return all(running.metric("b2stream_replicator_batches_total") > 0 for running in (one, two))

    until(both_copied, "both have copied")
    deployment.announce(deployment.archive(20))
    one.kill()
    deployment.announce(deployment.archive(10))
    deployment.wait_until_drained()
    deployment.check()
    assert two.stop() == 0


def test_offsets_outside_the_log_are_fatal_and_named(deployment: Deployment) -> None:
    deployment.announce(deployment.archive(1))
    deployment.admin.set_committed(deployment.group, deployment.commits_topic, {0: 1000})
    replicator = deployment.start()
    assert replicator.process.wait(PATIENCE_S) == 1
    text = replicator.log.read_text()
    assert "stands at 1000" in text
    assert "offsets accept" in text


def test_an_unreadable_event_is_a_dead_letter_and_the_rest_goes_on(deployment: Deployment) -> None:
    deployment.publish("SE-Htm", b"not an event", [])
    deployment.announce(deployment.archive(4))
    replicator = deployment.start()
    deployment.wait_until_drained()
    deployment.check()
    [(value, letter)] = deployment.letters()
    assert value == b"not an event"
    assert letter is not None
    assert (letter.reason, letter.station) == ("not_avro", "SE-Htm")
    assert replicator.stop() == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the peak of memory from /proc")
def test_I10_an_object_of_any_size_is_copied_in_bounded_memory(deployment: Deployment) -> None:
    replicator = deployment.start()
    deployment.announce(deployment.archive(1))
    deployment.wait_until_drained()
    before = replicator.most_memory_bytes()
    deployment.announce(deployment.archive(1, 128 << 20))
    deployment.wait_until_drained()
    deployment.check()
    assert replicator.most_memory_bytes() - before < 64 << 20
    assert replicator.stop() == 0


def test_a_stop_while_the_second_centre_hangs_keeps_to_the_grace_time_and_loses_nothing(
    deployment: Deployment, zones: Zones
) -> None:
    for_ever_s = "3600"
    replicator = deployment.start(second_timeout_s=for_ever_s, replicator_grace_s="3")
    deployment.announce(deployment.archive(3))
    deployment.wait_until_drained()
    zones[1].freeze()
    try:
        deployment.announce(deployment.archive(8))
        until(lambda: replicator.metric("b2stream_replicator_copies_running") == 3, "three copies that hang")
        assert replicator.stop() == 0
    finally:
        zones[1].thaw()
    deployment.start()
    deployment.wait_until_drained()
    deployment.check()


def test_a_wrong_password_at_a_centre_ends_it_at_once_without_a_batch(deployment: Deployment) -> None:
    (deployment.directory / "password").write_text("wr0ng\n")
    replicator = deployment.start()
    assert replicator.process.wait(PATIENCE_S) == 1
    assert "user name or password was refused" in replicator.log.read_text(encoding="utf-8")
