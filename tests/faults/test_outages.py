"""Servers that freeze and die during a load: everything drains by itself once they are back, without a restart by hand (I11).

Then what may be wiped is wiped: offsets of the groups, Redis, the stations' journals (I12). The end is the same as if nothing had happened.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from b2stream.programs.gateway.running import JOURNAL
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.given import Given
from b2stream.sandbox.server import Server
from b2stream.settings import variable
from tests.faults import load, moments
from tests.faults.chain import PROCESSOR, READS, REPLICATOR, Chain, gateway_of
from tests.faults.judging import Judge, assert_same_end
from tests.faults.lasting import in_mid, over
from tests.faults.load import StationFile
from tests.faults.scale import deadline_s, scaled_s
from tests.faults.watched import WatchedChain
from tests.pages import metric
from tests.waiting import until

HEALED_S = deadline_s(120.0)  # longest time to drain after a fault is gone
SECOND_FROZEN_S = scaled_s(600.0, short_s=37.5)  # 1/8 would be most of this test
FIRST_DEAD_S = scaled_s(300.0)
FIRST_FROZEN_S = scaled_s(120.0, at_least_s=12.0)  # longer than `ANSWER_S`
KAFKA_FROZEN_S = scaled_s(120.0, at_least_s=15.0)  # longer than a session
ANSWER_S = scaled_s(80.0)
"""Setting `timeout_s` of both centres, shorter than the second one is frozen. A centre that is killed in mid-write leaves an intermediate
object, which is waited for so long before it counts as debris."""
KAFKA_DEAD_S = scaled_s(90.0)

NO_REDIS = "no Redis on this machine: nothing was killed"

Rounds = Iterator[list[StationFile]]


@pytest.mark.timeout(deadline_s(1800))
@pytest.mark.usefixtures("all_faults")
def test_I11_servers_that_freeze_and_die_and_I12_what_is_wiped_change_nothing(
    servers: Deployment, evidence: Path, name: str, seed: int, say: Callable[[str], None], note: Callable[..., None]
) -> None:
    timeouts = {variable(role, "timeout_s"): str(ANSWER_S) for role in ("first", "second")}
    own = Deployment(evidence / "chain", Given(), community="outages")
    told = []
    count_of_rounds = sum(ROUNDS_OF.values())
    with ThreadPoolExecutor(1) as pool, WatchedChain(own, environment=timeouts) as chain:
        still = pool.submit(
            moments.undisturbed,
            servers,
            evidence / "undisturbed",
            name,
            count_of_rounds,
            seed,
        )
        chain.start()
        judge = Judge(chain)
        rounds = iter([load.round_of_files(seed, number) for number in range(count_of_rounds)])
        begun = dict(own.programs)
        done = 0
        for act, count in ROUNDS_OF.items():
            did = act(chain, iter([next(rounds) for _ in range(count)]))
            done += count
            if act in BY_HAND:
                begun = dict(own.programs)
            recovered_s = chain.wait_until_drained(HEALED_S)
            judgement = judge.judge()
            told.append(f"{did}: drained after {recovered_s:.1f} s, {judgement.objects} objects judged")
            assert own.programs == begun, "restarted by hand"
            assert all(process.running for process in own.programs.values()), chain.describe()
            expected = still.result()[done - 1]
            if act is _journals_are_wiped:  # the chain goes on from the closes that were sent again
                assert judgement.archive.data_objects() == expected.data_objects()
            else:
                assert_same_end(judgement.archive, expected)
            if did != NO_REDIS:
                note(act)
    say("\n".join(told))


def _second_centre_freezes_and_is_restarted(chain: Chain, rounds: Rounds) -> str:
    """The first centre goes on as if nothing were wrong; the second is lag, not loss."""
    second, stations = chain.deployment.servers["second"], chain.stations
    in_mid(chain, REPLICATOR, "copy", next(rounds), second.freeze)
    frozen_at = time.monotonic()
    chain.give(next(rounds))
    everything = {"committed", "replicated"}
    until(lambda: all(set(chain.outcomes(station).values()) <= everything for station in stations), chain.describe)
    lag = chain.lag(REPLICATOR)
    assert lag > 0, "nothing was left for the replicator"
    over(frozen_at, SECOND_FROZEN_S)
    _kill_and_start(second)
    return f"second centre frozen {SECOND_FROZEN_S:.0f} s, then killed and started, {lag} batches behind"


def _first_centre_dies(chain: Chain, rounds: Rounds) -> str:
    """Stations go on publishing; the processor waits."""
    first = chain.deployment.servers["first"]
    in_mid(chain, PROCESSOR, "stage", next(rounds), first.kill)
    dead_at = time.monotonic()
    chain.give(next(rounds))
    until(lambda: not set(chain.waiting().values()) & {"not taken", "sending"}, chain.describe)
    lag = chain.lag(PROCESSOR)
    assert lag > 0, "nothing was left for the processor"
    over(dead_at, FIRST_DEAD_S)
    first.start()
    return f"first centre dead {FIRST_DEAD_S:.0f} s, {lag} messages behind"


def _first_centre_freezes(chain: Chain, rounds: Rounds) -> str:
    """Its connections stay open and nothing answers: commits under way wait for their replies."""
    first = chain.deployment.servers["first"]
    in_mid(chain, PROCESSOR, "stage", next(rounds), first.freeze)
    frozen_at, lag = time.monotonic(), chain.lag(PROCESSOR)
    assert lag > 0, "nothing was left for the processor"
    over(frozen_at, FIRST_FROZEN_S)
    first.thaw()
    return f"first centre frozen {FIRST_FROZEN_S:.0f} s, {lag} messages behind"


def _both_centres_are_down_at_the_start(chain: Chain, rounds: Rounds) -> str:
    """Processor, replicator and registrar start while no centre is there, each with work before it."""
    centres = [chain.deployment.servers[role] for role in ("first", "second")]
    readers = [label for label in chain.labels if label in READS]
    for label in readers:
        if label != PROCESSOR:
            chain.deployment.programs[label].stop()
    chain.give(next(rounds))
    until(
        lambda: set(chain.waiting().values()) == {"committed"}, chain.describe
    )  # events that the others have not read
    for centre in centres:
        centre.kill()
    chain.deployment.programs[PROCESSOR].stop()
    chain.give(next(rounds))
    until(lambda: not set(chain.waiting().values()) & {"not taken", "sending"}, chain.describe)
    behind = {label: chain.lag(label) for label in readers}
    assert min(behind.values()) > 0, f"nothing was left for one of them: {behind}"
    for label in readers:
        chain.launch(label)
    for label in readers:
        unanswered = f"b2stream_{label}_unanswered_batches"
        until(lambda label=label, unanswered=unanswered: metric(chain.port_of(label), unanswered) >= 1, chain.describe)  # type: ignore[misc]
    for centre in centres:
        centre.start()
    return f"{', '.join(readers)} started while both centres were down, {sum(behind.values())} messages behind"


def _kafka_freezes(chain: Chain, rounds: Rounds) -> str:
    """Longer than the session of every consumer."""
    kafka = chain.deployment.servers["kafka"]
    in_mid(chain, PROCESSOR, "stage", next(rounds), kafka.freeze)
    frozen_at = time.monotonic()
    chain.give(next(rounds))
    over(frozen_at, KAFKA_FROZEN_S)
    kafka.thaw()
    behind = len(chain.waiting())
    assert behind > 0, "nothing was left to do"
    return f"Kafka frozen {KAFKA_FROZEN_S:.0f} s, {behind} files behind"


def _kafka_is_killed(chain: Chain, rounds: Rounds) -> str:
    """As a power cut would; its log is on disk."""
    kafka = chain.deployment.servers["kafka"]
    in_mid(chain, PROCESSOR, "stage", next(rounds), kafka.kill)
    dead_at = time.monotonic()
    chain.give(next(rounds))
    behind = len(chain.waiting())
    assert behind > 0, "nothing was left to do"
    over(dead_at, KAFKA_DEAD_S)
    kafka.start()
    return f"Kafka killed, dead {KAFKA_DEAD_S:.0f} s, {behind} files behind"


def _redis_is_killed(chain: Chain, rounds: Rounds) -> str:
    """It holds live status, nothing that decides; the load goes through while it is away, and while it is back and empty."""
    redis = chain.deployment.servers.get("redis")
    if redis is None:
        chain.give([*next(rounds), *next(rounds)])
        return NO_REDIS
    in_mid(chain, PROCESSOR, "stage", next(rounds), redis.kill)
    chain.wait_until_drained()
    shutil.rmtree(redis.directory)
    redis.start()
    chain.give(next(rounds))
    return "Redis killed, the load went through without it; then back, and empty"


def _offsets_are_deleted(chain: Chain, rounds: Rounds) -> str:
    """The groups of processor and replicator are deleted with all offsets; both begin at the log's start, in mid-load."""
    labels, admin = (PROCESSOR, REPLICATOR), AdminClient({"bootstrap.servers": chain.deployment.addresses["kafka"]})
    for label in labels:
        chain.deployment.programs[label].stop()
    for future in admin.delete_consumer_groups([chain.group(label) for label in labels]).values():
        future.result()
    behind = {label: chain.lag(label) for label in labels}
    assert min(behind.values()) > 0, "the groups have offsets still"
    chain.give(next(rounds))
    for label in labels:
        chain.launch(label)
    return f"offsets deleted: {behind[PROCESSOR]} messages and {behind[REPLICATOR]} commit events read again"


def _journals_are_wiped(chain: Chain, rounds: Rounds) -> str:
    """The stations send everything again as new attempts; the archive has it already and says so."""
    for station in chain.stations:
        chain.deployment.programs[gateway_of(station)].stop()
    chain.forget_journals()
    for station in chain.stations:
        shutil.rmtree((chain.folder_of(station) / JOURNAL).parent)
    before = chain.log_end()
    for station in chain.stations:
        chain.launch(gateway_of(station))
    chain.give(next(rounds))
    until(lambda: not chain.waiting(), chain.describe, HEALED_S)
    return f"journals wiped: {chain.log_end() - before} messages sent again or new"


ROUNDS_OF: dict[Callable[[Chain, Rounds], str], int] = {
    _second_centre_freezes_and_is_restarted: 2,
    _first_centre_dies: 2,
    _first_centre_freezes: 1,
    _kafka_freezes: 2,
    _kafka_is_killed: 2,
    _redis_is_killed: 2,
    _both_centres_are_down_at_the_start: 2,
    _offsets_are_deleted: 1,
    _journals_are_wiped: 1,
}
"""What is done, in this order, and how many rounds of files each takes."""
BY_HAND = {_both_centres_are_down_at_the_start, _offsets_are_deleted, _journals_are_wiped}
"""Acts that start programs themselves; from their end on these are the ones that nobody starts again."""


def _kill_and_start(server: Server) -> None:
    server.kill()
    server.start()
