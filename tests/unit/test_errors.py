"""The error tree: the docstring is the message and tells the cure; the class decides what a program does."""

import inspect

import pytest

from b2stream import errors
from b2stream.contracts.framing import UnknownSchemaId
from b2stream.errors import B2streamError, ConfigurationError, Fatal, LostReply, Poison, Retryable, Stuck

ALL = [each for each in vars(errors).values() if inspect.isclass(each) and issubclass(each, B2streamError)]
CLASSES = (Retryable, Stuck, Poison, Fatal)


@pytest.mark.parametrize("error", ALL, ids=lambda each: each.__name__)
def test_the_docstring_is_the_message(error: type[B2streamError]) -> None:
    message = " ".join(inspect.getdoc(error).split())  # type: ignore[union-attr]
    assert str(error()) == message
    assert str(error("what happened here")) == f"{message} (what happened here)"
    assert message.endswith(".")


@pytest.mark.parametrize("error", [each for each in ALL if each is not B2streamError], ids=lambda each: each.__name__)
def test_every_error_is_of_exactly_one_of_the_four_classes_and_tells_a_cure(error: type[B2streamError]) -> None:
    assert sum(issubclass(error, one) for one in CLASSES) == 1
    assert ":" in (error.__doc__ or ""), "what is wrong, a colon, what to do"


def test_each_error_has_a_reason_of_its_own() -> None:
    reasons = [each.reason for each in ALL]
    assert len(reasons) == len(set(reasons))
    assert all(reason.replace("_", "").isalpha() and reason.islower() for reason in reasons)


def test_poison_carries_the_reason_of_the_case_and_leaves_the_class_alone() -> None:
    assert Poison("x", reason="hole").reason == "hole"
    assert Poison("x").reason == "poison"
    assert UnknownSchemaId("id 7").reason == "unknown_schema"
    assert issubclass(UnknownSchemaId, Poison)


def test_a_lost_reply_is_tried_again_and_a_wrong_setting_stops_the_program() -> None:
    assert issubclass(LostReply, Retryable)
    assert issubclass(ConfigurationError, Fatal)


def test_the_detail_stays_apart_from_the_message() -> None:
    assert Retryable("Kafka: no answer").detail == "Kafka: no answer"
    assert Retryable().detail == ""
