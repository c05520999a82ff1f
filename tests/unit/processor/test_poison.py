"""Messages and batches that can become nothing: each kind has one reason code, and everything else goes on."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from b2stream.contracts import blocks, schemas
from b2stream.contracts.envelopes import block_headers, close_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.partitions import partition_of
from b2stream.errors import Retryable
from tests.unit.processor.harness import Deployment
from tests.unit.processor.stations import SCHEMA, Sent, StationBatch, attempt_name
from tests.unit.processor.virtual_time import run

Deploy = Callable[..., Deployment]
ONE, TWO, OTHER = attempt_name(1), attempt_name(2), attempt_name(3)
BATCH = StationBatch()
BLOCK, CLOSE = BATCH.block(ONE, 0), BATCH.close(ONE)


def without(sent: Sent, header: str) -> Sent:
    return replace(sent, headers=[each for each in sent.headers if each[0] != header])


def with_header(sent: Sent, header: str, value: bytes) -> Sent:
    return replace(sent, headers=[*without(sent, header).headers, (header, value)])


UNKNOWN = b"\xc3\x01" + bytes(8)
POISON = {
    "empty value": (replace(BLOCK, value=b""), "empty_value"),
    "wrong magic": (replace(BLOCK, value=b"\x7fELF" + bytes(40)), "not_avro"),
    "binary rubbish": (replace(BLOCK, value=bytes(range(256))), "unknown_schema"),
    "half a header": (replace(BLOCK, value=b"\xc3\x01\x00"), "not_avro"),
    "unknown fingerprint": (replace(BLOCK, value=UNKNOWN + b"x"), "unknown_schema"),
    "unknown schema id": (replace(BLOCK, value=b"\x00\x00\x00\x00\x07rest"), "unknown_schema"),
    "no headers": (replace(BLOCK, headers=[]), "bad_headers"),
    "no attempt": (without(BLOCK, "ce_attempt"), "bad_headers"),
    "no sequence": (without(BLOCK, "ce_sequence"), "bad_headers"),
    "negative sequence": (with_header(BLOCK, "ce_sequence", b"-1"), "bad_headers"),
    "sequence in words": (with_header(BLOCK, "ce_sequence", b"one"), "bad_headers"),
    "endless sequence": (with_header(BLOCK, "ce_sequence", b"9" * 30), "bad_headers"),
    "attempt that climbs out of the spool": (
        with_header(BLOCK, "ce_attempt", b"../../../../etc/passwd"),
        "bad_headers",
    ),
    "unknown type": (with_header(BLOCK, "ce_type", b"b2stream.Surprise"), "unknown_type"),
    "no key": (replace(BLOCK, key=b""), "bad_key"),
    "key that is no text": (replace(BLOCK, key=b"\xff\xfe"), "bad_key"),
    "key that is no station": (replace(BLOCK, key=b"../SE-Htm"), "bad_key"),
    "key without end": (replace(BLOCK, key=b"S" * 900_000), "bad_key"),
    "truncated close": (replace(CLOSE, value=CLOSE.value[:-20]), "damaged_avro"),
    "close with bytes too many": (replace(CLOSE, value=CLOSE.value + b"more"), "damaged_avro"),
    "block called a close": (replace(BLOCK, headers=CLOSE.headers), "not_this_record"),
    "close of another station": (replace(StationBatch(station="SE-Nor").close(ONE), key=BLOCK.key), "wrong_station"),
    "close of another attempt": (replace(BATCH.close(TWO), headers=CLOSE.headers), "wrong_station"),
    "negative count": (BATCH.with_close(count=-1).close(ONE), "bad_close"),
    "negative rows": (BATCH.with_close(rows=-1).close(ONE), "bad_close"),
    "negative size": (BATCH.with_close(raw_size_bytes=-1).close(ONE), "bad_close"),
    "negative window": (BATCH.with_close(window_s=-1800).close(ONE), "bad_close"),
    "window of nothing": (BATCH.with_close(window_s=0).close(ONE), "bad_close"),
    "start before the calendar": (BATCH.with_close(start_us=-(2**62), stop_us=0).close(ONE), "bad_close"),
    "stop after the calendar": (BATCH.with_close(stop_us=2**62).close(ONE), "bad_close"),
    "digest that is none": (BATCH.with_close(raw_sha256="abc").close(ONE), "bad_close"),
    "series that climbs out of the archive": (BATCH.with_close(series="../../other").close(ONE), "bad_name"),
    "series in a hidden folder": (BATCH.with_close(series=".dead").close(ONE), "bad_name"),
    "stem with a slash": (BATCH.with_close(stem="a/b").close(ONE), "bad_name"),
    "stem with a tilde": (BATCH.with_close(stem="a~b").close(ONE), "bad_name"),
    "stem without end": (BATCH.with_close(stem="a" * 151).close(ONE), "bad_name"),
    "extension of a manifest": (BATCH.with_close(extension=".manifest.json").close(ONE), "bad_name"),
    "close that outgrows the events": (BATCH.with_close(notes={"why": "x" * 200_000}).close(ONE), "bad_close"),
}

MAYBE_OF_A_LATER_RELEASE = {"unknown fingerprint"}
"""Their letters let the gateway send again, until processors are upgraded."""


@pytest.mark.parametrize("kind", POISON)
def test_poison_becomes_one_letter_with_its_reason_and_the_rest_goes_on(deploy: Deploy, kind: str) -> None:
    async def scenario() -> None:
        sent, reason = POISON[kind]
        deployment = deploy()
        other = StationBatch(series="other")
        deployment.send(other.block(OTHER, 0), partition=0)
        offset = deployment.send(sent, partition=0)
        deployment.send(other.blocks(OTHER)[1:], other.close(OTHER))
        running = deployment.running()
        await running.settle()
        assert not running.crashes
        (letter,) = deployment.letters()
        is_poison = kind not in MAYBE_OF_A_LATER_RELEASE
        assert (letter.offset, letter.reason, letter.poison) == (offset, reason, is_poison)
        assert deployment.log.all("dead-letters")[0].value == sent.value
        assert [event.series for event in deployment.events()] == ["other"]
        assert deployment.committed == {0: 5}
        assert sum(len(value) for _, value in deployment.log.all("dead-letters")[0].headers) < 64 << 10

    run(scenario())


def test_a_message_in_another_partition_than_its_stations_is_poison_and_names_the_station(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(partitions=3)
        wrong = (partition_of(BATCH.station, 3) + 1) % 3
        deployment.send(BLOCK, partition=wrong)
        await deployment.running().settle()
        (letter,) = deployment.letters()
        assert (letter.reason, letter.station, letter.partition) == ("wrong_partition", BATCH.station, wrong)
        (message,) = deployment.log.all("dead-letters")
        assert message.partition == partition_of(BATCH.station, 3), "where its gateway looks for it"

    run(scenario())


@dataclass(frozen=True)
class BadBatch:
    """An attempt whose close is well formed and not true."""

    reason: str
    batch: StationBatch


BAD_BATCHES = {
    "other rows": BadBatch("close_mismatch", BATCH.with_close(rows=13)),
    "other content": BadBatch("close_mismatch", BATCH.with_close(content_digest="0" * 64)),
    "other file": BadBatch("close_mismatch", BATCH.with_close(raw_sha256="0" * 64)),
    "other size": BadBatch("close_mismatch", BATCH.with_close(raw_size_bytes=5)),
    "other start": BadBatch("close_mismatch", BATCH.with_close(start_us=0)),
    "other series": BadBatch("wrong_series", BATCH.with_close(series="other")),
    "unknown container": BadBatch("unknown_container", BATCH.with_close(container_format=9)),
    "unreleased schema": BadBatch("two_schemas", BATCH.with_close(schema_fingerprint="0123456789abcdef")),
    "stream without a start": BadBatch(
        "bad_close", StationBatch(is_stream=True).with_close(start_us=None, stop_us=None)
    ),
    "file without pieces": BadBatch("no_raw", StationBatch(is_stream=True).with_close(container_format=0)),
}


@pytest.mark.parametrize("spool_bytes", [1 << 30, 1])
@pytest.mark.parametrize("kind", BAD_BATCHES)
def test_I3_a_close_that_is_not_true_is_poison_for_its_whole_attempt(
    deploy: Deploy, kind: str, spool_bytes: int
) -> None:
    async def scenario() -> None:
        bad = BAD_BATCHES[kind]
        deployment = deploy(spool_bytes=spool_bytes)
        deployment.send(bad.batch.sent(ONE), StationBatch(series="fine").sent(TWO))
        running = deployment.running()
        await running.settle()
        assert not running.crashes
        assert {(each.reason, each.poison, each.attempt) for each in deployment.letters()} == {(bad.reason, True, ONE)}
        assert [each.offset for each in deployment.letters()] == [0, 1, 2, 3]
        assert [event.series for event in deployment.events()] == ["fine"]

    run(scenario())


def test_I3_a_close_that_is_not_true_is_poison_also_when_its_batch_is_archived(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.sent(ONE), BATCH.with_close(content_digest="0" * 64).sent(TWO))
        await deployment.running().settle()
        assert len(deployment.events()) == 1
        assert {(each.reason, each.attempt) for each in deployment.letters()} == {("close_mismatch", TWO)}

    run(scenario())


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_I2_a_hole_is_no_poison_the_station_sends_the_batch_again(deploy: Deploy, missing: int) -> None:
    async def scenario() -> None:
        deployment = deploy()
        blocks_here = [block for at, block in enumerate(BATCH.blocks(ONE)) if at != missing]
        deployment.send(blocks_here, CLOSE)
        await deployment.running().settle()
        assert not deployment.objects()
        assert {(each.reason, each.poison) for each in deployment.letters()} == {("hole", False)}
        assert len(deployment.letters()) == 3

    run(scenario())


def test_I2_a_block_too_many_is_a_hole_too(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        longer = StationBatch(content=(*BATCH.content, b"too many"))
        deployment.send(longer.blocks(ONE), CLOSE)
        await deployment.running().settle()
        assert {(each.reason, each.poison) for each in deployment.letters()} == {("hole", False)}

    run(scenario())


def test_a_conflict_poisons_its_attempt_only_and_the_station_may_send_again(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        other = StationBatch(content=(b"first,", b"OTHER", b"third"))
        deployment.send(BATCH.blocks(ONE), other.block(ONE, 1), CLOSE, BATCH.sent(TWO))
        await deployment.running().settle()
        assert {(each.reason, each.poison, each.attempt) for each in deployment.letters()} == {
            ("conflicting_blocks", False, ONE)
        }
        assert [event.attempt for event in deployment.events()] == [TWO]

    run(scenario())


def test_equal_attempt_names_of_two_stations_do_not_meet(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        other = StationBatch(station="SE-Nor", content=(b"other",))
        deployment.send(BATCH.block(ONE, 0), other.sent(ONE), BATCH.blocks(ONE)[1:], CLOSE)
        await deployment.running().settle()
        assert len(deployment.events()) == 2
        assert not deployment.letters()

    run(scenario())


def test_two_schema_fingerprints_in_one_attempt_are_poison(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        deployment = deploy()
        older = schemas.parse(SCHEMA.text.replace('"default": []', '"default": [ ]').replace('"raw"', '"raw_bytes"'))
        known = schemas.released
        monkeypatch.setattr(
            "b2stream.contracts.framing.released", lambda code: older if code == older.fingerprint else known(code)
        )
        body = BATCH.bodies()[1]
        value = Framing().frame(older, body)
        deployment.send(BATCH.block(ONE, 0), replace(BATCH.block(ONE, 1), value=value), BATCH.block(ONE, 2), CLOSE)
        await deployment.running().settle()
        assert not deployment.objects()
        assert {(each.reason, each.poison) for each in deployment.letters()} == {("two_schemas", True)}

    run(scenario())


def test_a_block_that_is_damaged_inside_is_poison_when_its_batch_is_closed(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        block = BATCH.block(ONE, 1)
        deployment.send(BATCH.block(ONE, 0), replace(block, value=block.value[:-3]), BATCH.block(ONE, 2), CLOSE)
        await deployment.running().settle()
        assert {(each.reason, each.poison) for each in deployment.letters()} == {("damaged_avro", True)}

    run(scenario())


def test_a_close_that_is_poison_takes_its_open_blocks_with_it(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(BATCH.blocks(ONE), BATCH.with_close(count=-1).close(ONE))
        running = deployment.running()
        await running.settle()
        assert not running.processor.open_attempts()
        assert [(each.offset, each.reason, each.poison) for each in deployment.letters()] == [
            (offset, "bad_close", True) for offset in range(4)
        ]
        assert deployment.committed == {0: 4}

    run(scenario())


def test_a_schema_registry_that_does_not_answer_is_waited_for(deploy: Deploy) -> None:
    async def scenario() -> None:
        answers = iter([False, False, False])

        def text_by_id(number: int) -> str:
            if not next(answers, True):
                raise Retryable("the registry does not answer")
            return SCHEMA.text

        deployment = deploy(framing=Framing(text_by_id))
        confluent = [
            replace(block, value=b"\x00\x00\x00\x00\x05" + body)
            for block, body in zip(BATCH.blocks(ONE), BATCH.bodies(), strict=True)
        ]
        deployment.send(confluent, CLOSE)
        running = deployment.running()
        await running.settle()
        assert not running.crashes
        assert list(deployment.data_objects().values()) == [BATCH.data_object()]

    run(scenario())


def test_both_framings_give_one_attempt_the_same_data_object(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(framing=Framing(lambda number: SCHEMA.text))
        stream = StationBatch(is_stream=True)
        sent = stream.blocks(ONE)
        sent[1] = replace(sent[1], value=b"\x00\x00\x00\x00\x05" + stream.bodies()[1])
        deployment.send(sent, stream.close(ONE))
        await deployment.running().settle()
        assert list(deployment.data_objects().values()) == [stream.data_object()]

    run(scenario())


def test_rows_whose_times_are_far_off_are_archived_as_they_are(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        for number, start_us in enumerate((0, -1_000_000_000_000_000, 4_000_000_000_000_000)):
            deployment.send(StationBatch(number=number, start_us=start_us).sent(attempt_name(number)))
        await deployment.running().settle()
        months = [event.path.rsplit("/", 1)[0] for event in deployment.events()]
        assert months == [f"SE-Htm/EC_L99_F01/{month}" for month in ("1970/01", "1938/04", "2096/10")]

    run(scenario())


def test_a_file_without_a_time_lies_under_undated(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy()
        deployment.send(StationBatch(start_us=None, rows_per_block=0).sent(ONE))
        await deployment.running().settle()
        assert deployment.events()[0].path.startswith("SE-Htm/EC_L99_F01/undated/")

    run(scenario())


def test_a_flood_of_poison_waits_for_kafka_like_everything_else(deploy: Deploy) -> None:
    async def scenario() -> None:
        deployment = deploy(closed_limit=5)
        deployment.send(*(replace(BLOCK, value=b"x") for _ in range(100)))
        running = deployment.running()
        running.publisher.is_away = True
        await running.until(lambda: running.processor.unwritten_letters() == 5)
        assert running.position[0] <= 7
        running.publisher.back()
        await running.settle()
        assert len(deployment.letters_by_id()) == 100

    run(scenario())


def test_the_helper_writes_what_a_gateway_writes() -> None:
    framed = Framing().unframe(BLOCK.value)
    assert blocks.decode(framed).rows == 4
    assert BLOCK.headers == block_headers(BATCH.station, BATCH.series, ONE, 0)
    assert CLOSE.headers == close_headers(BATCH.station, BATCH.series, ONE)
