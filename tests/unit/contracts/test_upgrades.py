"""What a later release wrote is told from what can never be read."""

from dataclasses import replace

import pytest

from b2stream.contracts.envelopes import event_headers
from b2stream.contracts.framing import Framing, UnknownSchemaId
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.records import BatchAbandoned
from b2stream.contracts.schemas import LaterRelease, released
from b2stream.contracts.upgrades import UPGRADE_WAIT_S, waits_for_upgrade
from b2stream.errors import Poison
from tests.unit.contracts.later_release import later, upgrade, value_of

RECORD = BatchAbandoned(station="HTM", attempt="0" * 32, last_offset=7)
APPENDED_US = 1_780_000_000_000_000
MESSAGE = LogMessage("t", 0, 0, b"HTM", b"", event_headers("BatchCommitted", "id", "HTM", source="p"), APPENDED_US)
WEEK_US = UPGRADE_WAIT_S * 1_000_000


def test_a_fingerprint_that_no_release_has_is_of_a_later_one_and_says_so() -> None:
    with pytest.raises(
        LaterRelease, match=f"upgrade this one.*fingerprint {later('BatchAbandoned').fingerprint}"
    ) as found:
        Framing().unframe(value_of(RECORD))
    assert found.value.reason == "unknown_schema"


@pytest.mark.parametrize("code", ["", "../../etc/passwd", "0" * 15, "X" * 16])
def test_what_is_no_fingerprint_is_of_no_release(code: str) -> None:
    with pytest.raises(Poison) as found:
        released(code)
    assert not isinstance(found.value, LaterRelease)
    assert found.value.reason == "unknown_schema"


def test_an_upgraded_program_reads_what_it_could_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    value = value_of(RECORD)
    upgrade(monkeypatch, "BatchAbandoned")
    assert BatchAbandoned.from_framed(Framing().unframe(value)) == RECORD


def test_an_event_of_a_later_release_waits_for_a_week_and_no_longer() -> None:
    assert waits_for_upgrade(LaterRelease(), MESSAGE, APPENDED_US)
    assert waits_for_upgrade(LaterRelease(), MESSAGE, APPENDED_US + WEEK_US - 1)
    assert not waits_for_upgrade(LaterRelease(), MESSAGE, APPENDED_US + WEEK_US)


@pytest.mark.parametrize("why", [Poison(reason="not_avro"), Poison(reason="unknown_schema"), UnknownSchemaId("id 7")])
def test_nothing_else_that_cannot_be_read_waits(why: Poison) -> None:
    assert not waits_for_upgrade(why, MESSAGE, APPENDED_US)


@pytest.mark.parametrize("headers", [[], [("ce_type", b"other.Event")], [("b2stream_reason", b"x")]])
def test_what_is_no_event_by_its_headers_does_not_wait(headers: list[tuple[str, bytes]]) -> None:
    assert not waits_for_upgrade(LaterRelease(), replace(MESSAGE, headers=headers), APPENDED_US)
