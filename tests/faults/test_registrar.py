"""The chain with a Handle server and a registrar: once all queues are drained, each content has its PID record (I6, I7).

A registrar that is killed when it is about to announce that a content lies at a further place announces it after all.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from b2stream.contracts import topics
from b2stream.contracts.framing import Framing
from b2stream.contracts.records import FurtherLocation
from b2stream.kafka.admin import Admin
from b2stream.sandbox import handle
from b2stream.sandbox.deployment import Deployment
from tests.faults import load
from tests.faults.chain import PARTITIONS, READS, REGISTRAR, Chain, beside
from tests.faults.judging import Judge, read_log
from tests.faults.load import MEADOW, TOWER, StationFile
from tests.groups import end_sessions

DEATH_S = 90.0
EQUAL = [(MEADOW, "one.jpg"), (MEADOW, "other.jpg"), (TOWER, "one.jpg")]


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("all_faults")
def test_I6_after_the_queues_drain_each_content_has_one_record_though_the_registrar_was_killed(
    servers: Deployment, evidence: Path, name: str, seed: int, say: Callable[[str], None]
) -> None:
    if why := handle.why_not():
        pytest.skip(f"Handle server: {why}")
    with Chain(beside(servers, evidence / "chain", name, registering=True), signed=load.STATIONS) as chain:
        chain.start()
        judge = Judge(chain)
        chain.give(load.round_of_files(seed, 0))
        chain.deployment.programs[REGISTRAR].kill()
        chain.launch(REGISTRAR)
        chain.wait_until_drained()
        judgement = judge.judge()
        assert judgement.compared["I9"]["signatures that hold"] == len(chain.given)
        further = _killed_before_it_announces(chain)
        judgement = judge.judge()
    say(
        f"{judgement.compared['I6']}; {further} further locations were announced by a registrar that was killed twice before"
    )


def _killed_before_it_announces(chain: Chain) -> int:
    """Kill -9 at its `announce` and again on the next try; the places beside the registered one that it tells in the end."""
    chain.restart(REGISTRAR, fail_at="announce:1")
    chain.give([StationFile(station, name, b"\xff\xd8\xff\xe0 one picture " * 2_000, None) for station, name in EQUAL])
    for fail_at in ("announce:1", None):
        registrar = chain.deployment.programs[REGISTRAR]
        assert registrar.wait(DEATH_S), f"it had nothing to announce: {chain.describe()}"
        assert registrar.exit_code == -9, registrar.last_log_lines()
        assert _further_locations(chain) == [], "it was told before"
        for topic in READS[REGISTRAR]:
            end_sessions(chain.deployment.addresses["kafka"], chain.group(REGISTRAR, topic))
        chain.launch(REGISTRAR, fail_at=fail_at)
    chain.wait_until_drained()
    told = _further_locations(chain)
    places = {event.url for event in told}
    assert len({(event.pid, event.registered_url) for event in told}) == 1, told
    assert len(places) == len(EQUAL) - 1, told
    assert told[0].registered_url not in places
    return len(places)


def _further_locations(chain: Chain) -> list[FurtherLocation]:
    kafka, topic = chain.deployment.addresses["kafka"], topics.EVENTS.full_name(chain.deployment.community)
    found: list[FurtherLocation] = []
    for partition, held in Admin(kafka).ranges(topic, PARTITIONS).items():
        framed = [Framing().unframe(message.value) for message in read_log(kafka, topic, partition, held.end)]
        found += [FurtherLocation.from_framed(each) for each in framed if each.schema.name == FurtherLocation.SCHEMA]
    return found
