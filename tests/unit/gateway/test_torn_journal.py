"""I1 at the gateway: the last pages of the journal never reached the disk. What it does not know any more it finds out again.

SQLite's log (WAL) holds what was written since it was last folded into the file; a power cut, or a disk that lies about having
written, leaves the beginning of it. SQLite takes the transactions that are whole there, so the journal is one of a moment ago.
"""

import os
from pathlib import Path

import pytest

from b2stream.programs.gateway.journal.journal import Journal, JournalFailed
from tests.unit.gateway.stands import STATION, Stand, toa5

FRAME_BYTES = 4096 + 24  # a page with its header in the log


def torn(source: Path, folder: Path, size_bytes: int) -> Path:
    """A copy of a journal whose log ends after so many bytes."""
    folder.mkdir()
    target = folder / source.name
    target.write_bytes(source.read_bytes())
    log = source.with_name(source.name + "-wal")
    target.with_name(target.name + "-wal").write_bytes(log.read_bytes()[:size_bytes])
    return target


def test_I1_a_log_that_was_cut_anywhere_is_a_journal_of_a_moment_ago_and_the_rest_is_sent_again(stand: Stand) -> None:
    contents = {f"{number}.dat": toa5(60 + number) for number in range(4)}
    for name, content in contents.items():
        stand.write(name, content)
    stand.start().step()
    whole, sent = stand.journal_path, len(stand.log.closes())
    log_bytes = whole.with_name(whole.name + "-wal").stat().st_size
    assert log_bytes > 8 * FRAME_BYTES, "there is nothing to lose"
    copies = [
        torn(whole, whole.parent / f"torn-{size_bytes}", size_bytes)
        for size_bytes in range(0, log_bytes, FRAME_BYTES * 2 + 1)
    ]
    again = 0
    for copy in copies:
        before = len(stand.log.messages)
        stand.journal_path = copy
        gateway = stand.start()
        gateway.step()
        assert gateway.all_taken()
        again += len(stand.log.messages) > before
    assert again > 1, "no cut lost anything"
    closes = stand.log.closes()
    assert {close.name for close in closes[sent:]} <= set(contents)
    sizes = {name: len(content) for name, content in contents.items()}
    assert all(close.raw_size_bytes == sizes[close.name or ""] for close in closes)
    contents_by_number = {(close.series, close.series_number, close.raw_sha256) for close in closes}
    assert len(contents_by_number) == len(contents), "a number was given to another content: a fork"


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_journal_that_lost_its_end_is_refused_and_not_touched(tmp_path: Path, kept: float) -> None:
    path = tmp_path / "journal.sqlite"
    journal = Journal(path, STATION)
    journal.close_file()  # folds the log into the file
    os.truncate(path, int(path.stat().st_size * kept))
    before = path.read_bytes()
    with pytest.raises(JournalFailed, match=path.name):
        Journal(path, STATION)
    assert path.read_bytes() == before
