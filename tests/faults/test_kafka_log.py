"""What may happen to the log itself: away longer than any session, shorter than an outage, with more partitions, deleted and made again.

Where the log does not hold what comes next, programs stop and say so; nothing is skipped in silence. Deleted consumer offsets are in
`test_outages`; expired ones are the same to a program, and `topics check` refuses brokers that forget too soon.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # imported there, but not declared as exports
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)

from b2stream.contracts import topics
from b2stream.kafka.admin import Admin
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.kafka import KafkaBroker
from b2stream.sandbox.processes import Process
from b2stream.sandbox.server import Server
from b2stream.settings import variable
from tests.faults import load
from tests.faults.chain import NO_HANDLE, PARTITIONS, PROCESSOR, Chain, gateway_of
from tests.faults.judging import Judge
from tests.faults.lasting import over
from tests.faults.load import StationFile
from tests.faults.scale import deadline_s, scaled_s
from tests.faults.watched import WatchedChain
from tests.waiting import PATIENCE_S, until

AWAY_S = scaled_s(90.0)
HEALED_S = deadline_s(180.0)
"""Gateways ask once a minute what became of the log."""
ANSWER_S = scaled_s(80.0)
"""Setting `timeout_s` of the first centre."""
SENDING = {"not taken", "sending"}
Rounds = Iterator[list[StationFile]]


class _ForgetfulKafka(Deployment):
    """Its broker looks five times a second, and not every five minutes, whether something is older than its retention."""

    def new_broker(self, name: str) -> KafkaBroker:
        often = {"log.retention.check.interval.ms": "200", "log.initial.task.delay.ms": "200"}
        return KafkaBroker(self.directory / name, more=often)


class _JudgeOfWhatIsLeft(Judge):
    """The log does not hold everything any more. What it had acknowledged is judged at the end, from the oracle's record."""

    def _compare_with_log(self, archive: object) -> None:
        pass


@pytest.mark.timeout(deadline_s(900))
@pytest.mark.usefixtures("all_faults")
def test_I8_and_I12_whatever_happens_to_the_log_stops_what_depends_on_it_and_is_mended_from_the_stations(
    evidence: Path, seed: int, say: Callable[[str], None], note: Callable[..., None]
) -> None:
    one_closed = {variable(PROCESSOR, "closed_limit"): "1", variable("first", "timeout_s"): str(ANSWER_S)}
    own = _ForgetfulKafka(evidence / "chain", NO_HANDLE, community="log")
    with WatchedChain(own, environment=one_closed) as chain:
        chain.start()
        judge = _JudgeOfWhatIsLeft(chain)
        rounds = iter([load.round_of_files(seed, number) for number in range(2 * len(ACTS))])
        for act in ACTS:
            began = time.monotonic()
            chain.give(next(rounds))
            did = act(chain, rounds)
            recovered_s = chain.wait_until_drained(HEALED_S)
            objects = judge.judge().objects
            note(act)
            say(
                f"{did}; drained {recovered_s:.1f} s later, {objects} objects judged, {time.monotonic() - began:.0f} s in all"
            )


def _broker_is_away_longer_than_a_session(chain: Chain, rounds: Rounds) -> str:
    """Nobody is restarted."""
    begun, kafka = dict(chain.deployment.programs), chain.deployment.servers["kafka"]
    until(lambda: chain.passed(PROCESSOR, "stage") > 0, chain.describe)
    kafka.kill()
    dead_at = time.monotonic()
    chain.give(next(rounds))
    assert chain.waiting(), "nothing was left to do"
    over(dead_at, AWAY_S)
    kafka.start()
    chain.wait_until_drained(HEALED_S)
    assert all(process.running for process in begun.values()), chain.describe()
    return f"Kafka away {AWAY_S:.0f} s"


def _retention_is_shorter_than_the_processors_outage(chain: Chain, rounds: Rounds) -> str:
    """The processor comes back when the log has forgotten what it had before it: it stops, until someone accepts that."""
    chain.wait_until_drained()
    chain.deployment.programs[PROCESSOR].stop()
    chain.give(next(rounds))
    _all_is_sent(chain)
    lost = chain.lag(PROCESSOR)
    _forget_everything(chain)
    _says(chain, chain.launch(PROCESSOR), 1, "the log holds", "offsets accept")
    assert len(chain.waiting("committed")) > 0
    _accept(chain)
    chain.launch(PROCESSOR)
    return f"{lost} messages left the log before the processor was back: it stopped and said so"


def _retention_takes_what_a_processor_has_before_it(chain: Chain, rounds: Rounds) -> str:
    """It runs, and waits for its centre with closed work; what comes next leaves the log under it."""
    first, processor = _wait_for_a_dead_centre(chain, rounds)
    _forget_everything(chain)
    first.start()
    _says(chain, processor, 1, "the log holds")
    _accept(chain)
    chain.launch(PROCESSOR)
    return "what a processor that was at work had not read yet left the log: it stopped and said so"


def _partitions_are_added(chain: Chain, rounds: Rounds) -> str:
    """A key's place depends on their number: whoever works or starts stops. Growing means a new topic, which stations fill again."""
    chain.wait_until_drained()
    topic = topics.MEASUREMENTS.full_name(chain.deployment.community)
    client = AdminClient({"bootstrap.servers": chain.deployment.addresses["kafka"]})
    client.create_partitions([NewPartitions(topic, PARTITIONS + 2)])[topic].result()
    said = f"{topic} has {PARTITIONS + 2} partitions, kafka.partitions is {PARTITIONS}"
    _says(chain, chain.deployment.programs[PROCESSOR], 4, said)
    _says(chain, chain.launch(PROCESSOR), 4, said)
    station = gateway_of(chain.stations[0])
    chain.deployment.programs[station].stop()
    _says(chain, chain.launch(station), 4, said)
    chain.give(next(rounds))
    _make_again(chain)
    ended = _start_who_ended(chain)
    return f"partitions were added, then the topic was made again; {', '.join(ended)} had stopped"


def _topic_is_made_again(chain: Chain, rounds: Rounds) -> str:
    """Deleted and made again, with closes in it that nobody had archived: offsets mean other messages now."""
    first, processor = _wait_for_a_dead_centre(chain, rounds)
    _make_again(chain)
    _says(chain, processor, 1, "deleted and made again")
    first.start()
    ended = _start_who_ended(chain)
    return f"the topic was deleted and made again with a round of files in it; {', '.join(ended)} had stopped"


ACTS = (
    _broker_is_away_longer_than_a_session,
    _retention_is_shorter_than_the_processors_outage,
    _retention_takes_what_a_processor_has_before_it,
    _partitions_are_added,
    _topic_is_made_again,
)


def _make_again(chain: Chain) -> None:
    """Delete the measurements, and make the topic as `topics create` makes it."""
    _keep_all(chain)
    name = topics.MEASUREMENTS.full_name(chain.deployment.community)
    Admin(chain.deployment.addresses["kafka"]).delete_topic(name)
    chain.deployment.prepare()
    chain.learn_topics()


def _all_is_sent(chain: Chain) -> None:
    """Kafka has all that the gateways were given."""
    until(lambda: not SENDING & set(chain.waiting().values()), chain.describe)


def _wait_for_a_dead_centre(chain: Chain, rounds: Rounds) -> tuple[Server, Process]:
    """The first centre dies, and the processor has a round of files that it cannot archive."""
    chain.wait_until_drained()
    first, processor = chain.deployment.servers["first"], chain.deployment.programs[PROCESSOR]
    first.kill()
    chain.give(next(rounds))
    _all_is_sent(chain)
    return first, processor


def _keep_all(chain: Chain) -> None:
    """Let the oracle keep what was acknowledged and is to be deleted."""
    assert isinstance(chain, WatchedChain)
    chain.watch.keep_all()


def _start_who_ended(chain: Chain) -> list[str]:
    """As whoever supervises processes does."""
    ended = [label for label in chain.labels if not chain.deployment.programs[label].running]
    for label in ended:
        chain.launch(label)
    return ended


def _forget_everything(chain: Chain) -> None:
    """Let real retention take all measurements, then set it back."""
    _keep_all(chain)
    name = topics.MEASUREMENTS.full_name(chain.deployment.community)
    _set_retention(chain, name, 1)
    admin = Admin(chain.deployment.addresses["kafka"])
    until(
        lambda: all(held.start == held.end for held in admin.ranges(name, PARTITIONS).values()),
        "retention took nothing",
    )
    _set_retention(chain, name, topics.MEASUREMENTS_RETENTION_MS)


def _set_retention(chain: Chain, topic: str, retention_ms: int) -> None:
    client = AdminClient({"bootstrap.servers": chain.deployment.addresses["kafka"]})
    wanted = ConfigEntry("retention.ms", str(retention_ms), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[wanted])
    client.incremental_alter_configs([resource])[resource].result()


def _says(chain: Chain, process: Process, exit_code: int, *words: str) -> None:
    """It ends by itself, and tells why."""
    assert process.wait(PATIENCE_S), f"{process.name} goes on: {chain.describe()}"
    said = process.last_log_lines(60)
    assert process.exit_code == exit_code, said
    assert all(each in said for each in words), said


def _accept(chain: Chain) -> None:
    words = ("offsets", "accept", "--why", "retention was shorter than the outage", "--who", "a test")
    accepting = chain.deployment.run_program(*words, label="offsets-accept", wait=False)
    assert accepting.wait(PATIENCE_S)
    assert accepting.exit_code == 0, accepting.last_log_lines()
