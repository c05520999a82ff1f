"""Virtual time, and threads that run one at a time: whoever waits hands over, and the agenda says whose turn it is.

So code that calls a server and waits can be stopped, overtaken or killed at each of its calls, always the same way.
"""

import heapq
import itertools
import threading
from collections.abc import Callable

_LOOK_AFTER = 5


class Dead(BaseException):
    """The process was killed at this very point."""


class Agenda:
    """What happens next. Times in seconds of virtual time; at equal times what was entered first comes first.

    The thread that works goes through the agenda itself until somebody else's turn comes: threads change as seldom as they can,
    because a change costs more than most of what is simulated.
    """

    def __init__(self) -> None:
        self.now_s = 0.0
        self.working: Hand | None = None
        """The hand whose job is done at this moment; None while anything else of the agenda is."""
        self._entries: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._called: Hand | None = None
        self._is_so: Callable[[], bool] = lambda: True
        self._deadline_s = 0.0
        self._to_look = 0
        self._is_over = True
        self._is_reached = False
        self._failure: BaseException | None = None
        self._main = threading.Lock()
        self._main.acquire()

    def at(self, when_s: float, act: Callable[[], object]) -> None:
        """Do something then."""
        heapq.heappush(self._entries, (when_s, next(self._numbers), act))

    def after(self, delay_s: float, act: Callable[[], object]) -> None:
        """Do something so much later."""
        heapq.heappush(self._entries, (self.now_s + delay_s, next(self._numbers), act))

    def run_until(self, is_so: Callable[[], bool], deadline_s: float) -> bool:
        """Do what comes next until it is so; False where the deadline passed, or nothing was left to do. Looks now and then."""
        self._is_so, self._deadline_s, self._to_look, self._is_over = is_so, deadline_s, 0, False
        self.go_through(None)
        if self._failure is not None:
            raise self._failure
        return self._is_reached

    def call(self, hand: "Hand") -> None:
        """Let a hand go on as soon as what is happening now has happened."""
        self._called = hand

    def end(self, hand: "Hand") -> None:
        """Let a hand go on when all is over; of the main thread alone. It pauses at once or ends its job."""
        hand.baton.release()
        self._main.acquire()

    def go_through(self, hand: "Hand | None") -> None:
        """Do what comes next, until it is this hand's turn; None: the main thread's, which comes when all is over."""
        self.working = self._called = None
        try:
            turn = self._until_called()
        except BaseException as error:  # whichever thread it happened in: the main thread raises it
            self._failure, self._is_over, turn = error, True, None
        if turn is not hand:
            (self._main if turn is None else turn.baton).release()
            (self._main if hand is None else hand.baton).acquire()
        self.working = hand

    def _until_called(self) -> "Hand | None":
        """Do what comes next until a hand is called: that one; None where all is over."""
        entries = self._entries
        while not self._is_over and self._called is None:
            if not self._to_look:
                if self._is_so():
                    self._is_over = self._is_reached = True
                    break
                self._to_look = _LOOK_AFTER
            if not entries or entries[0][0] > self._deadline_s:
                self._is_over, self._is_reached = True, self._is_so()
                break
            self._to_look -= 1
            when_s, _, act = heapq.heappop(entries)
            if when_s > self.now_s:
                self.now_s = when_s
            act()
        return self._called

    def passes_alone(self, delay_s: float) -> bool:
        """Let so much time pass at once, if nothing else would happen in it."""
        until_s = self.now_s + delay_s
        if self._entries and self._entries[0][0] <= until_s:
            return False
        self.now_s = until_s
        return True


class Hand(threading.Thread):
    """A thread that works while it has the baton, which is one for all threads; kept for later work."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="simulated")
        self.agenda = Agenda()
        self.job: Callable[[], object] = int
        self.baton = threading.Lock()
        self.baton.acquire()
        self.start()

    @classmethod
    def take(cls, agenda: Agenda, job: Callable[[], object]) -> "Hand":
        """A hand that will do this when it is called for the first time. The job must not raise."""
        hand = _idle.pop() if _idle else cls()
        hand.agenda, hand.job = agenda, job
        return hand

    def run(self) -> None:
        self.baton.acquire()
        while True:
            self.agenda.working = self
            self.job()
            _idle.append(self)
            self.agenda.go_through(self)


_idle: list[Hand] = []
