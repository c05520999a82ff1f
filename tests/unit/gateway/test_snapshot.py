"""What is read of a file is of one moment."""

import os
from pathlib import Path

import pytest

from b2stream.batches.identity import sha256_hex
from b2stream.programs.gateway.snapshot import FileChanged, FileUnreadable, take
from b2stream.programs.gateway.watch import Seen, Signature

CONTENT = bytes(range(256)) * 40


def seen(path: Path) -> Seen:
    return Seen(path.name, path, Signature.of(path.stat()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "a.bin"
    file.write_bytes(CONTENT)
    return file


@pytest.mark.parametrize("limit_bytes", [1 << 20, 100])
def test_small_and_large_files_give_the_same_digest_and_pieces(path: Path, limit_bytes: int) -> None:
    snapshot = take(seen(path), limit_bytes)
    assert (snapshot.content is None) == (limit_bytes == 100)
    assert snapshot.raw_sha256 == sha256_hex(CONTENT)
    ends = [1, 1, 5000, len(CONTENT)]
    pieces = [bytes(piece) for piece in snapshot.pieces(ends)]
    assert [len(piece) for piece in pieces] == [1, 0, 4999, len(CONTENT) - 5000]
    assert b"".join(pieces) == CONTENT


def test_a_small_file_keeps_its_content_whatever_happens_on_disk(path: Path) -> None:
    snapshot = take(seen(path))
    path.write_bytes(b"other")
    assert b"".join(snapshot.pieces([len(CONTENT)])) == CONTENT


def test_a_file_that_is_not_as_the_folder_saw_it_is_not_taken(path: Path) -> None:
    before = seen(path)
    path.write_bytes(CONTENT + b"more")
    with pytest.raises(FileChanged):
        take(before)


def test_a_file_replaced_by_another_is_not_taken(path: Path) -> None:
    before = seen(path)
    other = path.with_name("other")
    other.write_bytes(CONTENT)
    os.utime(other, ns=(before.signature.modified_ns, before.signature.modified_ns))
    other.rename(path)
    with pytest.raises(FileChanged):
        take(before)


def test_a_file_that_is_gone_has_changed(path: Path) -> None:
    before = seen(path)
    path.unlink()
    with pytest.raises(FileChanged, match="gone"):
        take(before)


def test_a_large_file_that_became_shorter_is_noticed(path: Path) -> None:
    snapshot = take(seen(path), 100)
    path.write_bytes(CONTENT[:500])
    with pytest.raises(FileChanged, match="shorter"):
        list(snapshot.pieces([400, 800]))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_says_so(path: Path) -> None:
    path.chmod(0)
    with pytest.raises(FileUnreadable, match=r"a\.bin"):
        take(seen(path))
