"""The processor holds stations to their descriptions: what one does not allow is refused, and nothing else changes."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from b2stream.contracts.stations import SeriesVariable, StationDescription, StationSeries
from b2stream.programs.processor import metrics
from b2stream.programs.processor.patience import NEWS_S
from tests.unit.processor.harness import APPENDED_US, Deployment
from tests.unit.processor.signers import OURS, described
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO = attempt_name(1), attempt_name(2)
BATCH = StationBatch()
OTHER = StationBatch(series="meteo_2835", content=(b"other",))
AFTER_THE_NEWS_US = APPENDED_US + round(NEWS_S * 2e6)


def listing(*series: StationSeries) -> StationDescription:
    return described("SE-Htm", OURS.key(), series=series)


def ec(*variables: SeriesVariable, data_level: int = 0) -> StationSeries:
    return StationSeries("EC_L99_F01", data_level, variables)


def listed(deploy: Deploy, *series: StationSeries, **settings: object) -> Deployment:
    deployment = deploy(unsigned="refuse", **settings)
    deployment.stations.publish(listing(*series))
    deployment.now_us = AFTER_THE_NEWS_US
    return deployment


def refused(deployment: Deployment) -> list[tuple[str, bool, str]]:
    return [(each.reason, each.poison, each.attempt) for each in deployment.letters()]


def counted(reason: str) -> float:
    return metrics.REFUSED_CLOSES.labels(reason)._value.get()  # type: ignore[no-any-return]


def test_I9_a_series_that_is_not_listed_is_a_letter_of_its_own_and_the_others_go_on(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = listed(deploy, ec())
        before = counted("series_not_listed")
        deployment.send(OURS.sent(OTHER, ONE), OURS.sent(BATCH, TWO))
        running = deployment.running()
        await running.settle()
        assert refused(deployment) == [("series_not_listed", True, ONE)]
        (letter,) = deployment.letters()
        for word in ("SE-Htm", "meteo_2835", "EC_L99_F01 (level 0)", "b2stream gateway retry"):
            assert word in letter.detail
        assert counted("series_not_listed") == before + 1
        assert [event.attempt for event in deployment.events()] == [TWO]
        assert running.processor.open_attempts() == 1, "the attempt stays open, as under any close that is refused"
        await running.look_around(1_000)
        await running.settle()
        assert {(reason, poison) for reason, poison, _ in refused(deployment)} == {
            ("series_not_listed", True),
            ("abandoned", False),
        }
        assert deployment.committed == {0: len(deployment.log.measurements(0))}

    run(scenario())


def test_the_same_close_is_taken_once_the_description_lists_its_series(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = listed(deploy, ec())
        deployment.send(OURS.sent(OTHER, ONE))
        running = deployment.running()
        await running.settle()
        assert not deployment.events()
        deployment.stations.publish(listing(ec(), StationSeries(OTHER.series, 0)))
        deployment.send(OURS.close(OTHER, ONE))  # its blocks are still there
        await running.settle()
        assert [event.attempt for event in deployment.events()] == [ONE]

    run(scenario())


def test_a_description_that_comes_a_moment_after_the_close_is_in_time(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = listed(deploy, ec())
        deployment.now_us = APPENDED_US
        deployment.send(OURS.sent(OTHER, ONE), OURS.sent(BATCH, TWO))
        running = deployment.running()
        await running.until(lambda: len(deployment.events()) == 1)
        assert running.processor.waiting_closes() == 1
        assert metrics.WAITING_CLOSES._value.get() == 0, "an alert says of these that a key is missing"
        deployment.stations.publish(listing(ec(), StationSeries(OTHER.series, 0)))
        await running.processor.look_again()
        await running.settle()
        assert {event.attempt for event in deployment.events()} == {ONE, TWO}
        assert not deployment.letters()

    run(scenario())


def test_I11_it_does_not_wait_longer_than_that(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = listed(deploy, ec())
        deployment.now_us = APPENDED_US
        deployment.send(OURS.sent(OTHER, ONE))
        running = deployment.running()
        await running.until(lambda: running.processor.waiting_closes() == 1)
        deployment.now_us = AFTER_THE_NEWS_US
        await running.processor.look_again()
        await running.settle()
        assert refused(deployment) == [("series_not_listed", True, ONE)]
        assert not running.processor.waiting_closes()

    run(scenario())


@pytest.mark.parametrize(("level", "is_refused"), [(0, False), (2, True)])
def test_I9_a_data_level_that_the_description_does_not_give_is_refused(
    deploy: Deploy, level: int, is_refused: bool
) -> None:
    async def scenario() -> None:
        deployment = listed(deploy, ec(data_level=level), levels={"test": 0})
        deployment.send(OURS.sent(BATCH, ONE))
        await deployment.running().settle()
        assert refused(deployment) == ([("data_level_differs", True, ONE)] if is_refused else [])
        assert len(deployment.events()) == (not is_refused)

    run(scenario())


@pytest.mark.parametrize(
    ("variable", "reason"),
    [
        (SeriesVariable("co2", "ppm"), "unit_differs"),
        (SeriesVariable("h2o", "umol mol-1"), "variable_not_listed"),
        (SeriesVariable("co2", "umol mol-1"), None),
    ],
)
def test_I9_variables_and_units_are_those_of_the_description(
    deploy: Deploy, variable: SeriesVariable, reason: str | None
) -> None:
    async def scenario() -> None:
        deployment = listed(deploy, ec(variable), StationSeries(OTHER.series, 0))
        before = counted(reason or "")
        deployment.send(OURS.sent(BATCH, ONE), OURS.sent(OTHER, TWO))
        await deployment.running().settle()
        assert {each.reason for each in deployment.letters()} == ({reason} if reason else set())
        assert {each.attempt for each in deployment.letters()} == ({ONE} if reason else set())
        assert {event.attempt for event in deployment.events()} == ({TWO} if reason else {ONE, TWO})
        assert counted(reason or "") == before + (reason is not None)
        assert all("SE-Htm, series EC_L99_F01" in each.detail for each in deployment.letters())
        assert deployment.committed == {0: len(deployment.log.measurements(0))}

    run(scenario())


def test_variables_wait_for_a_description_that_is_on_its_way(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = listed(deploy, ec(SeriesVariable("co2", "ppm")), StationSeries(OTHER.series, 0))
        deployment.now_us = APPENDED_US
        before = counted("unit_differs")
        deployment.send(OURS.sent(BATCH, ONE), OURS.sent(OTHER, TWO))
        running = deployment.running()
        await running.until(lambda: len(deployment.events()) == 1)
        await asyncio.sleep(NEWS_S / 2)
        assert [event.attempt for event in deployment.events()] == [TWO], "others go on"
        assert running.processor.closed_batches() == 1
        assert counted("unit_differs") == before
        assert not running.processor.troubles(0.0), "the centre answers"
        deployment.stations.publish(listing(ec(SeriesVariable("co2", "umol mol-1"))))
        await running.settle()
        assert [event.attempt for event in deployment.events()] == [TWO, ONE]
        assert not deployment.letters()

    run(scenario())


def test_I11_variables_do_not_wait_longer_than_that(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = listed(deploy, ec(SeriesVariable("co2", "ppm")))
        deployment.now_us = APPENDED_US
        last = deployment.send(OURS.sent(BATCH, ONE))
        closed_at_us = deployment.log.measurements(0)[last].appended_at_us
        running = deployment.running()
        deployment.now_us = closed_at_us + round(NEWS_S * 1e6) - 1
        await running.until(lambda: running.processor.closed_batches() == 1)
        await asyncio.sleep(60)
        assert not deployment.letters()
        deployment.now_us += 1
        await running.settle()
        assert set(refused(deployment)) == {("unit_differs", True, ONE)}
        assert deployment.committed == {0: len(deployment.log.measurements(0))}

    run(scenario())


def test_I5_what_is_archived_is_announced_again_whatever_units_the_description_has_by_now(deploy: Deploy) -> None:
    """Kafka's offsets are lost: the log is read again, under a description that was corrected since."""

    async def scenario() -> None:
        deployment = listed(deploy, ec())
        deployment.send(OURS.sent(BATCH, ONE))
        await deployment.running().settle()
        before = deployment.objects()
        deployment.committed.clear()
        deployment.stations.publish(listing(ec(SeriesVariable("co2", "ppm"))))
        await deployment.running().settle()
        assert [event.attempt for event in deployment.events()] == [ONE, ONE]
        assert deployment.objects() == before
        assert not deployment.letters()

    run(scenario())


def test_a_station_without_keys_is_held_to_its_list_as_well(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(unsigned="accept")
        deployment.now_us = AFTER_THE_NEWS_US
        deployment.stations.publish(replace(listing(ec()), keys=()))
        deployment.send(BATCH.sent(ONE), OTHER.sent(TWO))
        await deployment.running().settle()
        assert refused(deployment) == [("series_not_listed", True, TWO)]
        assert [event.attempt for event in deployment.events()] == [ONE]

    run(scenario())
