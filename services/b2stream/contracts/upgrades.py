"""What a later release wrote: poison to this program, and to nobody who is upgraded. So it is not thrown away at once.

Programs are upgraded one after the other, and an event that one could not read must not be lost to it: it waits in the log for a
week, while the others go on. What a station sends waits nowhere, because a partition holds many stations: it becomes a letter that
is not poison, after which the gateway sends again by itself.
"""

from b2stream.contracts.messages import LogMessage
from b2stream.contracts.schemas import LaterRelease
from b2stream.errors import Poison

UPGRADE_WAIT_S = 7 * 86_400
"""From the broker's append time. After that it is a dead letter like any other; `reannounce` tells commit events again."""
_TYPE = "ce_type"


def waits_for_upgrade(why: Poison, message: LogMessage, now_us: int) -> bool:
    """Whether an event that cannot be read may be one of a later release: its headers are an event's, and it is not old."""
    is_event = dict(message.headers or ()).get(_TYPE, b"").startswith(b"b2stream.")
    return isinstance(why, LaterRelease) and is_event and now_us - message.appended_at_us < UPGRADE_WAIT_S * 1_000_000
