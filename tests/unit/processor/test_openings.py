"""Which station has most open attempts, and which of them was heard of longest ago: against a plain list."""

from hypothesis import given
from hypothesis import strategies as st

from b2stream.programs.processor.openings import Key, Openings

STATIONS = ("SE-Htm", "HTM", "26NA")
steps = st.lists(st.tuples(st.booleans(), st.sampled_from(STATIONS), st.sampled_from("abcd")), max_size=60)


@given(steps=steps)
def test_it_is_the_oldest_of_the_loudest_station_after_any_steps(steps: list[tuple[bool, str, str]]) -> None:
    openings, heard = Openings(), list[Key]()
    for is_block, station, attempt in steps:
        key = station, attempt
        others = [each for each in heard if each != key]
        if is_block:
            openings.heard(station, attempt)
            heard = [*others, key]
        else:
            openings.ended(station, attempt)
            heard = others
        assert len(openings) == len(heard)
        assert openings.of(station) == sum(each[0] == station for each in heard)
        found = openings.longest_ago(frozenset())
        assert (found is None) == (not heard)
        if found is not None:
            most = max(openings.of(each) for each in STATIONS)
            assert openings.of(found[0]) == most
            assert found == next(each for each in heard if each[0] == found[0])


@given(blocks=st.lists(st.tuples(st.sampled_from(STATIONS), st.sampled_from("abcd")), max_size=40))
def test_what_is_spared_is_passed_over_station_by_station(blocks: list[Key]) -> None:
    openings, heard = Openings(), list[Key]()
    for key in blocks:
        openings.heard(*key)
        heard = [*(each for each in heard if each != key), key]
    spared = set[Key]()
    while (found := openings.longest_ago(spared)) is not None:
        count = openings.of(found[0])
        assert all(openings.of(station) <= count or (station, attempt) in spared for station, attempt in heard)
        spared.add(found)
    assert spared == set(heard)


def test_of_stations_with_equally_many_it_is_the_one_heard_of_longest_ago() -> None:
    openings = Openings()
    for station in STATIONS:
        openings.heard(station, "a")
    openings.heard(STATIONS[0], "a")
    assert openings.longest_ago(()) == (STATIONS[1], "a")


def test_ending_what_is_not_open_changes_nothing() -> None:
    openings = Openings()
    openings.heard("HTM", "a")
    openings.ended("HTM", "b")
    openings.ended("26NA", "a")
    assert (len(openings), openings.of("HTM"), openings.longest_ago(())) == (1, 1, ("HTM", "a"))
