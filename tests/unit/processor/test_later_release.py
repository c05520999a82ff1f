"""Gateways that are upgraded before processors: what they send is no poison, and is archived once the processors are upgraded, too."""

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from b2stream.batches.manifest import batch_of
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import BatchClosed
from tests.unit.contracts.later_release import later, upgrade, value_of
from tests.unit.processor.harness import Deployment
from tests.unit.processor.signers import OURS, described
from tests.unit.processor.stations import Sent, StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO, OTHER = attempt_name(1), attempt_name(2), attempt_name(3)
BATCH = StationBatch()


def by_later_gateway(sent: Sent, close: BatchClosed | None = None) -> Sent:
    """A message as the next release's gateway frames it: a close, else a block."""
    if close is not None:
        return replace(sent, value=value_of(close))
    known = Framing().unframe(sent.value)
    return replace(sent, value=Framing().frame(later("MeasurementBlock"), bytes(known.body) + b"\0"))


def take(deployment: Deployment, *sent: Iterable[Sent]) -> None:
    """Send it, and let a processor come to the end of the log."""

    async def scenario() -> None:
        deployment.send(*(each for part in sent for each in part))
        running = deployment.running()
        await running.settle()
        assert not running.crashes

    run(scenario())


def told(deployment: Deployment) -> set[tuple[str, bool, str]]:
    return {(each.reason, each.poison, each.attempt) for each in deployment.letters()}


def test_I1_what_a_later_gateway_sends_is_letters_that_it_answers_by_itself_and_the_rest_goes_on(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = deploy()
    blocks = [by_later_gateway(each) for each in BATCH.blocks(ONE)]
    close = by_later_gateway(BATCH.close(ONE), BATCH.record(ONE))
    take(deployment, blocks, [close], StationBatch(series="other").sent(OTHER))
    assert told(deployment) == {("unknown_schema", False, ONE)}
    assert [event.series for event in deployment.events()] == ["other"]
    assert deployment.committed == {0: 8}, "nothing waits in the partition"
    upgrade(monkeypatch, "BatchClosed", "MeasurementBlock")
    again = BATCH.with_close(supersedes=(ONE,))
    take(deployment, again.blocks(TWO), [by_later_gateway(again.close(TWO), again.record(TWO))])
    event = deployment.events()[-1]
    assert (event.batch, event.attempt, event.supersedes) == (batch_of(BATCH.record(ONE)), TWO, (ONE,))
    assert BATCH.data_object() in deployment.data_objects().values()
    assert len(deployment.letters()) == 4, "none came since"


def test_blocks_of_a_later_release_under_a_close_of_this_one_are_sent_again_as_well(deploy: Deploy) -> None:
    deployment = deploy()
    take(deployment, [by_later_gateway(each) for each in BATCH.blocks(ONE)], [BATCH.close(ONE)])
    assert told(deployment) == {("unknown_schema", False, ONE), ("hole", False, ONE)}


@pytest.mark.parametrize("signs", [False, True])
def test_a_close_of_a_later_release_alone_ends_its_attempt_only_where_the_station_does_not_sign(
    deploy: Deploy, signs: bool
) -> None:
    deployment = deploy()
    if signs:
        deployment.stations.publish(described(BATCH.station, OURS.key()))
    take(deployment, BATCH.blocks(ONE), [by_later_gateway(BATCH.close(ONE), OURS.record(BATCH, ONE))])
    assert told(deployment) == {("unknown_schema", False, ONE)}
    assert len(deployment.letters()) == (1 if signs else 4)
    assert deployment.committed == {0: 0 if signs else 4}, "an attempt that stays open is abandoned like any other"
