"""What an audit takes from the log beside commits: letters of dead batches, the archiving of days, quarantine, links of chains."""

from dataclasses import replace
from datetime import date

import pytest

from b2stream.contracts import schemas, topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import Letter, letter_headers
from b2stream.contracts.records import DeadLetter, OffsetsAccepted
from b2stream.kafka import Producer
from b2stream.kafka.admin import Admin
from b2stream.programs.audit.announcer import Announcer
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.gathering.log import Log
from b2stream.programs.audit.history.daily import Archived
from b2stream.settings import Settings, load, variable
from tests.faults.chain import PARTITIONS
from tests.unit.audit.test_log_rows import AGAIN, CLOSE, LOST, repeat
from tests.unit.batches.test_history import event
from tests.unit.processor.signers import as_message

ATTEMPT = "a" * 32
DAY = date(2026, 5, 7)
PLACE = f".dead/{ATTEMPT}-7.avro"


@pytest.fixture
def settings(kafka_bootstrap: str, community: str) -> Settings:
    """Settings of a community whose topics are empty."""
    given = {variable("kafka", "bootstrap"): kafka_bootstrap, variable("general", "community"): community}
    settings = load(None, environment={**given, variable("kafka", "partitions"): str(PARTITIONS)}).settings
    admin = Admin(settings.kafka)
    for topic in topics.ALL:
        admin.create_topic(topic.full_name(community), PARTITIONS, 1, topic.config())
    return settings


def publish(settings: Settings, path: str) -> None:
    """A letter that stands for a dead batch at this path, as the processor writes it."""
    record = DeadLetter(
        station="SE-Htm",
        attempt=ATTEMPT,
        path=path,
        blocks=2,
        size_bytes=9,
        sha256="0" * 64,
        first_offset=7,
        last_offset=8,
    )
    letter = Letter("topic", 0, 7, "SE-Htm", "abandoned", "silent", poison=False, attempt=ATTEMPT)
    value = Framing().frame(schemas.current(record.SCHEMA), record.to_body())
    producer = Producer(settings.kafka, "test")
    name = topics.DEAD_LETTERS.full_name(settings.general.community)
    producer.publish(name, 0, b"SE-Htm", value, letter_headers(letter)).result()
    producer.close()


def read(settings: Settings) -> Index:
    index, log = Index(), Log(settings, Framing())
    log.fix_ends()
    log.read_into(index)
    return index


def test_a_letter_names_the_dead_batch_that_must_lie_at_the_first_centre(settings: Settings) -> None:
    publish(settings, PLACE)
    rows = [tuple(row) for row in read(settings).rows("SELECT path, centre, size_bytes, sha256 FROM kept")]
    assert rows == [(PLACE, "first", 9, "0" * 64)], "a centre without a name is called by its role"


def test_a_letter_that_names_another_place_than_its_attempt_s_is_of_nobody_who_buries(settings: Settings) -> None:
    publish(settings, "SE-Htm/EC/2026/05/a.csv")
    assert read(settings).count("kept") == 0


def test_the_archiving_of_a_day_and_what_was_set_aside_are_known_from_events(settings: Settings) -> None:
    producer = Producer(settings.kafka, "test")
    announcer = Announcer(producer, Framing(), settings.general.community, PARTITIONS)
    day = Archived("csc", ".provenance/SE-Htm/x", was_there=False, size_bytes=5, sha256="1" * 64)
    aside = event(0, what="quarantine")
    for told in (day.event("SE-Htm", DAY, 1, "me"), replace(aside, detail="moved to .quarantine/x.0; altered: a; b")):
        announcer.publish(topics.EVENTS, told, told.station, told.path, told.path).result()
    producer.close()
    index = read(settings)
    assert [tuple(row) for row in index.rows("SELECT path, centre, size_bytes FROM kept")] == [(day.path, "csc", 5)]
    assert [row["path"] for row in index.rows("SELECT path FROM told_aside")] == [".quarantine/x.0"]
    assert index.count("active") == 1, "a day's own archiving is no event of its station's objects"


def test_a_repeat_is_a_link_and_ends_attempts_and_a_loss_that_was_accepted_is_known(settings: Settings) -> None:
    producer = Producer(settings.kafka, "test")
    announcer = Announcer(producer, Framing(), settings.general.community, PARTITIONS)
    accepted = OffsetsAccepted(
        group="processors", topic_id="t", partition=2, first_lost=3, next=9, who="me", why="a broken disk"
    )
    for told in (repeat(CLOSE), accepted):
        announcer.publish(topics.EVENTS, told, CLOSE.station, told.SCHEMA, "test").result()
    producer.close()
    index = read(settings)
    assert [tuple(row) for row in index.rows("SELECT number, attempt, source FROM link")] == [(8, AGAIN, "repeat")]
    assert {row["attempt"] for row in index.rows("SELECT attempt FROM superseded")} == {LOST, AGAIN}
    assert [tuple(row) for row in index.rows("SELECT * FROM skipped")] == [("t", 2)]


def test_a_close_in_the_log_is_a_link_of_the_topic_that_kafka_has_now(settings: Settings) -> None:
    producer, close = Producer(settings.kafka, "test"), as_message(CLOSE)
    name = topics.MEASUREMENTS.full_name(settings.general.community)
    producer.publish(name, 1, close.key, close.value, close.headers).result()
    producer.close()
    topic_id = Admin(settings.kafka).topic(name).topic_id
    index = read(settings)
    for table in ("link", "close"):
        assert [tuple(row) for row in index.rows(f"SELECT attempt, topic_id FROM {table}")] == [(AGAIN, topic_id)]
