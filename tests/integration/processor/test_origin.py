"""I9 from end to end: real Kafka, a real zone, the descriptions of stations in their topic, gateways with good and bad keys."""

import base64
import json
import subprocess
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from b2stream.batches.signing import public_key_of
from b2stream.contracts.envelopes import Headers
from b2stream.contracts.framing import Framing
from b2stream.contracts.stations import StationDescription
from b2stream.settings import load
from b2stream.stations.known import publish
from b2stream.stations.reviewed import signature_headers
from tests.integration.processor.alongside import alongside
from tests.integration.processor.conftest import QUICK_S, Deployment
from tests.unit.processor.signers import FORGED, NEW, OURS, THEIRS, Signer, described, other_units
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.waiting import until

ENDED = Signer(4)
DAY_US = 86_400_000_000


def tell(deployment: Deployment, *descriptions: StationDescription, reviewer: Signer | None = None) -> None:
    """Publish descriptions of stations, whatever stands in the topic; signed by a reviewer where one is given."""

    def sign(fingerprint: str, body: bytes) -> Headers:
        if reviewer is None:
            return []
        return signature_headers(fingerprint, body, reviewer.private, time.time_ns() // 1000)

    publish(load(deployment.config, {}).settings, Framing(), descriptions, QUICK_S, sign)


def batch(number: int) -> StationBatch:
    return StationBatch(number=number, content=(b"%d;" % number, b"rest"))


def send_once(deployment: Deployment, folder: Path, signer: Signer) -> tuple[int, dict[str, str]]:
    """Let a gateway with this key send the files of a folder; its exit code, and what its receipts say of the first file."""
    key_file = deployment.folder / f"{signer.number}.key"
    key_file.write_bytes(signer.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    command = [sys.executable, "-c", "from b2stream.cli import main; main()", "gateway"]
    where = ["--station", "SE-Htm", "--watch", str(folder)]
    environment = deployment.environment | {
        "B2STREAM_GATEWAY_KEY_FILE": str(key_file),
        "B2STREAM_GATEWAY_SETTLE_S": "0",
    }
    sent = subprocess.run(
        [*command, *where, "--once", "--timeout", str(QUICK_S)],
        env=environment,
        capture_output=True,
        timeout=2 * QUICK_S,
    )
    told = subprocess.run(
        [*command, "receipts", *where, "--json"], env=environment, capture_output=True, timeout=QUICK_S
    )
    return sent.returncode, json.loads(told.stdout)["files"][0]


@alongside
def test_I9_what_its_station_did_not_sign_never_reaches_the_archive(deployment: Deployment) -> None:
    deployment.configure(processor={"unsigned": "refuse", "silence_s": 3.0})
    now_us = time.time_ns() // 1000
    ended = ENDED.key(valid_until_us=now_us - DAY_US)
    tell(deployment, described("SE-Htm", ended, OURS.key()), described("SE-Nor", THEIRS.key()))
    expected = {"other units": "close_mismatch", "ended key": "key_expired"}
    deployment.send(other_units(batch(100), attempt_name(100)), ENDED.sent(batch(101), attempt_name(101)))
    for number, (kind, (forge, reason)) in enumerate(FORGED.items()):
        expected[kind] = reason
        deployment.send(forge(batch(number), attempt_name(number)))
    deployment.send(OURS.sent(batch(200), attempt_name(200)))
    deployment.send(NEW.sent(batch(201), attempt_name(201)))  # its key is published later
    deployment.send(OURS.sent(batch(202), attempt_name(202)))  # the old key still holds
    deployment.start()
    until(lambda: len(deployment.events()) == 2, what="what the old key signed")
    until(lambda: len({each.attempt for each in deployment.letters() if each.poison}) == len(expected))
    tell(deployment, described("SE-Htm", ended, OURS.key(), NEW.key()))
    until(lambda: len(deployment.events()) == 3, what="what the new key signed")
    until(deployment.is_all_acknowledged, what="the end of what nobody closed")

    assert sorted(event.attempt for event in deployment.events()) == [
        attempt_name(number) for number in (200, 201, 202)
    ]
    assert sorted(deployment.data_objects().values()) == sorted(
        batch(number).data_object() for number in (200, 201, 202)
    )
    refused = {each.attempt: each.reason for each in deployment.letters() if each.poison}
    assert sorted(refused.values()) == sorted(expected.values())
    assert {each.reason for each in deployment.letters() if not each.poison} == {"abandoned"}

    folder = deployment.folder / "watched"
    folder.mkdir()
    (folder / "one.bin").write_bytes(b"measured")
    exit_code, receipt = send_once(deployment, folder, THEIRS)
    assert (exit_code, receipt["state"], receipt["reason"]) == (1, "refused", "key_of_another_station")
    (folder / "one.bin").write_bytes(b"measured again")
    exit_code, receipt = send_once(deployment, folder, NEW)
    assert (exit_code, receipt["state"]) == (0, "committed")


@alongside
def test_I9_who_may_write_to_the_topic_of_stations_gives_no_station_a_key(deployment: Deployment) -> None:
    """First without reviewers: the station's keys are not taken away. Then with them: nobody else adds one, also after a restart."""

    def archived() -> set[str]:
        return {event.attempt for event in deployment.events()}

    attacker, reviewer = NEW, Signer(5)
    settings = {"unsigned": "refuse", "silence_s": 3.0, "unknown_key_s": 0.0}
    deployment.configure(processor=settings)
    tell(deployment, described("SE-Htm", OURS.key()))
    tell(deployment, described("SE-Htm", attacker.key()))
    deployment.send(attacker.sent(batch(1), attempt_name(1)), OURS.sent(batch(2), attempt_name(2)))
    first = deployment.start()
    until(lambda: {each.attempt for each in deployment.letters()} >= {attempt_name(1)}, what="the forged close")
    until(lambda: archived() == {attempt_name(2)}, what="the station's own batch")
    first.stop(QUICK_S)

    public = base64.b64encode(public_key_of(reviewer.private)).decode()
    deployment.configure(processor=settings, general={"reviewer_keys": public})
    tell(deployment, described("SE-Htm", OURS.key()), reviewer=reviewer)
    tell(deployment, described("SE-Htm", OURS.key(), attacker.key()))
    tell(deployment, described("SE-Htm", OURS.key(), attacker.key()), reviewer=attacker)
    deployment.send(attacker.sent(batch(3), attempt_name(3)), OURS.sent(batch(4), attempt_name(4)))
    deployment.start()
    until(lambda: {each.attempt for each in deployment.letters()} >= {attempt_name(3)}, what="the second forgery")
    until(lambda: attempt_name(4) in archived(), what="the station's second batch")
    assert archived() == {attempt_name(2), attempt_name(4)}
    assert sorted(deployment.data_objects().values()) == sorted(batch(number).data_object() for number in (2, 4))
    assert {each.reason for each in deployment.letters() if each.attempt in (attempt_name(1), attempt_name(3))} <= {
        "unknown_key",
        "abandoned",
    }
