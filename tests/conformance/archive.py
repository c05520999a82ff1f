"""What every object store must do, whatever lies behind it. A test class inherits this and gives the fixture `store`.

The fixture gives a store with a root of its own, empty at the start. Only the interface is used, so the same tests run in
memory, on an embedded zone and on a real one.
"""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from b2stream.archive.placing import Writer
from b2stream.archive.store import QUARANTINE_FOLDER, ObjectStore, Placement, ReplicaStatus
from b2stream.errors import BrokenInvariant, DamagedObject, MissingObject

WRITER = Writer()
CONTENT = b"half an hour of wind at 20 Hz"
FOLDER = "SE-Htm/EC_L99_F01/2026/07"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def stage(store: ObjectStore, content: bytes = CONTENT) -> str:
    """Stage it under a new name, in one chunk."""
    staged_name = WRITER.staged_name("attempt")
    store.stage(staged_name, [content], len(content), sha256(content))
    return staged_name


def put(store: ObjectStore, path: str, content: bytes = CONTENT) -> None:
    """Bring it to a final path by the only way there is."""
    assert store.place(stage(store, content), path) is Placement.PLACED


class ArchiveConformance:
    """Inherited by one test class per implementation."""

    def test_a_staged_object_is_described_with_status_size_and_checksum(self, store: ObjectStore) -> None:
        staged_name = stage(store)
        state = store.describe_staged(staged_name)
        assert state is not None
        assert state.path == staged_name
        assert state.is_exactly(len(CONTENT), sha256(CONTENT))
        assert state.modified_s > 1_600_000_000

    def test_an_empty_object_can_be_staged_placed_and_read(self, store: ObjectStore) -> None:
        put(store, f"{FOLDER}/empty", b"")
        state = store.describe(f"{FOLDER}/empty")
        assert state is not None
        assert state.is_exactly(0, sha256(b""))
        assert b"".join(store.read(f"{FOLDER}/empty")) == b""

    def test_chunks_of_any_kind_and_size_make_the_same_bytes(self, store: ObjectStore) -> None:
        content = bytes(range(256)) * 13_000  # 3.3 MB: more than one write and more than one read of 1 MiB
        view = memoryview(content)
        cuts = [0, 1, 1, 7, 1 << 20, (2 << 20) + 5, len(content)]
        kinds = [bytes, bytearray, memoryview, bytes, memoryview, bytearray]
        chunks = [kind(view[start:end]) for kind, start, end in zip(kinds, cuts, cuts[1:], strict=False)]
        staged_name = WRITER.staged_name("attempt")
        store.stage(staged_name, iter(chunks), len(content), sha256(content))
        assert store.place(staged_name, f"{FOLDER}/large") is Placement.PLACED
        read = list(store.read(f"{FOLDER}/large", 1 << 20))
        assert b"".join(read) == content
        assert max(len(chunk) for chunk in read) <= 1 << 20

    def test_a_wrong_checksum_is_found_by_the_server_and_never_good(self, store: ObjectStore) -> None:
        staged_name = WRITER.staged_name("attempt")
        with pytest.raises(DamagedObject):
            store.stage(staged_name, [CONTENT], len(CONTENT), sha256(b"something else"))
        state = store.describe_staged(staged_name)
        assert state is not None
        assert state.status is not ReplicaStatus.GOOD
        store.discard_staged(staged_name)
        assert store.describe_staged(staged_name) is None

    @pytest.mark.parametrize("declared", [len(CONTENT) - 1, len(CONTENT) + 1])
    def test_a_wrong_size_is_never_good(self, store: ObjectStore, declared: int) -> None:
        staged_name = WRITER.staged_name("attempt")
        store.stage(staged_name, [CONTENT], declared, sha256(CONTENT))
        state = store.describe_staged(staged_name)
        assert state is not None
        assert state.status is not ReplicaStatus.GOOD

    def test_what_is_stale_is_never_read_although_the_server_would_give_it(self, store: ObjectStore) -> None:
        staged_name = WRITER.staged_name("attempt")
        store.stage(staged_name, [CONTENT], len(CONTENT) + 1, sha256(CONTENT))
        assert store.place(staged_name, f"{FOLDER}/object") is Placement.PLACED
        with pytest.raises(DamagedObject):
            list(store.read(f"{FOLDER}/object"))
        with pytest.raises(DamagedObject):
            store.recompute_sha256(f"{FOLDER}/object")

    def test_an_error_of_the_source_comes_through_and_leaves_nothing_good(self, store: ObjectStore) -> None:
        def broken() -> Iterator[bytes]:
            yield CONTENT
            raise ZeroDivisionError("the source broke")

        staged_name = WRITER.staged_name("attempt")
        with pytest.raises(ZeroDivisionError):
            store.stage(staged_name, broken(), len(CONTENT) + 1, sha256(CONTENT + b"!"))
        state = store.describe_staged(staged_name)
        assert state is None or state.status is not ReplicaStatus.GOOD
        store.discard_staged(staged_name)
        assert store.describe_staged(staged_name) is None

    def test_an_object_that_is_being_written_is_intermediate_and_cannot_be_removed(self, store: ObjectStore) -> None:
        seen: list[ReplicaStatus | None] = []

        def watched() -> Iterator[bytes]:
            yield CONTENT
            watcher = threading.Thread(target=look)
            watcher.start()
            watcher.join()

        def look() -> None:
            state = store.describe_staged(staged_name)
            seen.append(state.status if state else None)

        staged_name = WRITER.staged_name("attempt")
        store.stage(staged_name, watched(), len(CONTENT), sha256(CONTENT))
        assert seen == [ReplicaStatus.INTERMEDIATE]
        state = store.describe_staged(staged_name)
        assert state is not None
        assert state.status is ReplicaStatus.GOOD

    def test_discarding_what_is_not_there_is_no_error(self, store: ObjectStore) -> None:
        store.discard_staged(WRITER.staged_name("attempt"))

    def test_what_is_not_there_has_no_state(self, store: ObjectStore) -> None:
        assert store.describe_staged(WRITER.staged_name("attempt")) is None
        assert store.describe("no/such/object") is None
        assert store.find("no/such", "object") == []
        assert list(store.list("no/such")) == []
        with pytest.raises(MissingObject):
            list(store.read("no/such/object"))
        with pytest.raises(MissingObject):
            store.recompute_sha256("no/such/object")

    def test_placing_makes_the_collections_and_takes_the_staged_name_away(self, store: ObjectStore) -> None:
        staged_name = stage(store)
        assert store.place(staged_name, f"{FOLDER}/object") is Placement.PLACED
        assert store.describe_staged(staged_name) is None
        state = store.describe(f"{FOLDER}/object")
        assert state is not None
        assert state.path == f"{FOLDER}/object"
        assert state.is_exactly(len(CONTENT), sha256(CONTENT))

    def test_I4_placing_never_replaces(self, store: ObjectStore) -> None:
        put(store, f"{FOLDER}/object", b"first")
        second = stage(store, b"second")
        assert store.place(second, f"{FOLDER}/object") is Placement.ALREADY_THERE
        assert b"".join(store.read(f"{FOLDER}/object")) == b"first"
        state = store.describe_staged(second)
        assert state is not None
        assert state.is_exactly(6, sha256(b"second"))

    def test_I4_what_is_set_aside_leaves_its_path_and_keeps_its_bytes(self, store: ObjectStore) -> None:
        path, aside = f"{FOLDER}/object", f"{QUARANTINE_FOLDER}/{FOLDER}/object-1"
        assert store.set_aside(path, aside) is Placement.SOURCE_GONE
        put(store, path, b"damaged")
        assert store.set_aside(path, aside) is Placement.PLACED
        assert store.describe(path) is None
        assert b"".join(store.read(aside)) == b"damaged"
        put(store, path, b"verified")
        assert store.set_aside(path, aside) is Placement.ALREADY_THERE
        assert b"".join(store.read(path)) == b"verified"

    def test_I4_nothing_is_moved_to_any_other_place(self, store: ObjectStore) -> None:
        put(store, f"{FOLDER}/object", b"content")
        with pytest.raises(BrokenInvariant):
            store.set_aside(f"{FOLDER}/object", f"{FOLDER}/elsewhere")
        assert store.describe(f"{FOLDER}/object") is not None

    def test_placing_what_is_not_staged_says_so(self, store: ObjectStore) -> None:
        assert store.place(WRITER.staged_name("attempt"), f"{FOLDER}/object") is Placement.SOURCE_GONE
        assert store.describe(f"{FOLDER}/object") is None

    def test_of_several_racing_movers_exactly_one_wins(self, store: ObjectStore) -> None:
        staged = [stage(store, f"mover {n}".encode()) for n in range(4)]
        results: list[Placement] = []
        start = threading.Barrier(len(staged))

        def move(staged_name: str) -> None:
            start.wait()
            results.append(store.place(staged_name, f"{FOLDER}/raced"))

        threads = [threading.Thread(target=move, args=(name,)) for name in staged]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(result.value for result in results) == ["already there"] * 3 + ["placed"]

    def test_find_takes_names_exactly_although_they_look_like_patterns(self, store: ObjectStore) -> None:
        names = [
            "a%b_c",
            "aXXb_c",
            "a%bXc",
            "a_b_c",
            "it's",
            "itXs",
            'say "x"',
            "back\\slash",
            "a || b",
            "a XX b",
            "räksmörgås",
            "a&<b>",
        ]
        for name in names:
            put(store, f"{FOLDER}/{name}", name.encode())
        for name in names:
            states = store.find("SE-Htm", name)
            assert [state.path for state in states] == [f"{FOLDER}/{name}"]
            assert states[0].is_exactly(len(name.encode()), sha256(name.encode()))

    def test_find_takes_folders_exactly_although_they_look_like_patterns(self, store: ObjectStore) -> None:
        for folder in ("A_B/s", "AxB/s", "A_B/s2", "A_B/s/2026", "A_B/it's"):
            put(store, f"{folder}/object")
        assert [state.path for state in store.find("A_B/s", "object")] == ["A_B/s/2026/object", "A_B/s/object"]
        assert [state.path for state in store.find("A_B/it's", "object")] == ["A_B/it's/object"]

    def test_find_gives_several_names_in_every_month_in_one_go(self, store: ObjectStore) -> None:
        for path in ("s/2025/12/x", "s/2026/01/x", "s/2026/01/x.manifest.json", "s/undated/x", "s/2026/01/y", "t/x"):
            put(store, path)
        found = [state.path for state in store.find("s", "x", "x.manifest.json")]
        assert found == ["s/2025/12/x", "s/2026/01/x", "s/2026/01/x.manifest.json", "s/undated/x"]

    def test_find_in_one_folder_leaves_out_what_lies_below_or_beside_it(self, store: ObjectStore) -> None:
        for path in ("A_B/s/x", "A_B/s/y", "A_B/s/2026/x", "AxB/s/x", "A_B/it's/x"):
            put(store, path)
        assert [state.path for state in store.find("A_B/s", "x", "y", "z", below=False)] == ["A_B/s/x", "A_B/s/y"]
        assert [state.path for state in store.find("A_B/it's", "x", below=False)] == ["A_B/it's/x"]
        assert store.find("A_B", "x", below=False) == []

    def test_several_staged_objects_are_described_in_one_go(self, store: ObjectStore) -> None:
        staged = sorted(stage(store, f"content {n}".encode()) for n in range(3))
        states = store.find_staged(*staged[:2], WRITER.staged_name("attempt"))
        assert [state.path for state in states] == staged[:2]
        assert states == [store.describe_staged(name) for name in staged[:2]]
        assert store.find_staged() == []

    def test_a_reader_who_knows_the_state_is_believed(self, store: ObjectStore) -> None:
        put(store, f"{FOLDER}/object")
        state = store.describe(f"{FOLDER}/object")
        assert state is not None
        assert b"".join(store.read(f"{FOLDER}/object", state=state)) == CONTENT
        stale = replace(state, status=ReplicaStatus.STALE)
        with pytest.raises(DamagedObject):
            list(store.read(f"{FOLDER}/object", state=stale))

    def test_list_gives_each_object_below_a_folder_once(self, store: ObjectStore) -> None:
        paths = {f"{station}/series/2026/0{month}/object" for station in ("A", "AB") for month in (1, 2, 3)}
        for path in paths:
            put(store, path)
        stage(store)
        assert sorted(state.path for state in store.list()) == sorted(paths)
        assert sorted(state.path for state in store.list("A")) == sorted(p for p in paths if p.startswith("A/"))

    def test_list_staged_gives_staged_names(self, store: ObjectStore) -> None:
        staged = sorted(stage(store) for _ in range(3))
        put(store, f"{FOLDER}/object")
        assert sorted(state.path for state in store.list_staged()) == staged

    def test_recomputing_reads_the_stored_bytes(self, store: ObjectStore) -> None:
        put(store, f"{FOLDER}/object")
        assert store.recompute_sha256(f"{FOLDER}/object") == sha256(CONTENT)

    def test_a_reader_may_stop_early_and_the_store_goes_on(self, store: ObjectStore) -> None:
        content = bytes(3 << 20)
        put(store, f"{FOLDER}/object", content)
        for _ in range(5):
            reading = store.read(f"{FOLDER}/object", 1 << 20)
            assert next(reading) == content[: 1 << 20]
            reading.close()  # type: ignore[attr-defined]
        assert store.describe(f"{FOLDER}/object") is not None

    def test_threads_work_side_by_side(self, store: ObjectStore) -> None:
        failures: list[Exception] = []

        def work(thread: int) -> None:
            try:
                for n in range(4):
                    content = f"{thread} {n}".encode()
                    put(store, f"T{thread}/s/{n}", content)
                    assert b"".join(store.read(f"T{thread}/s/{n}")) == content
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert len(list(store.list())) == 16

    def test_a_closed_store_may_be_used_again(self, store: ObjectStore) -> None:
        put(store, f"{FOLDER}/object")
        store.close()
        assert store.describe(f"{FOLDER}/object") is not None

    def test_the_address_names_the_object_and_no_credentials(self, store: ObjectStore) -> None:
        url = store.url("SE-Htm/s/object")
        assert url.endswith("/SE-Htm/s/object")
        assert "@" not in url
