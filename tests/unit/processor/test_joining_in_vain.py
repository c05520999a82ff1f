"""A Kafka that goes away between the first question and Faust's start."""

import asyncio
from pathlib import Path

import pytest

from b2stream.contracts.messages import LogMessage
from b2stream.errors import Fatal
from b2stream.programs.processor.source import FaustSource


async def _nothing(_: set[int] | LogMessage) -> None:
    raise AssertionError("nobody is there")


def test_it_ends_the_processor_with_a_sentence_and_no_error_of_a_library(tmp_path: Path) -> None:
    async def scenario() -> None:
        source = FaustSource(
            brokers="127.0.0.1:1",
            group="g",
            topic="t",
            data_directory=str(tmp_path),
            assigned=_nothing,
            revoked=lambda: None,
            handle=_nothing,
        )
        try:
            with pytest.raises(Fatal, match="start the processor again"):
                await source.start()
        finally:
            await source.stop()

    asyncio.run(scenario())
