"""Several topics as one: their partitions are numbered through, so that one loop works off all of them and acknowledges each."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from b2stream.contracts.messages import LogMessage
from b2stream.work.loop import Reader


class ReadTogether:
    """Readers of topics with `partitions` partitions each; partition p of the n-th is `n * partitions + p`."""

    def __init__(self, readers: Sequence[Reader], partitions: int) -> None:
        self._readers = list(readers)
        self._partitions = partitions
        self._turn = 0
        self.on_revoked: Callable[[list[int]], None] = lambda partitions: None
        for number, reader in enumerate(self._readers):
            reader.on_revoked = self._revoked_of(number)

    def original(self, message: LogMessage) -> LogMessage:
        """The message as its own topic numbers it."""
        return replace(message, partition=message.partition % self._partitions)

    def poll(self, timeout_s: float) -> LogMessage | None:
        """The next message of any; each topic is asked in its turn, so that a long one does not hold up a short one."""
        count = len(self._readers)
        for pause_s in (0.0, timeout_s / count) if timeout_s else (0.0,):
            for _ in range(count):
                self._turn = (self._turn + 1) % count
                message = self._readers[self._turn].poll(pause_s)
                if message is not None:
                    return replace(message, partition=self._turn * self._partitions + message.partition)
        return None

    def done_up_to(self, partition: int, next_offset: int) -> None:
        number, own = divmod(partition, self._partitions)
        self._readers[number].done_up_to(own, next_offset)

    def pause(self) -> None:
        for reader in self._readers:
            reader.pause()

    def resume(self) -> None:
        for reader in self._readers:
            reader.resume()

    def lag(self) -> int:
        return sum(reader.lag() for reader in self._readers)

    def _revoked_of(self, number: int) -> Callable[[list[int]], None]:
        return lambda revoked: self.on_revoked([number * self._partitions + partition for partition in revoked])
