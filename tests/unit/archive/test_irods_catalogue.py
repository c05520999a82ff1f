"""Objects out of replicas, conditions out of names; and what the iRODS modules must never do."""

import ast
import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from irods.column import In, Like
from irods.models import DataObject

import b2stream.archive.irods.store as irods_store
from b2stream.archive.irods.catalogue import Replica, checksum_text, equal, one_of, pattern, sha256_of, state_of
from b2stream.archive.store import ReplicaStatus

RIGHT = hashlib.sha256(b"right").hexdigest()
WRONG = hashlib.sha256(b"wrong").hexdigest()


def replica(number: int, status: str, *, size: int = 5, sha256: str | None = RIGHT) -> Replica:
    return Replica("/z/c", "o", size, checksum_text(sha256) if sha256 else "", status, number, 1_782_864_000)


def test_one_good_replica_makes_the_object_good_with_its_size_and_checksum() -> None:
    state = state_of("p", [replica(0, "0", size=3, sha256=WRONG), replica(1, "1")])
    assert state.is_exactly(5, RIGHT)
    assert state.modified_s == 1_782_864_000


def test_a_good_replica_beside_one_that_is_being_made_is_good() -> None:
    assert state_of("p", [replica(0, "1"), replica(1, "2", size=0, sha256=None)]).is_exactly(5, RIGHT)


def test_a_checksum_that_only_one_good_replica_has_counts() -> None:
    assert state_of("p", [replica(0, "1", sha256=None), replica(1, "1")]).is_exactly(5, RIGHT)


@pytest.mark.parametrize("other", [replica(1, "1", sha256=WRONG), replica(1, "1", size=6)])
def test_good_replicas_that_disagree_are_not_to_be_trusted(other: Replica) -> None:
    assert state_of("p", [replica(0, "1"), other]).status is ReplicaStatus.STALE


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["0"], ReplicaStatus.STALE),
        (["0", "0"], ReplicaStatus.STALE),
        (["2"], ReplicaStatus.INTERMEDIATE),
        (["0", "2"], ReplicaStatus.INTERMEDIATE),
        (["4", "2"], ReplicaStatus.INTERMEDIATE),  # write-locked while a sibling is made
        (["3"], ReplicaStatus.INTERMEDIATE),
        (["9"], ReplicaStatus.INTERMEDIATE),  # unknown: not to be trusted now
    ],
)
def test_without_a_good_replica_nothing_is_good(statuses: list[str], expected: ReplicaStatus) -> None:
    assert state_of("p", [replica(n, status) for n, status in enumerate(statuses)]).status is expected


def test_checksums_are_base64_of_the_digest_and_others_count_as_none() -> None:
    empty = hashlib.sha256(b"").hexdigest()
    assert checksum_text(empty) == "sha2:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert sha256_of(checksum_text(empty)) == empty
    for other in (None, "", "d41d8cd98f00b204e9800998ecf8427e", "sha2:not base64", "sha2:abc"):
        assert sha256_of(other) is None


def test_names_that_can_be_quoted_are_asked_for_as_they_are() -> None:
    assert equal(DataObject.name, "100%_a b").irods_value == "'100%_a b'"
    assert equal(DataObject.name, "100%_a b").op == "="


@given(st.text(min_size=1))
def test_no_condition_ever_contains_a_quote_of_the_name(name: str) -> None:
    condition = equal(DataObject.name, name)
    assert condition.irods_value.count("'") == 2
    if isinstance(condition, Like):
        assert len(pattern(name)) == len(name)
        assert not set("'\\|&%") & set(pattern(name))


def test_several_plain_names_are_one_condition_and_others_one_each() -> None:
    conditions = one_of(["a~b.csv", "a~b.csv.manifest.json"])
    assert [type(condition) for condition in conditions] == [In]
    assert conditions[0].irods_value == "('a~b.csv','a~b.csv.manifest.json')"
    assert len(one_of(["it's", "b"])) == 2
    assert len(one_of(["a, b", "c"])) == 2
    assert one_of([]) == []


# I4 -------------------------------------------------------------------------------------------------------------------

FOLDER = Path(irods_store.__file__).parent
SOURCES = sorted(source for source in FOLDER.glob("*.py") if source.name != "__init__.py")


def attribute_calls(source: Path) -> list[tuple[str, ast.Call]]:
    return [
        (node.func.attr, node)
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    ]


def test_I4_the_only_unlink_is_below_the_staging_root_and_nothing_overwrites() -> None:
    assert len(SOURCES) >= 4
    calls = [(source.name, name, call) for source in SOURCES for name, call in attribute_calls(source)]
    unlinks = [source for source, name, _ in calls if name == "unlink"]
    assert unlinks == ["store.py"]
    overwriting = {
        "put",
        "truncate",
        "replica_truncate",
        "trim",
        "unregister",
        "modDataObjMeta",
        "copy",
        "move",
        "touch",
    }
    assert [(source, name) for source, name, _ in calls if name in overwriting] == []
    forced = [
        (source, name)
        for source, name, call in calls
        for keyword in call.keywords
        if keyword.arg == "force" or "FORCE" in ast.dump(keyword.value)
    ]
    assert forced == [("store.py", "unlink")]


def test_I4_no_keyword_that_forces_is_named_anywhere() -> None:
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        assert "FORCE" not in text
        assert "ADMIN_KW" not in text
        assert "forceFlag" not in text


def test_only_the_folder_irods_of_the_archive_knows_the_client() -> None:
    package = FOLDER.parents[1]
    knowing = {
        source.relative_to(package).as_posix()
        for source in package.rglob("*.py")
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if (isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "irods")
        or (isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "irods" for alias in node.names))
    }
    assert {name for name in knowing if not name.startswith("sandbox/")} == {
        f"archive/irods/{source.name}" for source in SOURCES
    }


def test_the_checksum_that_the_server_compares_is_never_empty() -> None:
    assert checksum_text(RIGHT) == "sha2:" + base64.b64encode(bytes.fromhex(RIGHT)).decode()
