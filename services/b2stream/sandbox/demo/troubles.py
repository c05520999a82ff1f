"""What the demo breaks on purpose, in the middle of the work: it freezes the second centre, and kills the processor."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from b2stream.sandbox import programs
from b2stream.sandbox.demo import interruption
from b2stream.sandbox.demo.feeding import Feed
from b2stream.sandbox.demo.progress import Progress
from b2stream.sandbox.demo.screen import Screen
from b2stream.sandbox.deployment import Deployment
from b2stream.sandbox.records import read_parts

FROZEN_S = 4.0
DEAD_S = 3.0
SEEN_S = 20.0  # longest wait for the lag to show itself, and to drain before the next trouble
BUSY_S = 2.0  # longest wait for the processor to have something in its hands
POLL_S = 0.1

PROCESSOR = "processor"


@dataclass
class Stage:
    """What the troubles need: the deployment, what is left to feed, and who watches."""

    deployment: Deployment
    feed: Feed
    progress: Progress
    screen: Screen

    def look(self) -> None:
        """Look how far it has come, and show it. Raises KeyboardInterrupt where the demo is to end."""
        interruption.raise_if_asked()
        self.screen.show(self.progress.look(self.feed.fed))

    def glance(self) -> None:
        """The same, unless the last look was only just now."""
        history = self.progress.history
        if not history or self.progress.age_s() - history[-1].at_s >= POLL_S:
            self.look()

    def watch(self, until: Callable[[], bool], longest_s: float) -> bool:
        """Look again and again until something is so; False if it was not so in time."""
        deadline = time.monotonic() + longest_s
        while True:
            self.look()
            if until():
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_S)

    def watch_for(self, seconds: float) -> None:
        """Look for so long, whatever happens."""
        self.watch(lambda: False, seconds)


def freeze_second_centre(stage: Stage, files: int) -> None:
    """Freeze the second centre while `files` files are fed: the replicator's lag grows, and drains when it is thawed."""
    name, server = stage.screen.second, stage.deployment.servers.get("second")
    if server is None:
        stage.screen.say(f"{name} is your own and is left alone: it is not frozen")
        stage.feed.give(files, stage.glance)
        return
    stage.screen.trouble(f"✂ {name} is frozen (SIGSTOP): it answers nobody, its connections stay open")
    server.freeze()
    try:
        stage.feed.give(files, stage.glance)
        lag_before = 0
        stage.watch(lambda: stage.progress.history[-1].replicator_lag > lag_before, SEEN_S)
        stage.watch_for(FROZEN_S)
    finally:
        server.thaw()
    stage.screen.trouble("")
    stage.screen.say(f"✓ {name} is thawed: the replicator catches up by itself")
    stage.watch(lambda: stage.progress.history[-1].replicator_lag == 0, SEEN_S)


def kill_processor(stage: Stage, files: int) -> None:
    """Kill the processor while `files` files are fed, and start it again: its lag grows and drains."""
    stage.feed.give(files // 2, stage.glance)
    if files > 1:
        stage.watch(lambda: stage.progress.history[-1].processor_lag > 0, BUSY_S)
    busy = stage.progress.history[-1].processor_lag if stage.progress.history else 0
    hands = f" with {busy} files in its hands" if busy else ""
    stage.deployment.programs[PROCESSOR].kill()
    stage.screen.trouble(f"✂ the processor is killed (SIGKILL){hands}; the stations go on sending")
    stage.feed.give(files - files // 2, stage.glance)
    stage.watch(lambda: stage.progress.history[-1].processor_lag > 0, SEEN_S)
    stage.watch_for(DEAD_S)
    stage.screen.trouble("")
    stage.screen.say(
        "✓ the processor is started again: it goes on where Kafka's offsets stand, and the archive decides"
    )
    start_again(stage)


def start_again(stage: Stage) -> None:
    """Start the processor anew and wait until it is ready, looking on."""
    process = stage.deployment.run_program(PROCESSOR, wait=False)
    address = read_parts(stage.deployment.directory)[PROCESSOR].address
    deadline = time.monotonic() + programs.READY_TIMEOUT_S
    while not programs.ready(address)[0]:
        if not process.running or time.monotonic() > deadline:
            raise programs.ProgramNotReady(f"{process.name}; {process.log_file}:\n{process.last_log_lines()}\n")
        stage.look()
        time.sleep(POLL_S)
