"""What the policies do not take is refused with a reason of its own; what they take goes on."""

from collections.abc import Callable

from b2stream.batches.manifest import batch_of
from tests.unit.processor.harness import Deployment
from tests.unit.processor.signers import OURS, THEIRS, described
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO = attempt_name(1), attempt_name(2)
WANTED = StationBatch()
CAMERA = StationBatch(series="camera1", content=(b"pixels",))


def refused(deployment: Deployment) -> list[tuple[str, bool, str]]:
    return [(each.reason, each.poison, each.attempt) for each in deployment.letters()]


def test_a_series_that_the_policies_do_not_take_is_a_poison_letter_and_nothing_of_it_lies_in_the_archive(
    deploy: Deploy,
) -> None:
    async def scenario() -> None:
        deployment = deploy(not_taken={CAMERA.series})
        deployment.send(CAMERA.sent(ONE), WANTED.sent(TWO))
        running = deployment.running()
        await running.settle()
        assert refused(deployment) == [("series_not_taken", True, ONE)]
        (letter,) = deployment.letters()
        assert letter.batch == batch_of(CAMERA.record(ONE)), "so that the gateway knows which file it is about"
        for word in ("camera1", "SE-Htm", "general.policies_file", "b2stream gateway retry"):
            assert word in letter.detail
        assert [event.attempt for event in deployment.events()] == [TWO]
        assert not [path for path in deployment.objects() if "camera1" in path]

    run(scenario())


def test_the_same_file_is_taken_once_the_policies_take_its_series(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(not_taken={CAMERA.series})
        deployment.send(CAMERA.sent(ONE))
        running = deployment.running()
        await running.settle()
        deployment.not_taken.clear()
        deployment.send(CAMERA.sent(TWO))
        await running.settle()
        assert [event.attempt for event in deployment.events()] == [TWO]

    run(scenario())


def test_I9_a_close_that_its_station_did_not_sign_says_so_whatever_the_policies_take(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(unsigned="refuse", not_taken={CAMERA.series})
        deployment.stations.publish(described("SE-Htm", OURS.key()), described("DE-Xyz", THEIRS.key()))
        deployment.send(THEIRS.sent(CAMERA, ONE))
        running = deployment.running()
        await running.settle()
        assert refused(deployment) == [("key_of_another_station", True, ONE)], "it is no link of the station's chain"

    run(scenario())
