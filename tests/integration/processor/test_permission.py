"""Stations are held to their descriptions from end to end: real Kafka, a real zone, a gateway that is told what it did wrong."""

import json
import subprocess
import sys

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from b2stream.contracts.framing import Framing
from b2stream.contracts.stations import SeriesVariable, StationSeries
from b2stream.settings import load
from b2stream.stations.known import publish
from tests.integration.processor.alongside import alongside
from tests.integration.processor.conftest import QUICK_S, Deployment
from tests.unit.processor.signers import OURS, described
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.waiting import until

CO2 = SeriesVariable("co2", "umol mol-1")
EC, WRONG_UNIT = StationSeries("EC_L99_F01", 0, (CO2,)), StationSeries("EC_L98_F01", 0, (SeriesVariable("co2", "ppm"),))
FILES = StationSeries("files", 0)


def tell(deployment: Deployment, *series: StationSeries) -> None:
    """Publish what SE-Htm may publish."""
    description = described("SE-Htm", OURS.key(), series=series)
    publish(load(deployment.config, {}).settings, Framing(), [description], QUICK_S)


def gateway(deployment: Deployment, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`b2stream gateway` of SE-Htm on the folder `watched`."""
    key_file, watched = deployment.folder / "station.key", deployment.folder / "watched"
    key_file.write_bytes(OURS.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    watched.mkdir(exist_ok=True)
    name, *options = arguments or ("",)
    command = [sys.executable, "-c", "from b2stream.cli import main; main()", "gateway"]
    where = ["--station", "SE-Htm", "--watch", str(watched)]
    sends = ["--once", "--timeout", str(QUICK_S)] if not name else []
    return subprocess.run(
        [*command, *([name] if name else []), *where, *sends, *options],
        env=deployment.environment
        | {"B2STREAM_GATEWAY_KEY_FILE": str(key_file), "B2STREAM_GATEWAY_SETTLE_S": "0", "B2STREAM_CONFIG": str(deployment.config)},
        capture_output=True,
        text=True,
        timeout=2 * QUICK_S,
        check=False,
    )  # fmt: skip


@alongside
def test_I9_a_station_publishes_what_its_description_lists_and_nothing_else(deployment: Deployment) -> None:
    deployment.configure(processor={"unsigned": "refuse", "silence_s": 3.0})
    tell(deployment, EC, WRONG_UNIT)
    batches = [
        StationBatch(),
        StationBatch(series="EC_L98_F01", number=2, content=(b"in other units",)),
        StationBatch(series="meteo_2835", number=3, content=(b"not listed",)),
    ]
    deployment.send(*(OURS.sent(batch, attempt_name(batch.number)) for batch in batches))
    deployment.start()
    until(lambda: len({each.reason for each in deployment.letters() if each.poison}) == 2, what="both refusals")
    until(deployment.is_all_acknowledged, what="the end of what is refused")
    assert [event.attempt for event in deployment.events()] == [attempt_name(1)]
    assert sorted(deployment.data_objects().values()) == [batches[0].data_object()]
    refused = {each.attempt: each.reason for each in deployment.letters() if each.poison}
    assert refused == {attempt_name(2): "unit_differs", attempt_name(3): "series_not_listed"}

    (deployment.folder / "watched").mkdir()
    (deployment.folder / "watched" / "one.bin").write_bytes(b"measured")
    sent = gateway(deployment)
    assert sent.returncode == 1, sent.stderr
    warned = sent.stderr.index("the processor will refuse a file")
    assert warned < sent.stderr.index(" sent "), "before it is sent"
    (receipt,) = json.loads(gateway(deployment, "receipts", "--json").stdout)["files"]
    assert (receipt["state"], receipt["reason"]) == ("refused", "series_not_listed")
    for word in ("SE-Htm", "series files", "EC_L99_F01 (level 0), EC_L98_F01 (level 0)"):
        assert word in receipt["detail"]
    tell(deployment, EC, WRONG_UNIT, FILES)
    assert gateway(deployment, "retry", "one.bin").returncode == 0
    sent = gateway(deployment)
    assert sent.returncode == 0, sent.stderr
    assert "the processor will refuse" not in sent.stderr
