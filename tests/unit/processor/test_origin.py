"""I9: nothing is archived that its station did not sign. Each forgery here is made by someone who may write to every topic of
measurements, and has no key of the station."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from b2stream.programs.processor import origin
from tests.unit.processor.harness import APPENDED_US, Deployment
from tests.unit.processor.signers import FORGED, NEW, OURS, THEIRS, described, other_units
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO, THREE = attempt_name(1), attempt_name(2), attempt_name(3)
HOUR_US = 3_600_000_000
BATCH, NEXT = StationBatch(), StationBatch(number=2, content=(b"next",))
OF_OTHER = StationBatch(station="SE-Nor", series="EC_L99_F01")


@pytest.fixture
def signing(deploy: Deploy) -> Callable[..., Deployment]:
    """A deployment that believes signatures alone; SE-Htm and SE-Nor have a key each."""

    def make(**settings: Any) -> Deployment:
        deployment = deploy(**{"unsigned": "refuse", **settings})
        deployment.stations.publish(described("SE-Htm", OURS.key()), described("SE-Nor", THEIRS.key()))
        deployment.now_us = APPENDED_US
        return deployment

    return make


def reasons(deployment: Deployment) -> set[tuple[str, bool]]:
    return {(each.reason, each.poison) for each in deployment.letters()}


def test_I9_a_batch_that_its_station_signed_is_archived_with_its_signature(signing: Deploy) -> None:
    async def scenario() -> None:
        deployment = signing()
        deployment.send(OURS.sent(BATCH, ONE), THEIRS.sent(OF_OTHER, TWO))
        await deployment.running().settle()
        assert {event.station for event in deployment.events()} == {"SE-Htm", "SE-Nor"}
        (manifest,) = (
            json.loads(content)
            for path, content in deployment.objects().items()
            if path.startswith("SE-Htm") and path.endswith(".manifest.json")
        )
        signed = OURS.record(BATCH, ONE)
        assert (manifest["signature"], manifest["close"]["key"]) == (signed.signature, OURS.key().id)
        assert not deployment.letters()

    run(scenario())


@pytest.mark.parametrize("kind", FORGED)
def test_I9_a_forged_close_is_a_letter_of_its_own_and_never_reaches_the_archive(signing: Deploy, kind: str) -> None:
    async def scenario() -> None:
        forge, reason = FORGED[kind]
        deployment = signing()
        deployment.send(forge(BATCH, ONE), THEIRS.sent(OF_OTHER, THREE))
        running = deployment.running()
        await running.settle()
        (letter,) = deployment.letters()
        assert (letter.reason, letter.poison, letter.station) == (reason, True, "SE-Htm")
        assert {event.station for event in deployment.events()} == {"SE-Nor"}
        assert not [path for path in deployment.objects() if path.startswith("SE-Htm")]
        await running.look_around(1_000)  # nobody closes it: what it left is abandoned, and nothing stays behind
        await running.settle()
        assert reasons(deployment) == {(reason, True), ("abandoned", False)}
        assert deployment.committed == {0: len(deployment.log.measurements(0))}
        assert not [path for path in deployment.objects() if path.startswith("SE-Htm")]

    run(scenario())


def test_I9_other_units_under_a_genuine_close_are_refused_though_the_raw_bytes_are_true(signing: Deploy) -> None:
    async def scenario() -> None:
        deployment = signing()
        deployment.send(other_units(BATCH, ONE))
        await deployment.running().settle()
        assert reasons(deployment) == {("close_mismatch", True)}
        assert not deployment.objects()

    run(scenario())


@pytest.mark.parametrize("kind", FORGED)
def test_I9_I11_a_forged_close_does_not_keep_the_stations_own_batch_from_the_archive(
    signing: Deploy, kind: str
) -> None:
    async def scenario() -> None:
        deployment = signing()
        forged = FORGED[kind][0](BATCH, ONE)[-1]
        deployment.send(BATCH.blocks(ONE), forged, OURS.close(BATCH, ONE), forged)
        await deployment.running().settle()
        assert [event.attempt for event in deployment.events()] == [ONE]
        assert list(deployment.data_objects().values()) == [BATCH.data_object()]
        assert len(deployment.letters()) == 2

    run(scenario())


def test_I9_I11_a_close_that_is_damaged_does_not_end_the_attempt_of_a_station_that_signs(signing: Deploy) -> None:
    async def scenario() -> None:
        deployment = signing()
        damaged = BATCH.close(ONE)
        deployment.send(BATCH.blocks(ONE), replace(damaged, value=damaged.value[:-20]), OURS.close(BATCH, ONE))
        await deployment.running().settle()
        assert [event.attempt for event in deployment.events()] == [ONE]
        assert reasons(deployment) == {("damaged_avro", True)}

    run(scenario())


def test_I9_a_genuine_close_that_comes_twice_is_one_batch(signing: Deploy) -> None:
    async def scenario() -> None:
        deployment = signing()
        deployment.send(OURS.sent(BATCH, ONE), OURS.sent(BATCH, ONE))
        await deployment.running().settle()
        assert len(deployment.data_objects()) == 1
        assert {event.batch for event in deployment.events()} == {deployment.events()[0].batch}
        assert not deployment.letters()

    run(scenario())


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (OURS.key(valid_until_us=APPENDED_US), "key_expired"),
        (OURS.key(valid_from_us=APPENDED_US + HOUR_US), "key_not_valid_yet"),
    ],
)
def test_I9_a_key_counts_at_the_brokers_append_time_of_the_close(signing: Deploy, key: Any, reason: str) -> None:
    async def scenario() -> None:
        deployment = signing()
        deployment.stations.publish(described("SE-Htm", key))
        deployment.send(OURS.sent(BATCH, ONE))
        deployment.now_us = APPENDED_US + 10 * HOUR_US  # when it is read does not matter
        await deployment.running().settle()
        assert reasons(deployment) == {(reason, True)}
        assert not deployment.objects()

    run(scenario())


def test_I9_a_key_is_exchanged_without_a_gap(signing: Deploy) -> None:
    async def scenario() -> None:
        deployment = signing()
        ends_us = APPENDED_US + 6_000  # the seventh message and later ones come after it
        deployment.stations.publish(described("SE-Htm", OURS.key(valid_until_us=ends_us), NEW.key()))
        few = [StationBatch(number=number, content=(b"%d" % number,)) for number in range(4)]
        for at, (batch, signer) in enumerate(zip(few, (OURS, NEW, OURS, NEW), strict=True)):
            deployment.send(signer.sent(batch, attempt_name(at)))
        late = deployment.send(OURS.sent(NEXT, attempt_name(9)))
        await deployment.running().settle()
        assert [event.attempt for event in deployment.events()] == [attempt_name(at) for at in range(4)]
        assert [(each.offset, each.reason) for each in deployment.letters()] == [(late, "key_expired")]

    run(scenario())


@pytest.mark.parametrize(("unsigned", "archived"), [("accept", 1), ("refuse", 0)])
def test_I9_a_station_without_any_key_is_accepted_or_refused_by_the_setting(
    signing: Deploy, unsigned: str, archived: int
) -> None:
    async def scenario() -> None:
        deployment = signing(unsigned=unsigned)
        deployment.stations.publish(described("SE-Deg"))
        for at, station in enumerate(("SE-Deg", "SE-Svb")):  # one is described, the other is not
            deployment.send(StationBatch(station=station).sent(attempt_name(at)))
        deployment.send(BATCH.sent(THREE))  # of a station that has a key
        await deployment.running().settle()
        assert len(deployment.events()) == 2 * archived
        found = {(each.station, each.reason) for each in deployment.letters()}
        refused = {("SE-Deg", "station_without_key"), ("SE-Svb", "station_without_key")}
        assert found == {("SE-Htm", "signature_missing")} | (set() if archived else refused)

    run(scenario())


# A key that nobody knows yet -------------------------------------------------------------------------------------------


def test_I9_I11_a_key_that_is_published_within_the_hour_is_in_time_and_nobody_else_waits(signing: Deploy) -> None:
    async def scenario() -> None:
        deployment = signing()
        deployment.send(NEW.sent(BATCH, ONE), THEIRS.sent(OF_OTHER, TWO), OURS.sent(NEXT, THREE))
        running = deployment.running()
        await running.until(lambda: len(deployment.events()) == 2)
        assert [event.attempt for event in deployment.events()] == [TWO, THREE]
        assert running.processor.waiting_closes() == 1
        await running.acknowledge()
        assert deployment.committed == {0: 0}, "the offset must not pass a block whose close waits (I8)"
        deployment.now_us += HOUR_US - 1
        await running.look_around(3_000)  # far longer than T: its attempt is not silent, it is closed
        assert not deployment.letters()
        deployment.stations.publish(described("SE-Htm", OURS.key(), NEW.key()))
        await running.look_around(10)
        await running.settle()
        assert [event.attempt for event in deployment.events()] == [TWO, THREE, ONE]
        assert not deployment.letters()
        assert deployment.committed == {0: len(deployment.log.measurements(0))}
        assert not running.processor.waiting_closes()

    run(scenario())


def test_closes_that_waited_go_on_in_their_order_before_a_later_one(signing: Deploy) -> None:
    async def scenario() -> None:
        deployment = signing()
        few = [StationBatch(number=number, content=(b"%d" % number,)) for number in range(3)]
        for at, batch in enumerate(few[:2]):
            deployment.send(NEW.sent(batch, attempt_name(at)))
        running = deployment.running()
        await running.until(lambda: running.processor.waiting_closes() == 2)
        deployment.stations.publish(described("SE-Htm", NEW.key()))
        deployment.send(NEW.sent(few[2], attempt_name(2)))  # it comes before anybody looked again
        await running.settle()
        assert [event.series_number for event in deployment.events()] == [0, 1, 2]

    run(scenario())


def test_I9_a_key_that_nobody_publishes_within_the_hour_is_a_letter_that_is_not_poison(signing: Deploy) -> None:
    async def scenario() -> None:
        deployment = signing()
        close_offset = deployment.send(NEW.sent(BATCH, ONE))
        running = deployment.running()
        await running.until(lambda: running.processor.waiting_closes() == 1)
        deployment.now_us += HOUR_US + 3_000
        await running.look_around(10)
        await running.settle()
        (letter,) = deployment.letters()
        assert (letter.offset, letter.reason, letter.poison, letter.attempt) == (
            close_offset,
            "unknown_key",
            False,
            ONE,
        )
        await running.look_around(1_000)
        await running.settle()
        assert reasons(deployment) == {("unknown_key", False), ("abandoned", False)}
        assert deployment.committed == {0: len(deployment.log.measurements(0))}
        deployment.stations.publish(described("SE-Htm", NEW.key()))
        deployment.send(NEW.sent(BATCH, TWO))  # the station sends it again by itself
        await running.settle()
        assert [event.attempt for event in deployment.events()] == [TWO]

    run(scenario())


def test_a_close_that_is_older_than_the_hour_when_it_is_read_does_not_wait(signing: Deploy) -> None:
    async def scenario() -> None:
        deployment = signing()
        deployment.send(NEW.sent(BATCH, ONE))
        deployment.now_us = APPENDED_US + 2 * HOUR_US
        running = deployment.running()
        await running.settle()
        assert reasons(deployment) == {("unknown_key", False)}
        assert not running.processor.waiting_closes()

    run(scenario())


def test_I10_no_more_than_so_many_closes_wait(signing: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(origin, "MOST_WAITING", 2)
        deployment = signing()
        for at in range(4):
            deployment.send(NEW.close(BATCH, attempt_name(at)))
        deployment.send(OURS.sent(NEXT, attempt_name(9)))
        running = deployment.running()
        await running.until(lambda: bool(deployment.events()))
        assert running.processor.waiting_closes() == 2
        assert [(each.offset, each.reason, each.poison) for each in deployment.letters()] == [
            (2, "unknown_key", False),
            (3, "unknown_key", False),
        ]

    run(scenario())


def test_I12_a_processor_that_dies_while_a_close_waits_leaves_it_to_the_next(signing: Deploy) -> None:
    async def scenario() -> None:
        deployment = signing()
        deployment.send(NEW.sent(BATCH, ONE))
        running = deployment.running()
        await running.until(lambda: running.processor.waiting_closes() == 1)
        running.kill()
        assert not running.processor.waiting_closes()
        deployment.stations.publish(described("SE-Htm", NEW.key()))
        await deployment.running().settle()
        assert [event.attempt for event in deployment.events()] == [ONE]
        assert not deployment.letters()

    run(scenario())


def test_I8_after_a_rebalance_nothing_of_the_old_generation_is_judged(signing: Deploy) -> None:
    async def scenario() -> None:
        deployment = signing()
        deployment.send(NEW.sent(BATCH, ONE))
        running = deployment.running()
        await running.until(lambda: running.processor.waiting_closes() == 1)
        running.revoke()
        deployment.stations.publish(described("SE-Htm", NEW.key()))
        await running.processor.look_again()
        assert not deployment.events()
        running.assign([0])
        await running.settle()
        assert [event.attempt for event in deployment.events()] == [ONE]

    run(scenario())


def test_a_chain_that_begins_again_is_a_fork_in_the_record_and_no_error(signing: Deploy) -> None:
    """A station that lost its journal signs number 0 once more: both are archived, and each manifest tells its place."""

    async def scenario() -> None:
        deployment = signing()
        one, two = (StationBatch(number=0, content=(content,)) for content in (b"before", b"after"))
        deployment.send(OURS.sent(one, ONE), OURS.sent(two, TWO))
        await deployment.running().settle()
        assert [event.series_number for event in deployment.events()] == [0, 0]
        closes = [json.loads(content)["close"] for path, content in deployment.objects().items() if ".json" in path]
        assert [(close["series_number"], close["previous"]) for close in closes] == [(0, None), (0, None)]
        assert len({close["raw_sha256"] for close in closes}) == 2
        assert not deployment.letters()

    run(scenario())
