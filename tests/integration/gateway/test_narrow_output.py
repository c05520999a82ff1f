"""What the reading commands print into a pipe from a narrow window: every name and value whole, a line each."""

import subprocess
import sys
from dataclasses import replace

from b2stream.contracts import topics
from b2stream.contracts.envelopes import event_headers
from b2stream.contracts.partitions import partition_of
from b2stream.kafka import Producer
from tests.integration.gateway.stations import PARTITIONS, StationStand
from tests.unit.gateway.events import commit_of, value_of
from tests.unit.gateway.stands import STATION

NAME = f"{'a-long-name-' * 10}.bin"
SERIES = f"a_long_series_{'of_the_upper_mast_' * 4}"


def lines(station: StationStand, *words: str) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-m", "b2stream", *words],
        env=station.variables(COLUMNS="60"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.stdout, run.stderr
    return run.stdout.splitlines()


def test_topics_offsets_receipts_and_events_stay_whole(station: StationStand) -> None:
    made = lines(station, "topics", "create")
    assert made == [f"{topic.full_name(station.community)}: is there" for topic in topics.ALL]
    (station.folder / NAME).write_bytes(b"1")
    assert station.run("--once", "--wait", "sent").returncode == 0
    (close,) = station.log().closes()
    producer = Producer(station.bootstrap, "test")
    event = value_of(commit_of(replace(close, series=SERIES)))
    headers = event_headers("BatchCommitted", "id", STATION, source="test")
    commits = topics.COMMITS.full_name(station.community)
    producer.publish(commits, partition_of(STATION, PARTITIONS), STATION.encode(), event, headers).result(60)
    producer.close()

    (followed,) = lines(station, "follow", "--from-beginning", "--count", "1")
    assert f"  {STATION}/{SERIES}  {NAME}  " in followed
    heading, received = lines(station, "gateway", "receipts")
    assert received.split() == [NAME, "files", "(not_recognised)", "sent"]
    assert received.index("files") == heading.index("series")
    group, *partitions = lines(station, "offsets", "show")
    topic_id = station.admin.topic(station.topic).topic_id
    assert group == f"group processor-{topic_id} on {station.topic}"
    end = station.end_offset()
    assert partitions[station.partition] == f"  partition {station.partition}: at nowhere yet, log 0 to {end}"
