"""Which events stand behind a PID: read once for many of them, and under the prefix under which a batch was announced."""

from dataclasses import replace

from b2stream.programs.audit.verify.subjects import events_of, subject_of
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


def test_of_a_batch_that_was_announced_twice_the_earliest_event_decides_and_the_newest_is_known() -> None:
    again = replace(COMMIT, theme="ocean", url="irods://csc-new/f.csv")
    copies = [replace(REPLICA, commit=COMMIT), replace(REPLICA, commit=again)]
    found = subject_of(COMMIT, COMMIT.pid, Told([COMMIT, again, replace(LATER, id24="y" * 24)], copies))
    assert (found.event, found.newest, found.replica) == (COMMIT, again, copies[1])
    assert found.places == {COMMIT.url, again.url}


def test_another_batch_of_the_same_content_is_a_further_place_and_no_newer_event() -> None:
    other = replace(COMMIT, batch="d" * 64, url="irods://csc/other.csv")
    found = subject_of(COMMIT, None, Told([COMMIT, other], [replace(REPLICA, commit=other)]))
    assert (found.newest, found.replica) == (COMMIT, None)
    assert found.places == {COMMIT.url, other.url}


def test_letter_case_does_not_count() -> None:
    assert set(events_of([NEW.upper()], Told([FIRST], []))) == {NEW.upper()}
