"""The class paths of the sandbox's Java servers, exactly as the jgo.lock.toml of each names it.

Each jar comes by its coordinates through jgo (a Maven resolver in Python) and is used only if its SHA-256 is the locked one.
All jars are hashed at every start: Kafka's 46 (44 MB) take some 40 ms, and a jar that changed on disk is noticed.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from b2stream.errors import ConfigurationError, Fatal

DOWNLOADS_AT_ONCE = 4
TRIES_PER_JAR = 3

Tell = Callable[[str, int, int], None]  # what they belong to, jars brought so far, jars to bring


class JarRefused(Fatal):
    """A jar is not the one that was locked: delete the file named here and start again.

    If it comes back the same, the repository or a proxy on the way hands out another file, and it must not be run.
    """

    reason = "jar_refused"


class JarsUnavailable(Fatal):
    """A server's jars could not be downloaded: check the network.

    A mirror goes into jgo.conf, a proxy's own certificate into REQUESTS_CA_BUNDLE. Without a network, copy the cache
    folder of a machine that has it and name it in B2STREAM_CACHE, or use a server that runs already.
    """

    reason = "jars_unavailable"


@dataclass(frozen=True)
class LockedJar:
    """One jar of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


@dataclass(frozen=True)
class JarSet:
    """The jars of one server. `folder` holds jgo.toml and jgo.lock.toml; the jar `main` tells the version; `instead` the way without."""

    title: str
    short: str
    folder: Path
    main: str
    instead: str

    @property
    def specification_file(self) -> Path:
        return self.folder / "jgo.toml"

    @property
    def lock_file(self) -> Path:
        return self.folder / "jgo.lock.toml"

    def jars(self) -> list[LockedJar]:
        """The jars that the lock names, in its order, which is the order of the class path."""
        lock = tomllib.loads(self.lock_file.read_text(encoding="utf-8"))
        return [
            LockedJar(one["groupId"], one["artifactId"], one["version"], one["sha256"]) for one in lock["dependencies"]
        ]


def cache_folder() -> Path:
    """Where the jars are kept between runs: B2STREAM_CACHE, else XDG_CACHE_HOME/b2stream, else ~/.cache/b2stream."""
    if chosen := os.environ.get("B2STREAM_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "b2stream"


def class_path(wanted: JarSet, tell: Tell | None = None, *, cache: Path | None = None) -> list[Path]:
    """Paths of all locked jars, each verified; missing ones are downloaded first, by one process at a time.

    `tell` is called with (title, jars brought, jars to bring) while downloading, and not at all when nothing is missing.
    Raises JarRefused if a jar is not the locked one, JarsUnavailable if one cannot be had.
    """
    jars = wanted.jars()
    version = next(jar.version for jar in jars if jar.artifact == wanted.main)
    folder = (cache or cache_folder()) / f"{wanted.short}-{version}"
    if any(not (folder / jar.file_name).exists() for jar in jars):
        with _alone(folder):  # whoever waited here finds the jars that the other one brought
            missing = [jar for jar in jars if not (folder / jar.file_name).exists()]
            if missing:
                _download(wanted, missing, folder, tell or (lambda _title, _brought, _all: None))
    for jar in jars:
        _check(jar, folder / jar.file_name)
    return [folder / jar.file_name for jar in jars]


def jgo_context(repository: Path) -> Any:
    """A jgo context that stores what it downloads below `repository` and honours the user's mirrors (jgo.conf)."""
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError as missing:
        raise ConfigurationError("the sandbox needs more packages: pip install 'b2stream[sandbox]'") from missing
    mirrors = GlobalSettings.load().repositories
    return MavenContext(repo_cache=repository, remote_repos={"central": MAVEN_CENTRAL_URL, **mirrors}, timeout=60)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "download.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # let go by the kernel when this process ends, however it ends
        yield


def _download(wanted: JarSet, missing: list[LockedJar], folder: Path, tell: Tell) -> None:
    """Bring the missing jars; each appears under its name only whole and checked, so a broken download leaves nothing."""
    for left_behind in folder.glob("download-*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="download-", dir=folder) as temporary:
        tell(wanted.title, 0, len(missing))
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            arriving = [pool.submit(_download_one, jar, Path(temporary)) for jar in missing]
            try:
                for brought, (jar, arrival) in enumerate(zip(missing, arriving, strict=True), start=1):
                    arrival.result().replace(folder / jar.file_name)
                    tell(wanted.title, brought, len(missing))
            except JarsUnavailable as failure:
                raise JarsUnavailable(f"{wanted.title}, {failure.detail}; {wanted.instead}") from failure
            finally:
                pool.shutdown(cancel_futures=True)  # after a failure the jars that are left are not tried in vain


def _download_one(jar: LockedJar, repository: Path) -> Path:
    last: Exception = JarsUnavailable(jar.file_name)
    for attempt in range(TRIES_PER_JAR):
        # A folder of its own for each try: jgo refuses to write over what a broken download left.
        context = jgo_context(repository / f"try-{attempt}")
        try:
            path = Path(context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve())
            _check(jar, path)
            return path
        except JarRefused as refused:
            last = refused
        except (OSError, RuntimeError) as failure:  # requests' errors are OSErrors; jgo raises RuntimeError for a 404
            last = JarsUnavailable(f"{jar.file_name}: {failure}")
    raise last


def _check(jar: LockedJar, path: Path) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        raise JarRefused(f"{path}: its SHA-256 is {found}, the locked one is {jar.sha256}")
