"""A series whose policy wants one copy is done once it is committed: nobody at the station waits for a second copy that never comes.
One that the policy does not take is refused.
"""

import json

from tests.integration.processor.alongside import alongside
from tests.integration.processor.conftest import Deployment
from tests.integration.processor.test_permission import gateway
from tests.unit.processor.stations import StationBatch, attempt_name
from tests.waiting import until

ONE_COPY = 'id = "test-1"\n[[rules]]\nseries = "*/files"\ncopies = 1\n[[rules]]\nseries = "*"\n'
NOT_TAKEN = '[[rules]]\nseries = "*/camera*"\ningest = false\n'


@alongside
def test_I1_under_a_policy_of_one_copy_a_committed_file_is_safe_to_delete(deployment: Deployment) -> None:
    file = deployment.folder / "policies.toml"
    file.write_text(ONE_COPY.replace("[[rules]]", NOT_TAKEN + "[[rules]]", 1))
    deployment.configure(general={"policies_file": str(file)})
    watched = deployment.folder / "watched"
    watched.mkdir()
    (watched / "one.bin").write_bytes(b"measured")
    deployment.start()
    sent = gateway(deployment, "", "--wait", "replicated")  # no replicator runs
    assert sent.returncode == 0, sent.stderr
    (receipt,) = json.loads(gateway(deployment, "receipts", "--json").stdout)["files"]
    assert receipt["safe_to_delete"] is True
    assert receipt["second_url"] is None
    assert "its policy wants one copy (safe to delete)" in gateway(deployment, "receipts").stdout
    (event,) = deployment.events()
    assert event.copies == 1
    assert event.policy is not None
    assert event.policy.startswith("test-1 sha256:")

    deployment.send(StationBatch(series="camera1").sent(attempt_name(1)))
    until(lambda: [each.reason for each in deployment.letters()] == ["series_not_taken"], what="the refusal")
    assert len(deployment.events()) == 1
