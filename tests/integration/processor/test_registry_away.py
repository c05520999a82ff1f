"""A schema registry that nobody can reach when the processor starts, and messages that need it."""

from dataclasses import replace

from b2stream.sandbox.ports import free_port
from tests.integration.processor.alongside import alongside
from tests.integration.processor.conftest import Deployment
from tests.unit.processor.stations import SCHEMA, StationBatch, attempt_name
from tests.unit.test_registry import Stub, serving
from tests.waiting import until

ONE = attempt_name(1)


@alongside
def test_I11_a_schema_registry_that_is_away_at_the_start_is_waited_for_and_nothing_becomes_a_letter(
    deployment: Deployment,
) -> None:
    port, batch = free_port(), StationBatch()
    deployment.configure(kafka={"registry_url": f"http://127.0.0.1:{port}"})
    # Confluent's framing: the id is the registry's.
    framed = [b"\x00\x00\x00\x00\x01" + body for body in batch.bodies()]
    blocks = [replace(block, value=value) for block, value in zip(batch.blocks(ONE), framed, strict=True)]
    deployment.send(blocks, batch.close(ONE))
    processor = deployment.start()
    until(lambda: "schema registry at" in processor.last_log_lines(50) or not processor.running)
    assert processor.running, processor.last_log_lines()
    assert not deployment.objects()
    with serving(Stub(texts=[SCHEMA.text]), port):
        until(deployment.is_all_acknowledged)
        processor.stop()
    assert not deployment.letters()
    assert list(deployment.data_objects().values()) == [batch.data_object()]
