"""Attributes of a data object: their spelling, what each says, and that they are set and not piled up."""

from dataclasses import replace
from pathlib import Path

import pytest

from b2stream.archive.attributes import Attributes
from b2stream.contracts.records import BatchReplicated
from b2stream.errors import ConfigurationError
from b2stream.formats.registry import known_formats
from b2stream.handles.describing import CHECKSUM_DATE, FAIL, SUCCESS, Describing, checksum_dates, fixity
from b2stream.handles.kinds import Kind, read_kinds
from b2stream.handles.records import Prefixes
from tests.unit.handles.events import commit, replicated
from tests.unit.registrar.stand import FIRST_PREFIX, Stand

COMMIT = commit()
REPLICA = replicated(COMMIT)
PID = f"21.T1/{COMMIT.id24}"
OF_THE_BATCH = {
    "ICOS/station": "SE-Htm",
    "ICOS/series": "EC_L99_F01",
    "ICOS/theme": "ecosystem",
    "ICOS/dataLevel": "0",
    "ICOS/objectSpecification": "etcEddyFluxRawSeriesCsv",
    "ICOS/format": "etc-eddy-covariance",
    "ICOS/fileName": "day.csv",
    "ICOS/acquisitionStart": "2024-03-01T10:15:00.000000Z",
    "ICOS/acquisitionStop": "2024-03-01T10:44:59.950000Z",
    "ICOS/sha256": COMMIT.sha256,
    "ICOS/rows": "36000",
    "ICOS/manifest": COMMIT.manifest_path,
}


def describing(prefixes: Prefixes) -> Describing:
    return Describing("icos", prefixes, read_kinds())


def test_a_commit_event_describes_the_object_at_the_first_centre_and_says_nothing_of_a_replica() -> None:
    assert describing(Prefixes("21.T1")).at_first(COMMIT) == {
        "PID": PID,
        "EUDAT/ROR": PID,
        "EUDAT/FIO": PID,
        "EUDAT/FIXED_CONTENT": "True",
        **OF_THE_BATCH,
    }


@pytest.mark.parametrize(("second", "named"), [("", REPLICA.url), ("21.T2", f"21.T2/{COMMIT.id24}")])
def test_a_replica_event_adds_where_the_copy_is(second: str, named: str) -> None:
    made = describing(Prefixes("21.T1", second, "11676"))
    told = made.at_first(COMMIT, REPLICA)
    assert told == made.at_first(COMMIT) | {"EUDAT/REPLICA": named}
    assert told["EUDAT/ROR"] == f"11676/{COMMIT.id24}"


@pytest.mark.parametrize(("second", "own"), [("", {}), ("21.T2", {"PID": f"21.T2/{COMMIT.id24}"})])
def test_the_copy_names_its_parent_and_its_own_pid_where_it_has_one(second: str, own: dict[str, str]) -> None:
    assert describing(Prefixes("21.T1", second)).at_second(REPLICA) == {
        **own,
        "EUDAT/ROR": PID,
        "EUDAT/FIO": PID,
        "EUDAT/PARENT": PID,
        "EUDAT/FIXED_CONTENT": "True",
        **OF_THE_BATCH,
    }


def test_what_nobody_knows_is_left_out() -> None:
    bare = replace(COMMIT, input_format="somebody-elses", name=None, start_us=None, stop_us=None)
    told = Describing("lter", Prefixes("21.T1"), read_kinds()).at_first(bare)
    assert {name for name in told if name.startswith("LTER/")} == {
        "LTER/station",
        "LTER/series",
        "LTER/format",
        "LTER/sha256",
        "LTER/rows",
        "LTER/manifest",
    }


def test_the_stations_description_in_the_event_goes_before_the_input_format() -> None:
    made = describing(Prefixes("21.T1"))
    told = made.at_first(replace(COMMIT, theme="ocean", data_level=2))
    assert (told["ICOS/theme"], told["ICOS/dataLevel"]) == ("ocean", "2")
    assert told["ICOS/objectSpecification"] == "etcEddyFluxRawSeriesCsv", "what no description says stays the format's"
    assert made.at_second(replicated(replace(COMMIT, theme="ocean", data_level=2)))["ICOS/theme"] == "ocean"


@pytest.mark.parametrize(
    ("theme", "level", "expected"),
    [("ocean", None, ("ocean", "0")), (None, 3, ("ecosystem", "3")), ("", 0, ("ecosystem", "0"))],
)
def test_what_the_description_does_not_say_the_format_says(
    theme: str | None, level: int | None, expected: tuple[str, str]
) -> None:
    told = describing(Prefixes("21.T1")).at_first(replace(COMMIT, theme=theme, data_level=level))
    assert (told["ICOS/theme"], told["ICOS/dataLevel"]) == expected


def test_a_level_of_zero_is_said_for_a_format_that_nobody_knows() -> None:
    told = describing(Prefixes("21.T1")).at_first(replace(COMMIT, input_format="opaque", theme="ocean", data_level=0))
    assert (told["ICOS/theme"], told["ICOS/dataLevel"]) == ("ocean", "0")


def test_a_batch_that_is_announced_again_under_another_description_has_that_ones_theme_and_one_value(
    stand: Stand,
) -> None:
    event = stand.batch(1)
    for theme in ("ecosystem", "ocean"):
        commit = replace(event.commit, theme=theme, data_level=1)
        told = replace(event, commit=commit)
        stand.commit(told)
        stand.replicas.append_replica(told)
        stand.drain()
    for store in (stand.first, stand.second):
        assert store.attributes(event.commit.path).values["TEST/theme"] == ("ocean",)


def test_the_date_of_a_checksum_is_eleven_digits_per_resource_and_never_goes_back() -> None:
    name, told = "eudat_dpm_checksum_date:demoResc", "01709289901"
    at_us = COMMIT.committed_at_us
    assert checksum_dates(["demoResc"], at_us, Attributes()) == {name: told}
    for earlier in ("01709289900", "00000000001"):
        assert checksum_dates(["demoResc"], at_us, Attributes({name: (earlier,)})) == {name: told}
    for kept in (told, "01709999999"):
        assert checksum_dates(["demoResc"], at_us, Attributes({name: (kept,)})) == {}


def test_a_check_that_failed_is_told_and_a_success_only_after_one_that_failed() -> None:
    failed = {"ICOS/fixity": "fail 1970-01-01T00:00:07.000000Z"}
    assert fixity("icos", FAIL, 7_000_000, Attributes()) == failed
    assert fixity("icos", SUCCESS, 8_000_000, Attributes()) == {}
    present = Attributes({name: (value,) for name, value in failed.items()})
    assert fixity("icos", SUCCESS, 8_000_000, present) == {"ICOS/fixity": "success 1970-01-01T00:00:08.000000Z"}


def test_only_a_check_that_failed_is_a_failed_one() -> None:
    ours = describing(Prefixes("21.T1"))
    said = "fail 1970-01-01T00:00:07.000000Z"
    assert ours.failed_check(Attributes({"ICOS/fixity": (said,)})) == said
    others: list[dict[str, tuple[str, ...]]] = [
        {},
        {"ICOS/fixity": ("success 1970-01-01T00:00:07.000000Z",)},
        {"OTHER/fixity": (said,)},
    ]
    for values in others:
        assert ours.failed_check(Attributes(values)) is None


def test_attributes_are_set_at_both_centres_and_a_repeat_sets_nothing(stand: Stand) -> None:
    event = stand.batch(1)
    stand.commit(event)
    stand.replicas.append_replica(event)
    stand.drain()
    pid = f"{FIRST_PREFIX}/{event.commit.id24}"
    first, second = (store.attributes(event.commit.path).values for store in (stand.first, stand.second))
    assert first["PID"] == first["EUDAT/FIO"] == second["EUDAT/PARENT"] == second["EUDAT/FIO"] == (pid,)
    assert first["EUDAT/REPLICA"] == (event.url,)
    assert first["eudat_dpm_checksum_date:csc"] == (f"{event.commit.committed_at_us // 1_000_000:011d}",)
    assert second["eudat_dpm_checksum_date:fzj"] == (f"{event.replicated_at_us // 1_000_000:011d}",)
    before = [call for call, _ in stand.first.calls + stand.second.calls].count("set_attributes")
    stand.commit(event)
    stand.replicas.append_replica(event)
    stand.drain()
    assert [call for call, _ in stand.first.calls + stand.second.calls].count("set_attributes") == before
    assert (stand.first.attributes(event.commit.path).values, stand.second.attributes(event.commit.path).values) == (
        first,
        second,
    )


def test_a_later_check_is_not_set_back_by_an_event_that_is_read_again(stand: Stand) -> None:
    event = stand.batch(1)
    scrubbed = {"eudat_dpm_checksum_date:csc": "09999999999"}
    stand.first.set_attributes(event.commit.path, scrubbed)
    stand.commit(event)
    stand.drain()
    assert stand.first.attributes(event.commit.path).values["eudat_dpm_checksum_date:csc"] == ("09999999999",)


def dates(stand: Stand, event: BatchReplicated) -> list[str]:
    """The date of the checksum at the first and the second centre."""
    stores = (stand.first, stand.second)
    values = [store.attributes(event.commit.path).values[f"{CHECKSUM_DATE}{store.centre}"] for store in stores]
    return [one for (one,) in values]


def digits(at_us: int) -> str:
    return f"{at_us // 1_000_000:011d}"


def tell(stand: Stand, event: BatchReplicated) -> None:
    stand.commit(event)
    stand.replicas.append_replica(event)
    stand.drain()


def announced_again(event: BatchReplicated, by: str) -> BatchReplicated:
    """As after the log was lost: both events are years younger than the bytes."""
    later_us = event.commit.committed_at_us + 10**14
    commit = replace(event.commit, software=f"{by} 0.1.0 (abc)", committed_at_us=later_us)
    return replace(event, commit=commit, replicated_at_us=later_us + 1_000_000)


@pytest.mark.parametrize("by", ["b2stream-reannounce", "b2stream-repair"])
def test_what_is_announced_again_dates_no_checksum_as_if_its_bytes_had_been_read(stand: Stand, by: str) -> None:
    event = stand.batch(1)
    tell(stand, announced_again(event, by))
    assert dates(stand, event) == [digits(event.commit.closed_at_us)] * 2


def test_what_is_announced_again_leaves_the_dates_of_the_first_events(stand: Stand) -> None:
    event = stand.batch(1)
    tell(stand, event)
    before = dates(stand, event)
    assert before == [digits(event.commit.committed_at_us), digits(event.replicated_at_us)]
    tell(stand, announced_again(event, "b2stream-reannounce"))
    assert dates(stand, event) == before


def test_an_event_about_what_is_in_place_already_leaves_the_dates(stand: Stand) -> None:
    event = stand.batch(1)
    tell(stand, event)
    before = dates(stand, event)
    again = replace(event.commit, committed_at_us=event.commit.committed_at_us + 10**14)
    tell(stand, replace(event, commit=again, replicated_at_us=event.replicated_at_us + 10**14))
    assert dates(stand, event) == before, "a duplicate is announced without reading it"


def test_every_format_of_b2stream_has_a_kind_and_no_other_has() -> None:
    assert set(read_kinds()) == {each.name for each in known_formats()}


def test_a_file_of_ones_own_replaces_the_kinds(tmp_path: Path) -> None:
    file = tmp_path / "kinds.toml"
    file.write_text('[my-format]\ntheme = "soil"\ndata_level = 2\n')
    assert read_kinds(str(file)) == {"my-format": Kind("soil", 2)}


@pytest.mark.parametrize("text", ["theme", "[a]\nlevel = 1", "[a]\ndata_level = true", "[a]\ntheme = 3", "a = 3"])
def test_a_file_that_says_no_kinds_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "kinds.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"registrar\.kinds_file .*kinds\.toml"):
        read_kinds(str(file))
    with pytest.raises(ConfigurationError, match=r"kinds_file .*nowhere"):
        read_kinds("/nowhere")
