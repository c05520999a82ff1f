"""What all servers of the sandbox have in common: one process in one directory, which can be stopped and tormented."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from b2stream.sandbox import processes
from b2stream.sandbox.processes import Process


class Server(ABC):
    """A server that lies with data, settings and log in `directory`; started again there it goes on where it was.

    With `survives` it goes on after this process has ended.
    """

    name = "server"

    def __init__(self, directory: Path, *, survives: bool = False) -> None:
        self.directory = directory.absolute()
        self.survives = survives
        self.process: Process | None = None
        # Called with each process as soon as it is there, so that it is known before it answers.
        self.when_launched: Callable[[Process], None] = lambda _process: None

    @abstractmethod
    def start(self) -> str:
        """Start it, wait until it answers, and return the address that clients are given."""

    @property
    def log_file(self) -> Path:
        return self.directory / f"{self.name}.log"

    @property
    def running(self) -> bool:
        """Whether its process is there; a frozen one is."""
        return self.process is not None and self.process.running

    def stop(self, grace_s: float = processes.STOP_GRACE_S) -> None:
        """End it in order (SIGTERM); it is killed if that takes longer than `grace_s`."""
        if self.process:
            self.process.stop(grace_s)

    def kill(self) -> None:
        """End it as a power cut would (SIGKILL)."""
        if self.process:
            self.process.kill()

    def freeze(self) -> None:
        """Let it answer nothing while its connections stay open, until `thaw`."""
        if self.process:
            self.process.freeze()

    def thaw(self) -> None:
        """Let a frozen server go on."""
        if self.process:
            self.process.thaw()

    def _launch(self, command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> Process:
        """Start the server's process; `environment` replaces this one's."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.process = processes.start(
            self.name, command, self.log_file, environment=environment, survives=self.survives
        )
        self.when_launched(self.process)
        return self.process
