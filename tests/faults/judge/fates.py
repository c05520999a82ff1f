"""What became of each acknowledged message, and when: committed, buried in a dead letter, or superseded."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from b2stream.sandbox.demo.check.canonical import batch_id
from b2stream.sandbox.demo.check.centres import Found
from b2stream.sandbox.demo.check.events import Events
from b2stream.sandbox.demo.check.manifests import Batch

from .decoding import Decoder, NotReadable
from .oracle import ABANDONED, CLOSE, Acknowledged, Oracle

NEVER_S = float("inf")

AttemptKey = tuple[str, str, str]  # topic id, station, attempt


@dataclass
class Fates:
    """What the archive and the events say, by batch id, attempt and place in the log.

    Times are those of the broker's appends, UNIX seconds.
    """

    committed: dict[str, list[Batch]] = field(default_factory=lambda: defaultdict(list))
    announced_s: dict[str, float] = field(default_factory=dict)  # by batch id, the first commit event
    superseded_s: dict[str, float] = field(default_factory=dict)  # by attempt
    letters_s: dict[tuple[str, int, int] | str, float] = field(default_factory=dict)  # by place, and by attempt
    closes: dict[tuple[str, int, int], dict[str, Any]] = field(default_factory=dict)  # records, by place
    batches_of: dict[AttemptKey, set[str]] = field(default_factory=lambda: defaultdict(set))
    unreadable: dict[tuple[str, int, int], str] = field(default_factory=dict)

    def is_committed(self, message: Acknowledged) -> bool:
        """Whether a batch that the message is of lies at the first centre."""
        return any(self.committed.get(batch) for batch in self.batches(message))

    def batches(self, message: Acknowledged) -> set[str]:
        """Ids of the batches that closes of the message's attempt are of."""
        return self.batches_of.get(key_of(message), set())

    def settled_s(self, message: Acknowledged) -> float:
        """When it was first so that nothing remained to be done about a message; NEVER_S where it is not so."""
        if message.kind == ABANDONED:
            return 0.0  # it says something and holds nothing
        times = [self.announced_s.get(batch, NEVER_S) for batch in self.batches(message) if self.committed.get(batch)]
        times += [self.letters_s.get(message.place, NEVER_S), self.letters_s.get(message.attempt, NEVER_S)]
        times.append(self.superseded_s.get(message.attempt, NEVER_S))
        return min(times)


def key_of(message: Acknowledged) -> AttemptKey:
    """Whose message it is: no station can disturb another's attempt."""
    return message.topic_id, message.station, message.attempt


def batch_of(close: dict[str, Any]) -> str:
    """The id of the batch that a close is of."""
    return batch_id(close["station"], close["series"], close["stem"] + close["extension"], close["raw_sha256"])


def learn(oracle: Oracle, decoder: Decoder, first: Found, said: Events) -> Fates:
    """Put together what oracle, first centre and events say."""
    fates = Fates()
    for batch in first.batches.values():
        fates.committed[batch.id].append(batch)
    for message in oracle.messages:
        if message.kind == CLOSE:
            _learn_close(fates, message, oracle, decoder)
    for event in said.commits:
        _earliest(fates.announced_s, [event["batch"]], event["appended_s"])
    for letter in said.letters:
        at_s = float(letter["appended_s"])
        place = letter.get("topic_id", ""), int(letter.get("partition", -1)), int(letter.get("offset", -1))
        _earliest(fates.letters_s, [place], at_s)
        if letter.get("attempt"):
            _earliest(fates.letters_s, [letter["attempt"]], at_s)
    for close in fates.closes.values():
        if fates.committed.get(batch_of(close)):
            _earliest(fates.superseded_s, close["supersedes"], fates.announced_s.get(batch_of(close), NEVER_S))
    return fates


def _learn_close(fates: Fates, message: Acknowledged, oracle: Oracle, decoder: Decoder) -> None:
    try:
        close = decoder.record(oracle.value(message))
        batch = batch_of(close)
    except (NotReadable, KeyError, ValueError) as error:
        fates.unreadable[message.place] = repr(error)
        return
    if close["station"] == message.station and close["attempt"] == message.attempt:
        fates.closes[message.place] = close
        fates.batches_of[key_of(message)].add(batch)


def _earliest(times: dict[Any, float], keys: Iterable[Any], at_s: float) -> None:
    for key in keys:
        times[key] = min(times.get(key, NEVER_S), at_s)
