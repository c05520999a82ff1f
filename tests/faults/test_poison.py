"""A hostile producer among good stations: what can become nothing is a dead letter each, with its reason, and the rest goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException

from b2stream.contracts import schemas, topics
from b2stream.contracts.envelopes import abandonment_headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.letters import read_letter
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import BatchAbandoned
from b2stream.errors import Poison
from b2stream.kafka.admin import Admin
from b2stream.programs.processor.intake import Address, read_message
from b2stream.sandbox.deployment import Deployment
from b2stream.settings import variable
from tests.faults import hostile, judging, load
from tests.faults.chain import PARTITIONS, PROCESSOR, Chain, beside
from tests.faults.hostile import Enemy
from tests.faults.judging import Judge, read_log
from tests.faults.scale import deadline_s, scaled_s
from tests.groups import end_sessions
from tests.integration.processor.test_readiness import page
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.waiting import PATIENCE_S, until

SILENCE_S = scaled_s(900.0, short_s=15.0)
"""T; short, because it is waited for. Gateways of this load are never silent for so long in mid-batch."""
LETTERS_A_MINUTE = 30
FLOOD = 200
Letters = dict[
    tuple[int, int], tuple[str, bool]
]  # by (partition, offset) of the original message: reason, whether poison


@pytest.mark.timeout(deadline_s(900))
@pytest.mark.usefixtures("all_faults")
def test_poison_becomes_letters_with_exact_reasons_and_the_rest_goes_on(
    servers: Deployment,
    evidence: Path,
    name: str,
    seed: int,
    say: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(judging, "read_log", lambda *place: list(_without_poison(read_log(*place))))
    silence = {variable("processor", "silence_s"): str(SILENCE_S)}
    with Chain(beside(servers, evidence / "chain", name), environment=silence) as chain:
        chain.start({PROCESSOR: "write letter:4"})
        judge, expected, told = Judge(chain), Letters(), []
        rounds = iter([load.round_of_files(seed, number) for number in range(3)])
        kafka, topic = chain.deployment.addresses["kafka"], topics.MEASUREMENTS.full_name(name)
        enemy = Enemy(kafka, topic)

        chain.give(next(rounds))
        for what, attack in hostile.attacks().items():
            home = attack.partition if attack.partition is not None else hostile.HOME
            offsets = enemy.send(attack.messages, attack.partition)
            expected |= dict.fromkeys([(home, offset) for offset in offsets], (attack.reason, attack.is_poison))
            told.append(f"{what:<28} {len(offsets)} × {attack.reason}")
        for step in (
            "write letter:1",
            "letter written:2",
            "letter written:1",
            None,
        ):  # at each step twice, one after the other
            _dies(chain)
            chain.launch(PROCESSOR, fail_at=step)
        _drained(chain, judge)
        assert _letters(chain) == expected

        for batch, messages in hostile.oddities():
            enemy.send(messages)
            _is_source(chain, batch)
        chain.give(next(rounds))
        _drained(chain, judge)
        assert _letters(chain) == expected, "what is strange and true became a letter"

        told.append(_too_large(kafka, topic, chain))
        told.append(_flood(chain, enemy, expected, lambda: chain.give(next(rounds))))
        judgement = _drained(chain, judge)
        assert _letters(chain) == expected
    say("\n".join([*told, f"{len(expected)} letters, {judgement.objects} objects judged"]))


def _dies(chain: Chain) -> None:
    processor = chain.deployment.programs[PROCESSOR]
    assert processor.wait(SILENCE_S + PATIENCE_S), f"no letter was written: {chain.describe()}"
    assert processor.exit_code == -9, processor.last_log_lines()
    end_sessions(chain.deployment.addresses["kafka"], chain.group(PROCESSOR))


def _drained(chain: Chain, judge: Judge) -> judging.Judgement:
    chain.wait_until_drained()
    return judge.judge()


def _is_source(chain: Chain, batch: StationBatch) -> None:
    """From now on the independent check looks for this batch as for a file."""
    file = hostile.as_file(batch)
    path = chain.directory / "odd" / file.name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(file.content)
    chain.given.append((file, path))


def _too_large(kafka: str, topic: str, chain: Chain) -> str:
    """Kafka itself refuses a value of 10 MB, also one that a compression makes small."""
    end = chain.log_end()
    block = StationBatch(station=hostile.FOE, content=(bytes(hostile.LARGE_BYTES),)).block(attempt_name(0), 0)
    for compression in ("none", "gzip", "lz4", "zstd", "snappy"):
        with pytest.raises(KafkaException) as refusal:
            Enemy(kafka, topic, compression).send([block])
        assert refusal.value.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE, compression
    assert chain.log_end() == end
    return f"{'10 MB value':<28} refused by Kafka"


def _flood(chain: Chain, enemy: Enemy, expected: Letters, give: Callable[[], None]) -> str:
    """A limit trips, stops the flood and says so; a higher one takes the rest."""
    chain.deployment.programs[PROCESSOR].stop()
    chain.launch(PROCESSOR, environment={variable("processor", "dead_letters_per_minute"): str(LETTERS_A_MINUTE)})
    offsets = enemy.send(hostile.flood(FLOOD))
    expected |= dict.fromkeys([(hostile.HOME, offset) for offset in offsets], ("not_avro", True))
    give()
    port, processor = chain.port_of(PROCESSOR), chain.deployment.programs[PROCESSOR]
    until(lambda: "dead_letters" in page(port, "readyz")[1].get("reasons", {}), chain.describe)
    assert "processor.dead_letters_per_minute" in processor.log_file.read_text(encoding="utf-8")
    written = len(_letters(chain)) - (len(expected) - FLOOD)
    assert LETTERS_A_MINUTE <= written < FLOOD
    assert chain.lag(PROCESSOR) > 0
    processor.stop()
    chain.launch(PROCESSOR)
    return f"{'flood':<28} {FLOOD} × not_avro: stopped after {written}"


def _letters(chain: Chain) -> Letters:
    """All dead letters that Kafka has."""
    kafka, topic = chain.deployment.addresses["kafka"], topics.DEAD_LETTERS.full_name(chain.deployment.community)
    found = Letters()
    for partition, held in Admin(kafka).ranges(topic, PARTITIONS).items():
        for message in read_log(kafka, topic, partition, held.end):
            letter = read_letter(message.headers)
            assert letter is not None
            found[letter.partition, letter.offset] = (letter.reason, letter.poison)
    return found


def _without_poison(log: list[LogMessage]) -> Iterator[LogMessage]:
    """For the pure core, which knows no poison: in its place an abandonment that abandons nothing."""
    nobody = BatchAbandoned(station=hostile.FOE, attempt=attempt_name(0), last_offset=0)
    value = Framing().frame(schemas.current(nobody.SCHEMA), nobody.to_body())
    headers = abandonment_headers(nobody.station, nobody.attempt, nobody.last_offset)
    for message in log:
        try:
            read_message(message, Framing(), PARTITIONS, Address())
        except Poison:
            key = nobody.station.encode()
            yield LogMessage(
                message.topic, message.partition, message.offset, key, value, headers, message.appended_at_us
            )
        else:
            yield message
