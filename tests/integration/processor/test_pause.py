"""I10: a processor that may not read on, because too much closed work waits for the centre."""

import re
from pathlib import Path

from b2stream.programs.processor.source import BUFFERED_MESSAGES, FETCH_BYTES
from b2stream.sandbox.zone.process import EmbeddedZone
from tests.integration.processor.alongside import alongside
from tests.integration.processor.conftest import Deployment
from tests.integration.processor.test_memory import peak_bytes
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.waiting import until

LONGER_THAN_A_SESSION_S = 13.0


def resident_bytes(pid: int) -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) << 10


@alongside
def test_I10_a_pause_for_closed_work_buffers_little_and_costs_no_membership_however_long(
    deployment: Deployment,
) -> None:
    assert 2 * BUFFERED_MESSAGES << 20 <= 32 << 20
    assert FETCH_BYTES <= 8 << 20
    with EmbeddedZone(deployment.folder / "away", "cscZone") as zone:
        url = f"irods://rods@{zone.host}:{zone.port}{zone.home}/{deployment.community}"
        deployment.configure(
            first={"url": url, "timeout_s": 5.0}, processor={"closed_limit": 1, "commits_in_flight": 1}
        )
        process = deployment.start()
        until(lambda: "reading partitions" in process.last_log_lines())
        zone.kill()
        for number in range(2):
            for station in ("ST-000", "ST-001", "ST-002", "ST-003"):
                deployment.send(
                    StationBatch(station, number=number).sent(attempt_name(hash((station, number)) % 2**60))
                )
        until(lambda: "waits" in process.last_log_lines())
        before = resident_bytes(process.pid)
        assignments = process.log_file.read_text().count("reading partitions")
        large = StationBatch("ST-000", series="large", content=tuple(bytes([number]) * 900_000 for number in range(40)))
        for station in ("ST-000", "ST-001", "ST-002", "ST-003"):
            batch = StationBatch(station, series="large", content=large.content)
            deployment.send(batch.sent(attempt_name(hash(station) % 2**60)))
        assert not process.wait(LONGER_THAN_A_SESSION_S), process.last_log_lines()
        assert peak_bytes(process) - before < 96 << 20, (
            "144 MB wait in the log; at most 64 MiB of them here, and copies under way"
        )
        assert process.log_file.read_text().count("reading partitions") == assignments, "it stayed a member"
        zone.start()
        until(deployment.is_all_acknowledged, timeout_s=120.0)
        assert process.log_file.read_text().count("reading partitions") == assignments
        process.stop()
