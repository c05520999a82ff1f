"""A commit event says what the station's description says of its series when it is made; the archive depends on none of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from b2stream.contracts.stations import Described, StationDescription, StationSeries
from b2stream.software import who_runs_this
from tests.unit.processor.harness import Deployment
from tests.unit.processor.signers import OURS, described
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
BATCH = StationBatch()
LISTED = StationSeries(BATCH.series, 0)


def description(theme: str = "ecosystem", *series: StationSeries) -> StationDescription:
    return StationDescription(station=BATCH.station, name="Hyltemossa", theme=theme, series=series)


def announced(deployment: Deployment, *, attempt: int = 1) -> Described:
    """What the newest commit event says once a whole attempt was taken."""

    async def scenario() -> None:
        deployment.send(BATCH.sent(attempt_name(attempt)))
        running = deployment.running()
        await running.settle()

    run(scenario())
    event = deployment.events()[-1]
    assert event.attempt == deployment.events()[0].attempt
    return Described(event.theme, event.data_level)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (None, Described(None, None)),
        (description("ecosystem", LISTED), Described("ecosystem", 0)),
        (description("ecosystem"), Described("ecosystem", None)),
        (description(""), Described(None, None)),
        (description("x" * 900_000, LISTED), Described(None, 0)),
    ],
    ids=[
        "no description",
        "its series is listed",
        "no series is listed",
        "no theme",
        "a theme that fits into no message",
    ],
)
def test_a_commit_event_says_theme_and_data_level_where_the_description_does(
    deploy: Deploy, known: StationDescription | None, expected: Described
) -> None:
    deployment = deploy()
    if known is not None:
        deployment.stations.publish(known)
    assert announced(deployment) == expected


def test_another_stations_description_says_nothing(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.stations.publish(described("HTM", OURS.key(), series=(LISTED,)))
    assert announced(deployment) == Described(None, None)


def test_I4_no_byte_in_the_archive_depends_on_the_description(tmp_path: Path) -> None:
    written = []
    for number, known in enumerate((None, description("ecosystem", LISTED), description("ocean"))):
        deployment = Deployment(tmp_path / str(number))
        if known is not None:
            deployment.stations.publish(known)
        announced(deployment)
        written.append(deployment.objects())
    assert written[0] == written[1] == written[2]
    assert len(written[0]) == 2


def test_a_batch_that_is_announced_again_says_what_the_description_says_by_then(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.stations.publish(description("ecosystem", LISTED))
    assert announced(deployment, attempt=1) == Described("ecosystem", 0)
    before = deployment.objects()
    deployment.stations.publish(description("ocean"))
    assert announced(deployment, attempt=2) == Described("ocean", None)
    assert deployment.objects() == before


def test_a_commit_event_says_who_ran_the_processor(deploy: Deploy) -> None:
    deployment = deploy()
    announced(deployment)
    (event,) = deployment.events()
    assert event.who == who_runs_this()
