"""A chain that is watched by the oracle from its start on, and judged by it at its end: one look a second at the committed offsets.

    with WatchedChain(deployment) as chain:
        chain.start()

The record lies in `oracle/` of the chain's directory. It outlives the log: a test that deletes messages calls `keep_all` before.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from b2stream.contracts import topics
from tests.faults.chain import Chain
from tests.faults.judge.oracle import Oracle
from tests.faults.judge.recorder import CannotRecord, Recorder
from tests.faults.judging import write_plan
from tests.waiting import PATIENCE_S, until

LOOK_EVERY_S = 1.0
CATCH_UP_EVERY = 3  # looks
JUDGE_S = 600.0
MUST_BE_COMPARED = ("I1", "I2", "I3", "I5", "I8", "I9")


class Watch:
    """Records what Kafka acknowledges to a chain that was started, in a thread of its own, until it is stopped or judged."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._folder = chain.directory / "oracle"
        topic = topics.MEASUREMENTS.full_name(chain.deployment.community)
        self._recorder = Recorder(chain.deployment.addresses["kafka"], topic, Oracle(self._folder))
        self._is_over = threading.Event()
        self._turn = threading.Lock()  # the oracle is used by one thread at a time
        self._pool = ThreadPoolExecutor(1)
        self._watching = self._pool.submit(self._watch)

    def keep_all(self) -> None:
        """Keep what the log holds now, for it is to be deleted. Raises NotInTime where Kafka does not answer."""
        until(lambda: self._record(look=False, catch_up=True), "Kafka does not give its log", 2 * PATIENCE_S)

    def stop(self) -> None:
        """End the thread. Raises whatever ended it before."""
        self._is_over.set()
        self._pool.shutdown(wait=True)
        self._watching.result()

    def judge(self) -> dict[str, dict[str, int]]:
        """Stop, and ask the judge, a process of its own; returns what it compared. Raises AssertionError with what is wrong."""
        self.stop()
        until(lambda: self._record(look=True, catch_up=True), "Kafka does not answer", 2 * PATIENCE_S, poll_s=1.0)
        command = [sys.executable, "-m", "tests.faults.judge", str(write_plan(self._chain)), str(self._folder)]
        answer = subprocess.run(
            command, capture_output=True, text=True, timeout=JUDGE_S, check=False, cwd=Path(__file__).parents[2]
        )
        (self._folder / "judgement.json").write_text(answer.stdout + answer.stderr, encoding="utf-8")
        assert answer.returncode in (0, 1), f"the oracle's judge could not judge: {answer.stderr[-1000:]}"
        document: dict[str, Any] = json.loads(answer.stdout)
        found = "\n".join(f"{one['invariant']} {one['station']} {one['what']}" for one in document["findings"])
        assert not found, f"the oracle's judge found, evidence in {self._chain.directory}:\n{found}"
        compared: dict[str, dict[str, int]] = document["compared"]
        unseen = [each for each in MUST_BE_COMPARED if not sum(compared.get(each, {}).values())]
        assert not unseen, f"the oracle's judge compared nothing for {', '.join(unseen)}"
        return compared

    def _watch(self) -> None:
        looks = 0
        while not self._is_over.wait(LOOK_EVERY_S):
            looks += 1
            self._record(look=True, catch_up=looks % CATCH_UP_EVERY == 0)

    def _record(self, *, look: bool, catch_up: bool) -> bool:
        """False where Kafka did not answer: that is looked at later."""
        with self._turn:
            try:
                if look:
                    self._recorder.look()
                if catch_up:
                    self._recorder.catch_up()
            except CannotRecord:
                return False
        return True


class WatchedChain(Chain):
    """A chain with its watch. It is judged where the block inside `with` ended well."""

    watch: Watch

    def start(self, fail_at: Mapping[str, str] | None = None) -> None:
        """As ever; it is watched from then on."""
        super().start(fail_at)
        self.watch = Watch(self)

    def __exit__(self, *exception: object) -> None:
        try:
            if hasattr(self, "watch"):
                self.watch.stop()
                if exception[:1] == (None,):
                    self.watch.judge()
        finally:
            super().__exit__(*exception)
