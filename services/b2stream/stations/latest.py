"""Which messages of the topic `stations` are believed: the latest description of each station, and what must not undo it.

Who may write to that topic is not believed for that alone. A description that takes a key away, or changes a key's past, is passed
over wherever the one before it is known; and with `general.reviewer_keys` every one that no reviewer signed, or that was signed before
what is known. Without that setting nobody can tell a key that was added behind the reviewers' back from one that they added.
"""

import logging
from collections.abc import Mapping
from types import MappingProxyType

from b2stream.contracts.canonical import iso_utc
from b2stream.contracts.framing import Framed, Framing
from b2stream.contracts.messages import LogMessage
from b2stream.contracts.stations import StationDescription, wrong_changes
from b2stream.errors import Poison
from b2stream.stations.reviewed import Reviewers

_log = logging.getLogger(__name__)

_CLOCKS_DIFFER_US = 3_600 * 1_000_000
"""Whoever publishes looks at a clock of their own; here the broker's append time counts, which every reader has alike."""
_MOST_REFUSED = 1_000
_LONGEST_SHOWN = 100


class PassedOver(Poison):
    """This is no description that may follow on what is known of the station: find out who wrote it, and publish the right one again
    (`b2stream station publish`)."""

    reason = "description_passed_over"


class Latest:
    """Fed with the topic's messages, those of a partition in order; what was fed before may come again.

    `descriptions` and `version`, which grows with each change, may be read by any thread. `refused` says of each key of the topic whose
    newest message was passed over why: of a thousand keys at most, since anybody can invent more (I10).
    """

    def __init__(self, framing: Framing, reviewers: Reviewers | None = None) -> None:
        self._framing = framing
        self._reviewers = reviewers
        self._signed_at_us: dict[str, int] = {}
        self._judged: dict[int, tuple[int, int]] = {}  # by partition, offset and append time of the last message
        self.descriptions: Mapping[str, StationDescription] = MappingProxyType({})
        self.refused: Mapping[str, str] = MappingProxyType({})
        self.version = 0

    @property
    def signed_at_us(self) -> int:
        """When a reviewer last signed one of them, by that reviewer's clock; 0 where nobody had to."""
        return max(self._signed_at_us.values(), default=0)

    def take(self, message: LogMessage | None) -> None:
        """Believe it or pass it over. Raises Retryable where a schema registry does not answer: then it has to come again."""
        if message is None or self._is_judged(message):
            return
        key = (message.key or b"").decode("utf-8", "replace")[:_LONGEST_SHOWN]
        refused = {name: why for name, why in self.refused.items() if name != key}
        try:
            description = self._judge(message)
        except Poison as error:
            where = f"{message.topic}[{message.partition}] offset {message.offset}"
            _log.error("%s, station %r: what was known stays. %s", where, key, error)
            if len(refused) < _MOST_REFUSED:
                refused[key] = error.detail
        else:
            if self.descriptions.get(description.station) != description:
                self.descriptions = MappingProxyType({**self.descriptions, description.station: description})
                self.version += 1
        self.refused = MappingProxyType(refused)
        self._judged[message.partition] = (message.offset, message.appended_at_us)

    def _is_judged(self, message: LogMessage) -> bool:
        """Whether it came before: what is read again from the beginning must not be compared with what came after it.

        A topic that was made anew begins with lower offsets, and later.
        """
        offset, appended_at_us = self._judged.get(message.partition, (-1, -1))
        return message.offset <= offset and message.appended_at_us <= appended_at_us

    def _judge(self, message: LogMessage) -> StationDescription:
        """The description. Raises Poison where it may not be believed."""
        if message.value is None:
            raise PassedOver("it removes the station, whose keys stay known until this program ends")
        framed = self._framing.unframe(message.value)
        description = StationDescription.from_framed(framed)
        station = description.station
        if (message.key or b"") != station.encode():
            raise PassedOver(f"it describes {station:.100} under another key")
        signed_at_us = self._signed(message, framed, station)
        before = self.descriptions.get(station)
        now_us = message.appended_at_us - _CLOCKS_DIFFER_US
        if before is not None and (wrong := wrong_changes(before, description, now_us)):
            raise PassedOver("; ".join(wrong))
        self._signed_at_us[station] = signed_at_us
        return description

    def _signed(self, message: LogMessage, framed: Framed, station: str) -> int:
        """When a reviewer signed it, 0 where nobody has to. Raises Poison."""
        if self._reviewers is None:
            return 0
        found_us = self._reviewers.signed_at_us(dict(message.headers or ()), framed)
        if found_us < (known_us := self._signed_at_us.get(station, 0)):
            raise PassedOver(f"it was signed at {iso_utc(found_us)}, what is known at {iso_utc(known_us)}")
        return found_us
