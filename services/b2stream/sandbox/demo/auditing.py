"""The demo's last word is b2stream's own: an audit of everything, and one data object verified, as an operator would type them.

With `--amnesia` Kafka is wiped in between: topics, offsets and descriptions of stations. What was archived is announced again from its
manifests, replicator and registrar go over it once more, and the audit must be clean as before.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable

from b2stream.errors import Fatal
from b2stream.sandbox import processes, programs
from b2stream.sandbox.deployment import Deployment
from b2stream.settings import FILE_VARIABLE, load, variable

OWN = ("kafka", "first", "second")
AUDIT = ("audit", "--grace-s", "0")
CLEAN_S = 90.0
_STOP_S = 20.0

Say = Callable[[str], None]


class NotClean(Fatal):
    """The audit found something, or did not come to an end: read its lines here."""

    reason = "audit_not_clean"


def is_possible(deployment: Deployment) -> bool:
    """Whether everything that an audit looks at is the demo's own: elsewhere it would speak of other people's batches, too."""
    return all(name in deployment.servers for name in OWN)


def audit_and_verify(deployment: Deployment, example: str, say: Say) -> bool:
    """Audit the archive, and verify one data object (its PID, or its path); whether both are good."""
    good = True
    for words in (AUDIT, ("verify", example)):
        done = _run(deployment, *words)
        say(f"$ {programs.typed_command()} {' '.join(words)}")
        say("\n".join(f"  {line}" for line in (done.stdout or done.stderr).rstrip().splitlines()) + "\n")
        good &= done.returncode == 0
    return good


def forget_everything(deployment: Deployment, prepare: Callable[[], None], say: Say) -> None:
    """Wipe Kafka and Redis, begin anew, and announce from the manifests. `prepare` describes the stations again and starts the programs.

    Raises NotClean where the audit does not become clean.
    """
    say("✂ Kafka is wiped: topics, offsets, events, everything that it ever knew")
    processes.stop_all(list(deployment.programs.values()), _STOP_S)
    deployment.programs.clear()
    for name in ("kafka", "redis"):
        if (server := deployment.servers.get(name)) is not None:
            server.stop()
            for kept in ("data", "dump.rdb"):
                shutil.rmtree(server.directory / kept, ignore_errors=True)
            server.start()
    deployment.prepare()
    prepare()
    done = _run(deployment, "reannounce")
    say(f"  b2stream reannounce: {done.stdout.strip() or done.stderr.strip()}")
    _wait_until_clean(deployment)
    say("  replicator and registrar went over it once more: nothing had to be copied, nothing is missing\n")


def _wait_until_clean(deployment: Deployment) -> None:
    """Until nothing lags and nothing is found."""
    deadline = time.monotonic() + CLEAN_S
    while True:
        done = _run(deployment, *AUDIT)
        if done.returncode == 0 and "still to do" not in done.stdout:
            return
        if time.monotonic() > deadline:
            raise NotClean(f"after {CLEAN_S:.0f} s:\n{done.stdout}{done.stderr}")
        time.sleep(0.5)  # between two audits; a clean one is the condition


def _run(deployment: Deployment, *words: str) -> "subprocess.CompletedProcess[str]":
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("B2STREAM_")}
    environment = {
        **inherited,
        FILE_VARIABLE: str(deployment.settings_file),
        variable("general", "community"): load(deployment.settings_file, environment={}).settings.general.community,
        "PYTHONUTF8": "1",
    }
    command = [*programs.b2stream_command(), *words]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=environment, check=False)
