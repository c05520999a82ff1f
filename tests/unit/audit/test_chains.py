"""The chain of a series: gaps, forks, broken links, and until when it is whole at each centre."""

from typing import Any

from b2stream.contracts.canonical import iso_utc
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.judging.chains import Series, follow_chains
from b2stream.programs.audit.judging.findings import Kind
from tests.unit.audit.facts import CENTRES, SERIES, STATION, add_batch, digest, path_of, whole_archive

PATH = f"{STATION}/{SERIES}"


def only(index: Index) -> Series:
    index.derive()
    (series,) = follow_chains(index, list(CENTRES))
    return series


def link(number: int, source: str, **facts: Any) -> dict[str, Any]:
    made = {"digest": digest("close", SERIES, number, ""), "previous": digest("close", SERIES, number - 1, "")}
    named = {"station": STATION, "series": SERIES, "number": number, "batch": digest("other"), "stop_us": None}
    return {**named, **made, "source": source, **facts}


def test_I2_a_whole_chain_is_whole_to_its_end_at_both_centres() -> None:
    series = only(whole_archive(5))
    assert (series.findings, series.forks, series.batches) == ([], [], 5)
    assert series.whole_until == dict.fromkeys(CENTRES, iso_utc(5_000_000))
    assert series.whole_batches == dict.fromkeys(CENTRES, 5)


def test_I2_a_number_that_nothing_fills_is_a_gap() -> None:
    index = whole_archive(6)
    for table in ("manifest", "committed"):
        index.run(f"DELETE FROM {table} WHERE number IN (2, 3)")
    series = only(index)
    assert [(finding.kind.value, finding.path) for finding in series.findings] == [("gap", f"{PATH}#2")]
    assert "numbers 2 to 3" in series.findings[0].detail
    assert series.whole_until == dict.fromkeys(CENTRES, iso_utc(2_000_000))


OLD, NEW = "topic before the log was lost", "topic since"


def lost_with_the_log() -> Index:
    """Numbers 0 to 7; the closes 2 and 3 were lost with the old topic, and 4 to 7 came to the new one."""
    index = whole_archive(8)
    for table in ("manifest", "committed"):
        index.run(f"DELETE FROM {table} WHERE number IN (2, 3)")
        index.run(f"UPDATE {table} SET topic_id = iif(number < 4, :old, :new)", old=OLD, new=NEW)
    return index


def sent_again(index: Index, attempt: int, by_number: int, by_topic: str = NEW) -> str:
    """An attempt of which nothing is left but that this close, which is archived, supersedes it; its name."""
    name = digest("lost", attempt)[:32]
    by = {"by_number": by_number, "by_topic": by_topic, "by_partition": 0}
    index.put("superseded", [{"attempt": name, "station": STATION, "series": SERIES, **by}])
    return name


def gaps(index: Index) -> list[str]:
    return [finding.path for finding in only(index).findings if finding.kind is Kind.GAP]


def test_I12_numbers_whose_closes_were_lost_with_the_log_and_sent_again_are_no_gap() -> None:
    index = lost_with_the_log()
    sent_again(index, 2, by_number=4)
    assert gaps(index) == [f"{PATH}#2"], "one attempt explains one number"
    sent_again(index, 3, by_number=5)
    assert only(index).findings == []


def test_I2_a_count_of_superseded_attempts_excuses_no_gap_within_one_log() -> None:
    index = whole_archive(8)
    for table in ("manifest", "committed"):
        index.run(f"DELETE FROM {table} WHERE number IN (2, 3)")
        index.run(f"UPDATE {table} SET topic_id = :new", new=NEW)
    for attempt in range(5):  # as a gateway that was killed in mid file leaves them: they had no number
        sent_again(index, attempt, by_number=6)
    assert gaps(index) == [f"{PATH}#2"]
    assert "numbers 2 to 3" in only(index).findings[0].detail


def test_I2_a_close_excuses_no_number_after_its_own() -> None:
    index = lost_with_the_log()
    index.run("DELETE FROM manifest WHERE number = 6")
    index.run("DELETE FROM committed WHERE number = 6")
    index.run("UPDATE manifest SET topic_id = :old WHERE number = 5", old=OLD)
    index.run("UPDATE committed SET topic_id = :old WHERE number = 5", old=OLD)
    for attempt in range(9):
        sent_again(index, attempt, by_number=5)
    assert gaps(index) == [f"{PATH}#6"]


def test_I2_an_attempt_counts_once_however_many_gaps_there_are() -> None:
    index = lost_with_the_log()
    for table in ("manifest", "committed"):
        index.run(f"DELETE FROM {table} WHERE number = 6")
        index.run(f"UPDATE {table} SET topic_id = :old WHERE number = 5", old=OLD)
    for attempt, by_number in enumerate((7, 4, 5)):
        sent_again(index, attempt, by_number)
    assert gaps(index) == [], "4 and 5 tell of the earlier gap, 7 of the later one"
    index.run("DELETE FROM superseded WHERE by_number = 4")
    assert gaps(index) == [f"{PATH}#6"], "two are needed for the first gap"


def test_I2_an_attempt_that_left_a_trace_had_its_own_number_there() -> None:
    traces: list[tuple[str, dict[str, Any]]] = [
        ("letter", {"id": "1", "batch": ""}),
        ("close", {"topic_id": NEW, "partition": 0, "offset": 9}),
        ("link", link(0, "repeat", digest=digest("repeat"), previous=None)),
    ]
    for table, row in traces:
        index = lost_with_the_log()
        names = [sent_again(index, attempt, by_number=5) for attempt in (2, 3)]
        assert gaps(index) == []
        index.put(table, [{"station": STATION, "attempt": names[0], **row}])
        assert gaps(index) == [f"{PATH}#2"], table


def test_I12_a_part_of_the_log_that_nobody_read_and_somebody_recorded_is_a_loss_as_well() -> None:
    index = lost_with_the_log()
    for table in ("manifest", "committed"):
        index.run(f"UPDATE {table} SET topic_id = :new", new=NEW)
    for attempt in (2, 3):
        sent_again(index, attempt, by_number=5)
    assert gaps(index) == [f"{PATH}#2"]
    index.put("skipped", [{"topic_id": NEW, "partition": 1}, {"topic_id": OLD, "partition": 0}])
    assert gaps(index) == [f"{PATH}#2"], "another partition, another topic"
    index.put("skipped", [{"topic_id": NEW, "partition": 0}])
    assert gaps(index) == []


def test_I12_a_series_whose_first_closes_were_lost_begins_at_what_was_sent_again() -> None:
    index = Index()
    add_batch(index, 1, previous=digest("lost"), topic_id=NEW)
    assert gaps(index) == [f"{PATH}#0"]
    sent_again(index, 0, by_number=1)
    assert gaps(index) == []


def refused_for_its_key(*numbers: int) -> Index:
    """Numbers 0 to 7, of which the processors refused some because no key of the station's held: letters have their closes."""
    index = whole_archive(8)
    for number in numbers:
        for table in ("manifest", "committed"):
            index.run(f"DELETE FROM {table} WHERE number = :number", number=number)
        index.put("claimed", [link(number, "letter")])
    return index


def test_I2_closes_that_were_refused_for_their_key_fill_their_numbers_where_the_next_close_names_them() -> None:
    series = only(refused_for_its_key(2, 3, 4))
    assert (series.findings, series.forks) == ([], [])


def test_I9_a_close_that_no_other_names_fills_no_number_and_makes_no_gap() -> None:
    index = refused_for_its_key(2, 3, 4)
    index.run("DELETE FROM claimed WHERE number = 3")
    index.put("claimed", [link(3, "letter", digest=digest("forged")), link(99, "letter")])
    assert gaps(index) == [f"{PATH}#2"], "4 is named by 5; 2 is named by nobody who is believed"
    assert "numbers 2 to 3" in only(index).findings[0].detail


def test_I9_a_manifest_whose_signature_does_not_hold_proves_no_close_before_it() -> None:
    index = refused_for_its_key(2)
    index.run("UPDATE manifest SET forged = 'signed by nobody' WHERE number = 3")
    assert gaps(index) == [f"{PATH}#2"]


def test_I9_a_forged_close_beside_a_genuine_one_is_no_fork() -> None:
    index = whole_archive(4)
    index.put("claimed", [link(2, "letter", digest=digest("forged"), previous=None)])
    series = only(index)
    assert (series.findings, series.forks) == ([], [])


def test_I2_a_letter_a_repeat_or_a_close_in_the_log_fills_a_number() -> None:
    for source in ("letter", "repeat", "close"):
        index = whole_archive(4)
        for table in ("manifest", "committed"):
            index.run(f"DELETE FROM {table} WHERE number = 2")
        index.put("link", [link(2, source)])
        assert only(index).findings == []


def test_I2_a_commit_event_fills_the_number_of_a_batch_whose_manifest_is_gone() -> None:
    index = whole_archive(4)
    index.run("DELETE FROM manifest WHERE number = 2")
    index.run("DELETE FROM object WHERE path LIKE :path", path=path_of(2) + "%")
    series = only(index)
    assert series.findings == []
    assert series.whole_until == dict.fromkeys(CENTRES, iso_utc(2_000_000))


def test_I2_a_close_that_names_another_one_before_it_breaks_the_chain() -> None:
    index = whole_archive(3)
    add_batch(index, 3, previous=digest("something else"))
    (finding,) = only(index).findings
    assert (finding.kind.value, finding.path) == ("broken chain", PATH)
    assert "number 3" in finding.detail


def test_a_first_close_that_names_one_before_it_breaks_the_chain() -> None:
    index = Index()
    add_batch(index, 0, previous=digest("something"))
    assert [finding.kind.value for finding in only(index).findings] == ["broken chain"]


def test_a_journal_that_was_lost_is_a_fork_and_no_finding() -> None:
    index = whole_archive(3)
    add_batch(index, 0, version="-again", previous=None)
    add_batch(index, 1, version="-again", previous=digest("close", SERIES, 0, "-again"))
    series = only(index)
    assert series.findings == []
    assert series.forks == [0, 1]
    assert series.batches == 5


def test_a_copy_that_is_damaged_ends_what_is_whole_at_that_centre_alone() -> None:
    index = whole_archive(5)
    index.run("UPDATE object SET recomputed_sha256 = 'other' WHERE centre = 'fzj' AND path = :path", path=path_of(3))
    series = only(index)
    assert series.whole_batches == {"csc": 5, "fzj": 3}
    assert series.whole_until == {"csc": iso_utc(5_000_000), "fzj": iso_utc(3_000_000)}


def test_each_series_is_judged_alone() -> None:
    index = whole_archive(2)
    add_batch(index, 0, series="met")
    index.derive()
    assert [(each.name, each.batches) for each in follow_chains(index, list(CENTRES))] == [("EC", 2), ("met", 1)]
