"""Live status: nothing decides by it, and its setting is checked at the start."""

import pytest

from b2stream.errors import ConfigurationError
from b2stream.programs.processor.status import LiveStatus


@pytest.mark.parametrize("url", ["127.0.0.1:6379", "http://:secret@127.0.0.1", "redis://:secret@127.0.0.1:port/0"])
def test_an_address_that_is_none_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"redis\.url") as refused:
        LiveStatus(url, "icos")
    assert "secret" not in str(refused.value)


def test_without_an_address_nothing_is_written_and_nothing_waits() -> None:
    status = LiveStatus("", "icos")
    status.close()
