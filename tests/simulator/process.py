"""A simulated process: an event loop and threads of its own, which can be killed or frozen at any of its steps."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.simulator.agenda import Agenda, Dead, Hand


class Call:
    """A callback whose turn will come: what asyncio wants of a handle, and no more."""

    __slots__ = ("_act", "_args", "_context", "is_cancelled")

    def __init__(
        self, act: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None = None
    ) -> None:
        self._act = act
        self._args = args
        self._context = context
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def run(self) -> None:
        if self._context is None:
            self._act(*self._args)
        else:
            self._context.run(self._act, *self._args)


class ProcessLoop:
    """What asyncio needs of an event loop: it turns when the agenda says so, and never while its process is frozen or dead."""

    def __init__(self, process: "Process") -> None:
        self._as_loop: Any = self  # asyncio's types want the forty methods that nobody calls here
        self._process = process
        self._agenda = process.agenda
        self._ready: deque[Call] = deque()
        self._is_due = False

    def time(self) -> float:
        return self._agenda.now_s

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Call:
        call = Call(callback, args, context)
        self._add(call)
        return call

    call_soon_threadsafe = call_soon

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Call:
        call = Call(callback, args, context)
        self._agenda.at(when, lambda: self._add(call))
        return call

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> Call:
        return self.call_at(self._agenda.now_s + delay, callback, *args, context=context)

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self._as_loop)

    def create_task(self, coro: Any, *, name: Any = "", context: Any = None) -> "asyncio.Task[Any]":
        return asyncio.Task(coro, loop=self._as_loop, name=name, context=context)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        """A thread of this process does it; what it is to run in does not matter here, but for how many there are."""
        future = self.create_future()
        self._process.start_thread(func, args, future)
        return future

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """What a killed process leaves behind is nobody's trouble; anything else is."""
        error = context.get("exception")
        if not self._process.is_dead and error is not None and not isinstance(error, Dead):
            self._process.crashed(error)

    def get_debug(self) -> bool:
        return False

    def is_closed(self) -> bool:
        return self._process.is_dead

    def is_running(self) -> bool:
        return True

    def _add(self, call: Call) -> None:
        if not self._process.is_dead and not call.is_cancelled:
            self._ready.append(call)
            if not self._is_due:
                self._wake()

    def _wake(self) -> None:
        self._is_due = True
        self._agenda.at(max(self._agenda.now_s, self._process.frozen_until_s), self._turn)

    def _turn(self) -> None:
        process, ready, now_s = self._process, self._ready, self._agenda.now_s
        asyncio._set_running_loop(self._as_loop)
        while ready and not process.is_dead and process.frozen_until_s <= now_s:
            call = ready.popleft()
            if not call.is_cancelled:
                try:
                    call.run()
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:
                    self.call_exception_handler({"exception": error})
        asyncio._set_running_loop(None)
        self._is_due = False
        if process.is_dead:
            ready.clear()
        elif ready:
            self._wake()


@contextmanager
def running(loop: ProcessLoop) -> Iterator[None]:
    """Code in here takes this loop for the running one."""
    before = asyncio._get_running_loop()
    asyncio._set_running_loop(loop._as_loop)
    yield
    asyncio._set_running_loop(before)


class Process:
    """One process. `on_step` is called before and after each thing that others can see of it."""

    def __init__(self, agenda: Agenda, name: str, on_step: "Callable[[Process, str], None]") -> None:
        self.agenda = agenda
        self.name = name
        self.is_dead = False
        self.frozen_until_s = 0.0
        self.steps = 0
        self.errors: list[BaseException] = []
        self.loop = ProcessLoop(self)
        self._on_step = on_step
        self._hands: set[Hand] = set()

    def step(self, what: str) -> None:
        """Something that others can see is about to happen, or has just happened: here it may be killed or frozen."""
        if self.is_dead:
            raise Dead
        self.steps += 1
        self._on_step(self, what)
        if self.is_dead:
            raise Dead
        if self.frozen_until_s > self.agenda.now_s and self.agenda.working is not None:
            self.pause(self.frozen_until_s - self.agenda.now_s)

    def pause(self, delay_s: float) -> None:
        """Let a thread of this process wait; others go on meanwhile."""
        if not self.agenda.passes_alone(delay_s):
            hand = self.agenda.working
            assert hand is not None, "only a thread may wait"
            self.agenda.after(delay_s, lambda: self._go_on(hand))
            self.agenda.go_through(hand)
        if self.is_dead:
            raise Dead

    def start_thread(self, act: Callable[..., Any], args: tuple[Any, ...], future: "asyncio.Future[Any]") -> None:
        """Run it in a thread, and answer in the future."""

        def job() -> None:
            try:
                if not self.is_dead:
                    self._settle(future, act, args)
            except Dead:
                pass
            finally:
                self._hands.discard(hand)

        hand = Hand.take(self.agenda, job)
        self._hands.add(hand)
        self.agenda.after(0.0, lambda: self._go_on(hand))

    def kill(self) -> None:
        """SIGKILL: nothing that it does from now on reaches anybody."""
        self.is_dead = True

    def freeze(self, for_s: float) -> None:
        """SIGSTOP, and SIGCONT so much later."""
        self.frozen_until_s = self.agenda.now_s + for_s

    def crashed(self, error: BaseException) -> None:
        """It failed in a way that ends it, or should never have happened."""
        self.errors.append(error)

    def end(self) -> None:
        """Give back its threads."""
        self.is_dead = True
        for hand in list(self._hands):
            self.agenda.end(hand)

    def _go_on(self, hand: Hand) -> None:
        if self.frozen_until_s > self.agenda.now_s and not self.is_dead:
            self.agenda.at(self.frozen_until_s, lambda: self._go_on(hand))
        elif hand in self._hands:
            self.agenda.call(hand)

    def _settle(self, future: "asyncio.Future[Any]", act: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            answer = act(*args)
        except Exception as error:
            if not self.is_dead and not future.cancelled():
                future.set_exception(error)
        else:
            if not self.is_dead and not future.cancelled():
                future.set_result(answer)
