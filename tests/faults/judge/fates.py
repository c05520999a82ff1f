"""What became of each acknowledged message, and when: committed, buried in a dead letter, or superseded."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from irods.exception import PycommandsException, iRODSException

from b2stream.sandbox.demo.check.canonical import batch_id
from b2stream.sandbox.demo.check.centres import Found
from b2stream.sandbox.demo.check.events import Events
from b2stream.sandbox.demo.check.manifests import Batch

from .decoding import Decoder, NotReadable, container
from .oracle import ABANDONED, BLOCK, CLOSE, Acknowledged, Oracle

NEVER_S = float("inf")

Place = tuple[str, int, int]  # topic id, partition, offset
AttemptKey = tuple[str, str, str]  # topic id, station, attempt
Copy = tuple[AttemptKey, int | None, str]  # whose block, its sequence, SHA-256 of its value
Read = Callable[[str], bytes]  # bytes of an object at the first centre, by its path


@dataclass
class Fates:
    """What the archive and the events say, by batch id, attempt and place in the log.

    Times are those of the broker's appends, UNIX seconds.
    """

    committed: dict[str, list[Batch]] = field(default_factory=lambda: defaultdict(list))
    blocks: set[tuple[str, int | None, str]] = field(default_factory=set)  # committed: batch id, sequence, SHA-256
    announced_s: dict[str, float] = field(default_factory=dict)  # by batch id, the first commit event
    superseded_s: dict[tuple[str, str], float] = field(default_factory=dict)  # by station and attempt
    letters_s: dict[Place, float] = field(default_factory=dict)
    copies_s: dict[Copy, float] = field(default_factory=dict)  # blocks that are equal to one that has a letter
    accepted: list[dict[str, Any]] = field(default_factory=list)  # ranges of the log that someone accepted as lost
    closes: dict[Place, dict[str, Any]] = field(default_factory=dict)  # records
    batches_of: dict[AttemptKey, set[str]] = field(default_factory=lambda: defaultdict(set))
    unreadable: dict[Place, str] = field(default_factory=dict)

    def is_committed(self, message: Acknowledged) -> bool:
        """Whether a batch that the message is of lies at the first centre, with these bytes where it is a block."""
        return bool(self.batches(message))

    def batches(self, message: Acknowledged) -> list[str]:
        """Ids of the committed batches that a close is of, or that hold a block's bytes at its sequence."""
        if message.kind == BLOCK:
            ours = self.batches_of.get(key_of(message), set())
            return [batch for batch in ours if (batch, message.sequence, message.sha256) in self.blocks]
        close = self.closes.get(message.place)
        return [] if close is None or not self.committed.get(batch_of(close)) else [batch_of(close)]

    def settled_s(self, message: Acknowledged) -> float:
        """When it was first so that nothing remained to be done about a message; NEVER_S where it is not so."""
        if message.kind == ABANDONED:
            return 0.0  # it says something and holds nothing
        times = [self.announced_s.get(batch, NEVER_S) for batch in self.batches(message)]
        times += [self.letters_s.get(message.place, NEVER_S), self.copies_s.get(copy_of(message), NEVER_S)]
        times.append(self.superseded_s.get((message.station, message.attempt), NEVER_S))
        return min(times)

    def passable_s(self, message: Acknowledged) -> float:
        """From when on an offset may be committed beyond a message: it is settled, or someone said to go on without it."""
        said: list[float] = [
            one["appended_s"]
            for one in self.accepted
            if (one["topic_id"], one["partition"]) == message.place[:2]
            and one["first_lost"] <= message.offset < one["next"]
        ]
        return min([self.settled_s(message), *said])


def key_of(message: Acknowledged) -> AttemptKey:
    """Whose message it is: no station can disturb another's attempt."""
    return message.topic_id, message.station, message.attempt


def copy_of(message: Acknowledged) -> Copy:
    """What two copies of one block have in common: of those, one letter tells."""
    return key_of(message), message.sequence, message.sha256


def batch_of(close: dict[str, Any]) -> str:
    """The id of the batch that a close is of."""
    return batch_id(close["station"], close["series"], close["stem"] + close["extension"], close["raw_sha256"])


def learn(oracle: Oracle, decoder: Decoder, first: Found, said: Events, read: Read) -> Fates:
    """Put together what oracle, first centre and events say."""
    fates = Fates(accepted=said.accepted)
    for batch in first.batches.values():
        fates.committed[batch.id].append(batch)
        fates.blocks.update((batch.id, block.sequence, block.sha256) for block in blocks_of(batch, oracle))
    for message in oracle.messages:
        if message.kind == CLOSE:
            _learn_close(fates, message, oracle, decoder)
    for event in said.commits:
        _earliest(fates.announced_s, [event["batch"]], event["appended_s"])
    for letter in said.letters:
        _learn_letter(fates, letter, oracle, read)
    for close in fates.closes.values():
        if fates.committed.get(batch_of(close)):
            superseded = [(close["station"], attempt) for attempt in close["supersedes"]]
            _earliest(fates.superseded_s, superseded, fates.announced_s.get(batch_of(close), NEVER_S))
    return fates


def blocks_of(batch: Batch, oracle: Oracle) -> list[Acknowledged]:
    """The blocks that a manifest names by their offsets, each sequence once, in sequence."""
    log, close = batch.document["log"], batch.close
    found: dict[int, Acknowledged] = {}
    for first, last in log["blocks"]:
        for offset in range(first, last + 1):
            message = oracle.at(log["topic_id"], log["partition"], offset)
            if message is None or message.kind != BLOCK or message.sequence is None:
                continue
            if (message.station, message.attempt) == (close["station"], close["attempt"]):
                found.setdefault(message.sequence, message)
    return [found[sequence] for sequence in sorted(found)]


def _learn_letter(fates: Fates, letter: dict[str, str], oracle: Oracle, read: Read) -> None:
    """A letter is of the message at its place, and of the blocks in the archive's object that it names, where it names one."""
    at_s, topic_id = float(letter["appended_s"]), letter.get("topic_id", "")
    partition, offset = int(letter.get("partition", -1)), int(letter.get("offset", -1))
    buried = [oracle.at(topic_id, partition, offset)]
    if "dead_batch" in letter:
        for offset, sha256 in _dead_blocks(letter["dead_batch"], read):
            message = oracle.at(topic_id, partition, offset)
            buried += [message] if message is not None and message.sha256 == sha256 else []
    for message in buried:
        if message is not None:
            _earliest(fates.letters_s, [message.place], at_s)
            if message.kind == BLOCK and message.sequence is not None:
                _earliest(fates.copies_s, [copy_of(message)], at_s)


def _dead_blocks(path: str, read: Read) -> list[tuple[int, str]]:
    """Offset and SHA-256 of the blocks in an object of a dead batch; none where it is not one that can be read."""
    try:
        return [(one["offset"], hashlib.sha256(one["value"]).hexdigest()) for one in container(read(path))]
    except (NotReadable, KeyError, PycommandsException, iRODSException):
        return []


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
