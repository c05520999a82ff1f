"""A product's sources from the list beside its file into the archive: real Kafka, a real zone, gateway and processor."""

import json

from b2stream.batches.manifest import read_manifest
from b2stream.batches.signing import is_signed_by
from b2stream.programs.audit.history.drawing import as_lines
from tests.integration.processor.alongside import alongside
from tests.integration.processor.conftest import Deployment
from tests.integration.processor.test_permission import gateway, tell
from tests.unit.processor.signers import OURS


@alongside
def test_I9_the_sources_of_a_product_are_archived_as_its_station_signed_them(deployment: Deployment) -> None:
    deployment.configure(processor={"unsigned": "refuse"})
    tell(deployment)  # no list of series: all are allowed
    watched = deployment.folder / "watched"
    watched.mkdir()
    (watched / "day.bin.sources").write_text("hdl:11676/one\nhttps://doi.org/10.18160/two\n")
    (watched / "day.bin").write_bytes(b"computed")
    deployment.start()
    sent = gateway(deployment)
    assert sent.returncode == 0, sent.stderr
    (receipt,) = json.loads(gateway(deployment, "receipts", "--json").stdout)["files"]
    pids = ["11676/one", "10.18160/two"]
    assert (receipt["file"], receipt["state"], receipt["sources"]) == ("day.bin", "committed", pids)
    (event,) = deployment.events()
    manifest = read_manifest(b"".join(deployment.store.read(event.manifest_path)))
    assert manifest.close.sources == tuple(pids)
    assert is_signed_by(manifest.close, OURS.key())
    assert as_lines(manifest.document["provenance"])[0].endswith("made from 11676/one, 10.18160/two")
