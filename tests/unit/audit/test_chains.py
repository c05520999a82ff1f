"""The chain of a series: gaps, forks, broken links, and until when it is whole at each centre."""

from typing import Any

from b2stream.contracts.canonical import iso_utc
from b2stream.programs.audit.gathering.index import Index
from b2stream.programs.audit.judging.chains import Series, follow_chains
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


def test_I12_numbers_whose_closes_were_lost_with_the_log_and_sent_again_are_no_gap() -> None:
    index = whole_archive(6)
    for table in ("manifest", "committed"):
        index.run(f"DELETE FROM {table} WHERE number IN (2, 3)")
    lost = [{"attempt": digest("lost", number)[:32], "station": STATION, "series": SERIES} for number in (2, 3)]
    index.put("superseded", lost[:1])
    assert len(only(index).findings) == 1, "one attempt explains one number"
    index.put("superseded", lost)
    assert only(index).findings == []
    index.put("letter", [{"id": "1", "attempt": lost[0]["attempt"], "batch": "", "station": STATION}])
    assert len(only(index).findings) == 1, "an attempt with a letter has its own number there"


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
