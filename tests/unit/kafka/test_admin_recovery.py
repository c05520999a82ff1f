"""An admin client that waits in vain for a controller is replaced: the next question has its answer."""

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ConfigResource  # type: ignore[attr-defined]  # not declared as an export

from b2stream.errors import Retryable
from b2stream.kafka import LogRange, admin
from b2stream.kafka.admin import Admin


class FakeAdminClient:
    """The first that is made knows no controller, and never will; those that come later answer."""

    made: ClassVar[list["FakeAdminClient"]] = []
    complaint: ClassVar[KafkaError] = KafkaError(KafkaError._TIMED_OUT, "while waiting for controller")

    def __init__(self, settings: dict[str, Any]) -> None:
        self.made.append(self)
        self._knows_controller = len(self.made) > 1

    def poll(self, timeout_s: float) -> None:
        pass

    def describe_topics(self, asked: Any, request_timeout: float) -> dict[str, "Future[Any]"]:
        return {"icos.commits": self._answer(SimpleNamespace(topic_id="abc", partitions=[0, 1]))}

    def describe_configs(self, asked: list[ConfigResource], request_timeout: float) -> dict[Any, "Future[Any]"]:
        return {asked[0]: self._answer({"retention.ms": SimpleNamespace(name="retention.ms", value="-1")})}

    def _answer(self, answer: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        if self._knows_controller:
            future.set_result(answer)
        else:
            future.set_exception(KafkaException(self.complaint))
        return future


def test_I11_a_client_that_waits_in_vain_for_a_controller_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeAdminClient, "made", [])
    monkeypatch.setattr(admin, "AdminClient", FakeAdminClient)
    asking = Admin("127.0.0.1:1")
    with pytest.raises(Retryable, match="waiting for controller"):
        asking.topic("icos.commits")
    facts = asking.topic("icos.commits")
    assert (facts.topic_id, facts.partitions, facts.config) == ("abc", 2, {"retention.ms": "-1"})
    assert len(FakeAdminClient.made) == 2


class Cut(FakeAdminClient):
    """The first that is made reaches no broker, and never will."""

    complaint = KafkaError(KafkaError._TRANSPORT, "Failed to get metadata")


@pytest.mark.parametrize(("worn_after_s", "made"), [(0.0, 2), (3600.0, 1)], ids=["old", "young"])
def test_I11_an_old_client_that_reaches_no_broker_is_replaced_and_a_young_one_asked_again(
    monkeypatch: pytest.MonkeyPatch, worn_after_s: float, made: int
) -> None:
    monkeypatch.setattr(FakeAdminClient, "made", [])
    monkeypatch.setattr(admin, "AdminClient", Cut)
    monkeypatch.setattr(admin, "_WORN_AFTER_S", worn_after_s)
    asking = Admin("127.0.0.1:1")
    with pytest.raises(Retryable, match="Failed to get metadata"):
        asking.partition_count("icos.commits")
    assert len(FakeAdminClient.made) == made
    if made == 2:
        assert asking.partition_count("icos.commits") == 2


class AfterAnElection(FakeAdminClient):
    """The first two ask a broker that does not know the newest leader epoch yet."""

    def list_offsets(self, asked: Any, request_timeout: float) -> dict[Any, "Future[Any]"]:
        future: Future[Any] = Future()
        if len(self.made) > 2:
            future.set_result(SimpleNamespace(offset=7))
        else:
            future.set_exception(KafkaException(KafkaError(KafkaError.UNKNOWN_LEADER_EPOCH, "newer than broker epoch")))
        return dict.fromkeys(asked, future)


def test_I11_offsets_are_asked_for_again_while_a_broker_learns_of_an_election(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeAdminClient, "made", [])
    monkeypatch.setattr(admin, "AdminClient", AfterAnElection)
    monkeypatch.setattr(admin, "_BETWEEN_ELECTIONS_S", 0.001)
    assert Admin("127.0.0.1:1").ranges("icos.commits", 2) == {0: LogRange(7, 7), 1: LogRange(7, 7)}
