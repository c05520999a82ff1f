"""What happens to bytes between the programs and Kafka: nothing is lost, doubled or changed, and nobody needs a hand."""

import random
import re
from collections.abc import Callable

import pytest

from b2stream.contracts import topics
from b2stream.kafka import Consumer, Producer, read_range
from b2stream.kafka.admin import Admin
from b2stream.kafka.latest import LatestReader
from tests.faults.chain import PROCESSOR, REGISTRAR, REPLICATOR
from tests.faults.links.linked import CLIENTS, GATEWAY, HEALED_S, LinkedChain, within
from tests.faults.proxy import BOTH, DOWN, UP, Fault
from tests.faults.scale import deadline_s, scaled_s
from tests.waiting import until

Say = Callable[[str], None]

pytestmark = pytest.mark.timeout(deadline_s(300))

all_faults = pytest.mark.usefixtures("all_faults")
OFFSET_COMMIT = r"\x00\x08\x00[\x00-\x0f].{4}\x00.(?:faust|b2stream-)"
"""The header of Kafka's request 8: key, version, correlation id, client id."""
SILENT_S = scaled_s(90.0)
"""Longer than any session, also where it is scaled down."""


def test_I1_a_link_cut_in_mid_produce_loses_and_doubles_nothing(chain: LinkedChain, say: Say) -> None:
    files = chain.next_files()
    chain.strike("kafka", Fault("cut", UP, 200, within(files[0]), only=CLIENTS[GATEWAY], times=1), files)
    say(chain.settle())


@all_faults
@pytest.mark.parametrize("kind", ["cut", "half_close"])
def test_I1_an_acknowledgement_that_is_lost_doubles_nothing(chain: LinkedChain, say: Say, kind: str) -> None:
    files = chain.next_files()
    fault = Fault(kind, DOWN, 0, within(files[0]), UP, only=CLIENTS[GATEWAY], times=1)
    chain.strike("kafka", fault, files)
    say(chain.settle())


@all_faults
def test_I11_half_closed_in_mid_produce_the_gateway_goes_on_elsewhere(chain: LinkedChain, say: Say) -> None:
    files = chain.next_files()
    chain.strike("kafka", Fault("half_close", UP, 200, within(files[0]), only=CLIENTS[GATEWAY], times=1), files)
    say(chain.settle())


def test_I3_a_byte_flipped_on_the_way_to_kafka_is_refused_there_and_sent_again(chain: LinkedChain, say: Say) -> None:
    files = chain.next_files()
    chain.strike("kafka", Fault("flip", UP, 20, within(files[0]), only=CLIENTS[GATEWAY], times=1), files)
    say(chain.settle())


@all_faults
def test_I3_a_byte_flipped_on_the_way_to_the_processor_is_noticed_and_read_again(chain: LinkedChain, say: Say) -> None:
    files = chain.next_files()
    chain.strike("kafka", Fault("flip", DOWN, 20, within(files[0]), only=CLIENTS[PROCESSOR], times=1), files)
    say(chain.settle())


def _alone(bootstrap: str, topic: str) -> list[bytes | None]:
    return _six_of(Consumer(bootstrap, topic, client_id="alone"))


def _as_a_group(bootstrap: str, topic: str) -> list[bytes | None]:
    return _six_of(Consumer(bootstrap, topic, client_id="group", group=topic))


def _six_of(reader: Consumer | LatestReader) -> list[bytes | None]:
    try:
        return [until(lambda: reader.poll(0.2)).value for _ in range(6)]  # type: ignore[union-attr]
    finally:
        reader.close()


def _once_more(bootstrap: str, topic: str) -> list[bytes | None]:
    return [message.value for message in read_range(bootstrap, topic, 0, 0, 5, client_id="once-more")]


def _latest(bootstrap: str, topic: str) -> list[bytes | None]:
    return _six_of(LatestReader(bootstrap, topic, "latest"))


@pytest.mark.parametrize("read", [_alone, _as_a_group, _once_more, _latest])
def test_I3_each_of_our_readers_notices_a_flipped_byte_and_asks_again(
    chain: LinkedChain, read: Callable[[str, str], list[bytes | None]]
) -> None:
    bootstrap, topic = chain.deployment.addresses["kafka"], f"links-read{read.__name__}"
    Admin(bootstrap).create_topic(topic, 1, 1, topics.MEASUREMENTS.config())
    messages = [b"message number %d of six" % number + b"!" * 700 for number in range(6)]
    producer = Producer(bootstrap, "test")
    for message in messages:  # each in a batch of its own
        producer.publish(topic, 0, b"", message, []).result()
    producer.close()
    chain.links["kafka"].set(Fault("flip", DOWN, 3, "number 2 of", times=1))
    assert read(chain.links["kafka"].address, topic) == messages
    assert chain.links["kafka"].counts.hits == 1
    chain.links["kafka"].clear()
    chain.settled = True


@all_faults
@pytest.mark.parametrize("program", [REPLICATOR, REGISTRAR, GATEWAY])
def test_I3_a_byte_flipped_in_a_commit_event_is_noticed_by_each_who_reads_it(
    chain: LinkedChain, say: Say, program: str
) -> None:
    if program == REGISTRAR and not chain.registers:
        pytest.skip("no Handle server here, so no registrar")
    files = chain.next_files()
    # The name of the file, as it stands in the event: within the path, the stem and the URL.
    trigger = re.escape(files[0].name.rpartition(".")[0])
    chain.strike("kafka", Fault("flip", DOWN, 3, trigger, only=CLIENTS[program], times=1), files)
    say(chain.settle())


@all_faults
@pytest.mark.parametrize("program", [PROCESSOR, REPLICATOR])
def test_I2_a_byte_flipped_anywhere_in_what_kafka_says_passes_nothing_over(
    chain: LinkedChain, say: Say, seed: int, program: str
) -> None:
    """In lengths, offsets, error codes and records alike: Kafka's checksums cover the records alone.

    A lie outside of them may end the program: aiokafka ends where it is answered for a partition that it did not ask for (its fetcher's
    KeyError, seen at byte 130). It is started again, as Kubernetes does.
    """
    draw = random.Random(f"{seed} {program}")
    positions = [draw.randrange(1_500) for _ in range(8)]
    ended: list[int] = []
    for position in positions:
        chain.strike("kafka", Fault("flip", DOWN, position, only=CLIENTS[program], times=1), chain.next_files(1))

        def is_drained() -> bool:
            if not chain.deployment.programs[program].running:
                ended.append(position)  # noqa: B023
                assert len(ended) <= len(positions), "it ends without a flipped byte"
                chain.start_again(program)
            return chain.is_drained()

        until(is_drained, lambda: f"byte {position}: {chain.describe()}", HEALED_S)  # noqa: B023
    say(f"bytes {positions}, ended by {ended}; {chain.settle()}")


@all_faults
def test_I11_a_connection_that_goes_silent_in_mid_fetch_is_given_up(chain: LinkedChain, say: Say) -> None:
    files = chain.next_files()
    fault = Fault("black_hole", DOWN, 20, within(files[0]), only=CLIENTS[PROCESSOR], times=1)
    chain.strike("kafka", fault, files)
    until(chain.is_drained, chain.describe, 180.0)  # with the black hole still there: another connection is taken
    say(chain.settle())


@all_faults
@pytest.mark.parametrize("program", [GATEWAY, PROCESSOR, REPLICATOR])
def test_I11_one_program_whose_way_to_kafka_is_a_black_hole_catches_up(
    chain: LinkedChain, say: Say, program: str
) -> None:
    files = chain.next_files()
    chain.give(files[:2])
    chain.strike("kafka", Fault("black_hole", only=CLIENTS[program]), files[2:])
    chain.stay(SILENT_S)
    assert chain.waiting(), "the black hole let everything through"
    say(chain.settle())


@all_faults
@pytest.mark.parametrize("program", [PROCESSOR, REPLICATOR])
@pytest.mark.parametrize("lost", ["request", "reply"])
def test_I8_a_reset_in_the_middle_of_an_offset_commit_moves_no_offset_past_the_archive(
    chain: LinkedChain, say: Say, program: str, lost: str
) -> None:
    direction, seen = (UP, BOTH) if lost == "request" else (DOWN, UP)
    chain.strike("kafka", Fault("reset", direction, 0, OFFSET_COMMIT, seen, only=CLIENTS[program], times=1))
    say(chain.settle())


@all_faults
@pytest.mark.parametrize(
    "fault", [Fault("delay", seconds=0.3), Fault("throttle", bytes_per_s=60_000)], ids=lambda one: one.kind
)
def test_I11_a_slow_link_to_kafka_is_slow_and_nothing_else(chain: LinkedChain, say: Say, fault: Fault) -> None:
    chain.strike("kafka", fault)
    until(chain.is_drained, chain.describe, 180.0)
    say(chain.settle())


@all_faults
def test_I11_all_connections_to_kafka_reset_again_and_again_is_survived(chain: LinkedChain, say: Say) -> None:
    chain.give(chain.next_files())
    broken = 0
    for _ in range(10):
        broken += chain.links["kafka"].break_off("reset")
        passed = chain.passed(PROCESSOR, "append")
        chain.give(chain.next_files(1))
        until(lambda: chain.passed(PROCESSOR, "append") > passed, chain.describe)  # noqa: B023
    assert broken > 0
    say(f"{broken} connections reset; {chain.settle()}")


@all_faults
def test_the_topic_of_measurements_is_read_by_way_of_the_proxies_only(chain: LinkedChain) -> None:
    name = topics.MEASUREMENTS.full_name(chain.deployment.community)
    for program, client in CLIENTS.items():
        if program != REGISTRAR or chain.registers:
            assert chain.links["kafka"].break_off("reset", only=client) > 0, (
                f"{program} does not come by the proxy to {name}"
            )
    chain.give(chain.next_files(2))
    chain.settle()
