"""The real gateway program as a process, against a real Kafka, and the log that it leaves behind."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from b2stream.contracts import topics
from b2stream.contracts.partitions import partition_of
from b2stream.kafka import read_range
from b2stream.kafka.admin import Admin
from b2stream.programs.gateway.journal.journal import Journal
from b2stream.programs.gateway.running import JOURNAL
from tests.unit.gateway.stands import STATION, Log
from tests.waiting import PATIENCE_S

PARTITIONS = 3
COMMAND = [sys.executable, "-c", "from b2stream.cli import main; main()"]


@dataclass
class StationStand:
    """A watched folder and the gateway on it."""

    directory: Path
    bootstrap: str
    community: str
    settle_s: float = 0.2
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder = self.directory / "watched"
        self.folder.mkdir()
        self.log_file = self.directory / "gateway.log"
        self.admin = Admin(self.bootstrap)

    @property
    def topic(self) -> str:
        return f"{self.community}.measurements"

    @property
    def partition(self) -> int:
        return partition_of(STATION, PARTITIONS)

    def make_topics(self) -> None:
        for topic in topics.ALL:
            self.admin.create_topic(topic.full_name(self.community), PARTITIONS, 1, topic.config())

    def variables(self, **more: str) -> dict[str, str]:
        return {
            **os.environ,
            "B2STREAM_KAFKA_BOOTSTRAP": self.bootstrap,
            "B2STREAM_KAFKA_PARTITIONS": str(PARTITIONS),
            "B2STREAM_GENERAL_COMMUNITY": self.community,
            "B2STREAM_GATEWAY_STATION": STATION,
            "B2STREAM_GATEWAY_WATCH": str(self.folder),
            "B2STREAM_GATEWAY_SETTLE_S": str(self.settle_s),
            "B2STREAM_GATEWAY_SCAN_S": "0.2",
            "B2STREAM_GATEWAY_UTC_OFFSET_H": "1",
            **self.environment,
            **more,
        }

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[bytes]":
        """Start `b2stream gateway`; it ends with the stand at the latest."""
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                [*COMMAND, "gateway", *arguments], env=self.variables(**variables), stdout=log, stderr=log
            )
        self.processes.append(process)
        return process

    def run(
        self, *arguments: str, timeout_s: float = 120.0, command: list[str] = COMMAND, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run `b2stream gateway` to its end."""
        return subprocess.run(
            [*command, "gateway", *arguments],
            env=self.variables(**variables),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def outcomes(self) -> list[str]:
        """What the journal says became of the files, in alphabetical order."""
        file = self.folder / JOURNAL
        if not file.exists():
            return []
        journal = Journal(file)
        try:
            return sorted(journal.outcomes().values())
        finally:
            journal.close_file()

    def said(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def end_offset(self) -> int:
        return self.admin.ranges(self.topic, PARTITIONS)[self.partition].end

    def log(self) -> Log:
        """Everything in the station's partition."""
        end = self.end_offset()
        messages = read_range(self.bootstrap, self.topic, self.partition, 0, end - 1, client_id="judge") if end else ()
        return Log([(message.value or b"", message.headers) for message in messages])

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(PATIENCE_S)
