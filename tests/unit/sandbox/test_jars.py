"""The class paths of Kafka and of the Handle server are exactly what the committed locks name."""

import hashlib
import io
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from b2stream.sandbox import jars
from b2stream.sandbox.handle.jars import HANDLE
from b2stream.sandbox.jars import JarRefused, JarSet, JarsUnavailable, LockedJar
from b2stream.sandbox.kafka.jars import KAFKA
from b2stream.sandbox.progress import JarProgress

CONTENT = b"not really a jar"
LOCKED = [
    LockedJar("org.example", "kafka_2.13", "4.3.0", hashlib.sha256(CONTENT).hexdigest()),
    LockedJar("org.example", "other", "1.0", hashlib.sha256(CONTENT).hexdigest()),
]
BOTH = pytest.mark.parametrize("wanted", [KAFKA, HANDLE], ids=lambda each: each.short)


class Repository:
    """Stands in for jgo: hands out the bytes it was given for each artifact, or fails."""

    def __init__(self, contents: dict[str, list[bytes | Exception]]) -> None:
        self.contents = contents
        self.asked: list[str] = []

    def context(self, folder: Path) -> Any:
        return _Context(self, folder)


class _Context:
    def __init__(self, repository: Repository, folder: Path) -> None:
        self._repository = repository
        self._folder = folder

    def project(self, _group: str, artifact: str) -> "_Context":
        self._artifact = artifact
        return self

    def at_version(self, _version: str) -> "_Context":
        return self

    def artifact(self) -> "_Context":
        return self

    def resolve(self) -> Path:
        self._repository.asked.append(self._artifact)
        answers = self._repository.contents[self._artifact]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{self._artifact}.jar"
        path.write_bytes(answer)
        return path


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Repository:
    stands_in = Repository({"kafka_2.13": [CONTENT], "other": [CONTENT]})
    monkeypatch.setattr(JarSet, "jars", lambda _self: LOCKED)
    monkeypatch.setattr(jars, "jgo_context", stands_in.context)
    return stands_in


@BOTH
def test_the_lock_holds_what_the_specification_asks_for_with_a_checksum_per_jar_and_no_address(wanted: JarSet) -> None:
    specification, lock = wanted.specification_file.read_text(), wanted.lock_file.read_text()
    asked = tomllib.loads(specification)["dependencies"]["coordinates"]
    assert {f"{jar.group}:{jar.artifact}:{jar.version}" for jar in wanted.jars()} >= set(asked)
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in wanted.jars())
    assert wanted.main in {jar.artifact for jar in wanted.jars()}, "it tells the version"
    assert "://" not in lock
    spec_hash = tomllib.loads(lock)["metadata"]["spec_hash"]
    assert spec_hash == hashlib.sha256(specification.encode()).hexdigest()[:16], "write the lock anew"


@BOTH
def test_no_two_jars_share_a_file_name(wanted: JarSet) -> None:
    names = [jar.file_name for jar in wanted.jars()]
    assert len(set(names)) == len(names) >= 9


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"B2STREAM_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/b2stream"),
        ({"HOME": "/c"}, "/c/.cache/b2stream"),
    ],
)
def test_the_cache_lies_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: str
) -> None:
    for name in ("B2STREAM_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert jars.cache_folder() == Path(expected)


def test_jars_are_brought_once_in_the_order_of_the_lock(repository: Repository, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    first = jars.class_path(KAFKA, lambda *numbers: told.append(numbers), cache=tmp_path)
    assert [path.name for path in first] == ["kafka_2.13-4.3.0.jar", "other-1.0.jar"]
    assert told == [("Apache Kafka", number, 2) for number in (0, 1, 2)]
    assert jars.class_path(KAFKA, lambda *numbers: told.append(numbers), cache=tmp_path) == first
    assert sorted(repository.asked) == ["kafka_2.13", "other"]
    assert len(told) == 3, "nothing was missing, so nothing is told"


def test_a_jar_that_changed_on_disk_is_refused_by_name_with_the_cure(repository: Repository, tmp_path: Path) -> None:
    path = jars.class_path(KAFKA, cache=tmp_path)[1]
    path.write_bytes(CONTENT + b"!")
    with pytest.raises(JarRefused, match=rf"delete the file named here.*{re.escape(str(path))}"):
        jars.class_path(KAFKA, cache=tmp_path)
    path.unlink()
    assert jars.class_path(KAFKA, cache=tmp_path)[1].read_bytes() == CONTENT


def test_a_download_that_is_not_the_locked_jar_is_refused_and_never_kept(
    repository: Repository, tmp_path: Path
) -> None:
    repository.contents["other"] = [b"somebody else's jar"]
    with pytest.raises(JarRefused, match=r"other.*locked one"):
        jars.class_path(KAFKA, cache=tmp_path)
    assert not list(tmp_path.rglob("other*.jar"))


def test_a_broken_download_is_tried_again(repository: Repository, tmp_path: Path) -> None:
    repository.contents["other"] = [OSError("connection reset"), CONTENT[:5], CONTENT]
    assert jars.class_path(KAFKA, cache=tmp_path)[1].read_bytes() == CONTENT


def test_without_a_network_the_error_names_the_jar_and_the_ways_out(repository: Repository, tmp_path: Path) -> None:
    repository.contents["kafka_2.13"] = [OSError("no route to host")]
    with pytest.raises(
        JarsUnavailable, match=r"B2STREAM_CACHE.*Apache Kafka, kafka_2.13-4.3.0.jar: no route.*--kafka HOST:PORT"
    ):
        jars.class_path(KAFKA, cache=tmp_path)


def test_what_an_interrupted_download_left_is_removed(repository: Repository, tmp_path: Path) -> None:
    left = tmp_path / "kafka-4.3.0" / "download-killed"
    left.mkdir(parents=True)
    jars.class_path(KAFKA, cache=tmp_path)
    assert not left.exists()


def test_concurrent_starts_download_once(tmp_path: Path) -> None:
    """Four processes at once; each writes a line for each jar that it asks for."""
    code = (
        "import pathlib, sys, time; from b2stream.sandbox import jars; from tests.unit.sandbox import test_jars as t\n"
        "jars.JarSet.jars = lambda _self: t.LOCKED\n"
        "class Slow(t.Repository):\n"
        "    def context(self, folder):\n"
        "        with open('asked', 'a') as asked: asked.write('x')\n"
        "        time.sleep(0.2)\n"
        "        return super().context(folder)\n"
        "jars.jgo_context = Slow({'kafka_2.13': [t.CONTENT], 'other': [t.CONTENT]}).context\n"
        "print(len(jars.class_path(t.KAFKA, cache=pathlib.Path('cache'))))\n"
    )
    root = Path(__file__).parents[3]
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n" + code], cwd=tmp_path, stdout=-1
        )
        for _ in range(4)
    ]
    assert [start.communicate(timeout=60)[0].strip() for start in starts] == [b"2"] * 4
    assert (tmp_path / "asked").read_text() == "xx"


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_growing_line_at_a_terminal_and_few_plain_lines_elsewhere() -> None:
    terminal, log = _Terminal(), io.StringIO()
    for stream in (terminal, log):
        progress = JarProgress(stream)
        for brought in range(47):
            progress("Apache Kafka", brought, 46)
    assert terminal.getvalue().count("\n") == 1
    assert terminal.getvalue().endswith("46 of 46 jars\n")
    assert log.getvalue().splitlines()[0] == "Apache Kafka: 0 of 46 jars"
    assert log.getvalue().splitlines()[-1] == "Apache Kafka: 46 of 46 jars"
    assert len(log.getvalue().splitlines()) == 5
    assert "\r" not in log.getvalue()
