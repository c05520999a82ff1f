"""Ctrl-C ends the demo also where the KeyboardInterrupt itself was swallowed on its way."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from b2stream.sandbox.demo import interruption
from b2stream.sandbox.demo.troubles import Stage


@pytest.fixture(autouse=True)
def nobody_asked() -> Iterator[None]:
    interruption.forget()
    yield
    interruption.forget()


def test_the_next_look_ends_a_demo_that_is_to_end() -> None:
    seen: list[Any] = []
    nothing: Any = SimpleNamespace(look=lambda fed: fed, show=seen.append, fed=[])
    stage = Stage(nothing, nothing, nothing, nothing)
    stage.look()
    interruption.ask()
    with pytest.raises(KeyboardInterrupt):
        stage.look()
    assert len(seen) == 1
    interruption.forget()
    stage.look()
    assert len(seen) == 2
