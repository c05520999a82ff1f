"""Whether a centre does anything at all of what is asked of it, and who waits because of it. Pure: the caller gives the time."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Outage:
    """What became of the last tries at one centre (or at a pair, for copies). A `key` names a batch that is being tried.

    While batches fail and none succeeds, the centre is away or refuses everything. One that succeeds ends that, however many
    others fail: they are stuck, and others go on.
    """

    centre: str
    answered_at_s: float
    _refused: set[str] = field(default_factory=set)
    _unanswered: set[str] = field(default_factory=set)
    _since_s: float | None = None
    _last_error: str = ""

    @property
    def refused(self) -> int:
        """Batches whose last try was refused, and which wait for their next one."""
        return len(self._refused)

    @property
    def unanswered(self) -> int:
        """Batches whose last try found nobody who answers, and which wait for their next one."""
        return len(self._unanswered)

    def succeeded(self, key: str, now_s: float, *, is_new: bool = True) -> None:
        """A try did what it was to do. What lay there already (not `is_new`) shows a centre that answers, not one that takes anything."""
        self.answered_at_s = now_s
        if is_new:
            self._since_s = None
        self._refused.discard(key)
        self._unanswered.discard(key)

    def failed(self, key: str, error: Exception, now_s: float, *, is_refused: bool) -> None:
        """A try failed, and the batch waits for the next."""
        self._refused.discard(key)
        self._unanswered.discard(key)
        (self._refused if is_refused else self._unanswered).add(key)
        self._last_error = str(error)
        if self._since_s is None:
            self._since_s = now_s

    def forget(self, key: str) -> None:
        """The batch is done with, or somebody else's."""
        self._refused.discard(key)
        self._unanswered.discard(key)
        if not self._refused and not self._unanswered:
            self._since_s = None

    def lasts_s(self, now_s: float) -> float:
        """For how long every try failed; 0 while one succeeds, or nothing waits."""
        return 0.0 if self._since_s is None else now_s - self._since_s

    def why(self, now_s: float, after_s: float) -> str | None:
        """A sentence for operators once it has lasted `after_s`; None before."""
        lasts_s = self.lasts_s(now_s)
        if lasts_s == 0.0 or lasts_s < after_s:
            return None
        return (
            f"{self.centre} took nothing for {lasts_s / 60:.0f} minutes: {self.unanswered} batches wait for an answer, "
            f"{self.refused} are refused; the last time: {self._last_error}"
        )
