"""Which events stand behind a PID: read once for many of them, and under the prefix under which a batch was announced."""

from dataclasses import replace

from b2stream.programs.audit.verify.subjects import events_of
from tests.unit.audit.test_daily import Told
from tests.unit.batches.test_history import COMMIT, REPLICA

OLD, NEW = f"21.T77777/{COMMIT.id24}", f"21.T99999/{COMMIT.id24}"
FIRST = replace(COMMIT, pid=OLD)
LATER = replace(COMMIT, pid=NEW, batch="d" * 64)


def test_the_first_batch_that_was_announced_under_a_pid_stands_behind_it() -> None:
    log = Told([FIRST, LATER, replace(LATER, batch="e" * 64)], [])
    assert events_of([OLD, NEW, "21.T99999/other"], log) == {OLD: (FIRST, None), NEW: (LATER, None)}


def test_a_copy_s_pid_names_the_first_batch_with_its_content_and_the_latest_copy() -> None:
    copy = f"21.T88888/{COMMIT.id24}"
    copies = [replace(REPLICA, commit=FIRST), replace(REPLICA, commit=FIRST, url="irods://fzj/again")]
    assert events_of([copy], Told([FIRST, LATER], copies)) == {copy: (FIRST, copies[1])}


def test_letter_case_does_not_count() -> None:
    assert set(events_of([NEW.upper()], Told([FIRST], []))) == {NEW.upper()}
