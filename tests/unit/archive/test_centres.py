"""The centres of the settings: wrong credentials are known at once, a centre that is away is waited for."""

import logging

import pytest

from b2stream.archive.centres import greet, open_centre
from b2stream.archive.memory import MemoryStore
from b2stream.errors import ConfigurationError, Fatal, Refused, Retryable
from b2stream.settings.archive import Centre


def centre(**settings: str) -> Centre:
    """A section of the settings, the rest of it as it is without any."""
    return Centre.model_validate(settings)


def test_a_centre_without_a_name_is_called_by_its_role() -> None:
    assert open_centre("second", centre(url="memory:")).centre == "second"
    assert open_centre("second", centre(name="kit", url="memory:")).centre == "kit"


def test_an_address_that_is_none_is_a_wrong_configuration() -> None:
    with pytest.raises(ConfigurationError, match="not an irods:// URL"):
        open_centre("first", centre(url="https://csc.example/zone/home"))


def test_refused_credentials_are_told_without_a_batch(caplog: pytest.LogCaptureFixture) -> None:
    first, second = MemoryStore("csc"), MemoryStore("kit")
    second.fail("describe_staged", Refused("rods at kit"))
    told: list[Fatal] = []
    for thread in greet([first, second], told.append):
        thread.join(60)
    assert [error.detail for error in told] == ["rods at kit"]
    assert caplog.text == ""


def test_a_centre_that_does_not_answer_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    first = MemoryStore("csc")
    first.fail("describe_staged", Retryable("connection refused"))
    told: list[Fatal] = []
    with caplog.at_level(logging.WARNING):
        for thread in greet([first], told.append):
            thread.join(60)
    assert told == []
    assert "csc: Nobody answered" in caplog.text
