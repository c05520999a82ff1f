"""How long to wait before the next try, and when a batch that a centre refuses is given up."""

import random

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
LONGEST_STUCK_PAUSE_S = 300.0
"""A batch that was overtaken is read from the log for each try, and hundreds may wait: they must not burden centre and Kafka."""
_SPREAD = random.Random()  # noqa: S311  # it spreads pauses, it guards nothing; one for all, seeding asks the system
NEWS_S = 10.0
"""A description that was published before the close is known to every processor so long after it, if Kafka answers."""
OUTAGE_S = 900.0
"""A centre that refused every commit for so long is an outage: nothing becomes a dead letter because of it."""


class Patience:
    """Pauses of one batch: twice as long each time up to a limit, with jitter so that many do not come at once."""

    def __init__(self, randomness: random.Random = _SPREAD) -> None:
        self._random = randomness
        self._tries = 0
        self.refused_since_s: float | None = None

    def pause_s(self, longest_s: float | None = None) -> float:
        """How long to wait now; at most half a minute, or `longest_s`."""
        longest = min(longest_s or LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0**self._tries)
        self._tries = min(self._tries + 1, 20)
        return longest * self._random.uniform(0.5, 1.0)

    def refused(self, now_s: float) -> float:
        """The centre answered and refused; for how long it has done so, seconds."""
        if self.refused_since_s is None:
            self.refused_since_s = now_s
        return now_s - self.refused_since_s


class CentreRecord:
    """Whether the centre takes anything at all."""

    def __init__(self) -> None:
        self._last_commit_s: float | None = None

    def committed(self, now_s: float) -> None:
        """The centre took a batch; one that lay there already proves nothing."""
        self._last_commit_s = now_s

    def is_outage(self, now_s: float) -> bool:
        """Whether no commit of the last quarter of an hour went through; asked only when one was refused."""
        return self._last_commit_s is None or now_s - self._last_commit_s > OUTAGE_S
