"""Summaries against an independent computation with exact fractions, and the same bytes however the rows were cut."""

import itertools
import math
import tracemalloc
from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from b2stream.batches.summary import CHUNK_READINGS, CHUNK_ROWS, MOST_STATISTICS, Summary, SummaryBuilder
from b2stream.contracts.blocks import Block, Label, Variable
from b2stream.contracts.canonical import canonical_json, iso_utc
from tests.unit.batches.samples import START_US, cut, table

HALF_HOUR_S = 1_800


def summarised(parts: list[Block], window_s: int = HALF_HOUR_S) -> Summary:
    builder = SummaryBuilder(window_s)
    for part in parts:
        builder.take(part)
    return builder.summary()


def columns(
    offsets_s: list[float], start_us: int = START_US, labels: tuple[Label, ...] = (), **values: list[float]
) -> Block:
    variables = tuple(Variable(name, "unit", np.array(each, dtype=np.float64)) for name, each in values.items())
    return Block("HTM", "s", start_us, np.array(offsets_s, dtype=np.float64), variables, labels, None)


def exact(
    instants_us: list[int], values: list[float], window_s: int
) -> dict[int, tuple[int, float, float | None, float, float]]:
    """(count, mean, sd, min, max) by start of window, with fractions: no rounding before the end."""
    windows: dict[int, list[float]] = defaultdict(list)
    for instant_us, value in zip(instants_us, values, strict=True):
        if math.isfinite(value):
            windows[instant_us // (window_s * 1_000_000) * window_s * 1_000_000].append(value)
    found = {}
    for start, readings in windows.items():
        mean = sum(map(Fraction, readings)) / len(readings)
        squares = sum((Fraction(each) - mean) ** 2 for each in readings)
        sd = math.sqrt(squares / (len(readings) - 1)) if len(readings) > 1 else None
        found[start] = (len(readings), float(mean), sd, min(readings), max(readings))
    return found


def near(found: float | None, expected: float | None, scale: float) -> bool:
    if found is None or expected is None:
        return found is expected
    return math.isclose(found, expected, rel_tol=1e-8, abs_tol=scale * 1e-9)


readings = st.floats(-1e6, 1e6) | st.just(math.nan) | st.just(math.inf) | st.just(-math.inf)


@given(st.lists(st.tuples(st.integers(-7_200, 7_200), readings), max_size=60), st.sampled_from([60, 600, 1_800, 3_600]))
def test_count_mean_deviation_and_extremes_are_those_of_the_readings_that_are_numbers(
    rows: list[tuple[int, float]], window_s: int
) -> None:
    offsets_s, values = [float(each) for each, _ in rows], [value for _, value in rows]
    windows = summarised([columns(offsets_s, CO2=values)], window_s).windows
    instants_us = [START_US + round(each * 1e6) for each in offsets_s]
    expected = exact(instants_us, values, window_s)
    starts = sorted({each // (window_s * 1_000_000) * window_s * 1_000_000 for each in instants_us})
    assert [window["start"] for window in windows] == starts
    for window in windows:
        (found,) = window["variables"]
        count, mean, sd, least, most = expected.get(window["start"], (0, None, None, None, None))
        assert found["count"] == count
        scale = max(abs(least), abs(most), 1e-300) if least is not None and most is not None else 1.0
        assert near(found["mean"], mean, scale)
        assert near(found["sd"], sd, scale)
        assert near(found["min"], least, 0)
        assert near(found["max"], most, 0)
    assert sum(window["rows"] for window in windows) == len(rows)


@given(st.lists(st.integers(0, 40), max_size=6), st.integers(0, 1_000))
def test_cuts_change_nothing(borders: list[int], seed: int) -> None:
    whole = replace(table(40, seed), offsets_s=np.arange(40, dtype=np.float64) * 180)
    assert summarised(cut(whole, borders)) == summarised([whole])


@pytest.mark.parametrize("size", [1_000, CHUNK_ROWS - 1, CHUNK_ROWS, CHUNK_ROWS + 1, 100_000])
def test_cuts_change_nothing_across_the_borders_of_chunks(size: int) -> None:
    rows = 2 * CHUNK_ROWS + 777
    random = np.random.default_rng(7)
    whole = columns([], CO2=[], T=[])
    whole = replace(
        whole,
        offsets_s=np.arange(rows, dtype=np.float64) * 0.05,
        variables=tuple(replace(each, values=400 + random.normal(0, 1e3, rows)) for each in whole.variables),
    )
    expected = canonical_json(summarised([whole]).to_json(iso_utc))
    assert canonical_json(summarised(cut(whole, range(size, rows, size))).to_json(iso_utc)) == expected


def test_a_row_belongs_to_the_window_of_its_instant_and_windows_are_aligned_to_utc() -> None:
    start_us = START_US // 1_800_000_000 * 1_800_000_000
    found = summarised([columns([1_799.999999, 1_800.0, -0.000001], start_us=start_us, CO2=[1, 2, 3])]).windows
    assert [(window["start"] - start_us) // 1_000_000 for window in found] == [-1_800, 0, 1_800]
    assert [window["variables"][0]["mean"] for window in found] == [3, 1, 2]


def test_windows_before_1970_are_aligned_too() -> None:
    (window,) = summarised([columns([0], start_us=-1, CO2=[1])]).windows
    assert window["start"] == -1_800_000_000


def test_readings_flagged_bad_do_not_count() -> None:
    flags = Label("CO2 QC Flag", ["2", "4", "4", "2"], judges=("CO2",), bad=("4",))
    others = Label("either", ["", "", "", "x"], judges=("CO2", "absent"), bad=("x", "y"))
    (window,) = summarised(
        [columns([0, 1, 2, 3], CO2=[10, 1e9, math.nan, 20], T=[1, 2, 3, 4], labels=(flags, others))]
    ).windows
    co2, temperature = window["variables"]
    assert (co2["count"], co2["mean"], co2["sd"], co2["min"], co2["max"]) == (1, 10, None, 10, 10)
    assert (temperature["count"], temperature["mean"]) == (4, 2.5)
    assert window["rows"] == 4


def test_a_flag_that_differs_by_an_invisible_character_is_another_flag() -> None:
    flags = Label("flag", ["4", "4\0", " 4"], judges=("CO2",), bad=("4",))
    (window,) = summarised([columns([0, 1, 2], CO2=[1, 2, 3], labels=(flags,))]).windows
    assert window["variables"][0]["count"] == 2


def test_columns_of_equal_name_and_unit_stay_apart() -> None:
    block = columns([0, 1], CO2=[1, 3])
    twice = replace(block, variables=(*block.variables, replace(block.variables[0], values=np.array([10.0, 30.0]))))
    (window,) = summarised([twice]).windows
    assert [(each["name"], each["mean"]) for each in window["variables"]] == [("CO2", 2), ("CO2", 20)]


def test_blocks_with_other_columns_add_theirs_to_the_window() -> None:
    (window,) = summarised([columns([0], CO2=[1]), columns([1], H2O=[5]), columns([2], CO2=[3])]).windows
    assert [(each["name"], each["count"], each["mean"]) for each in window["variables"]] == [
        ("CO2", 2, 2),
        ("H2O", 1, 5),
    ]
    assert window["rows"] == 3


def test_rows_without_numbers_are_counted() -> None:
    (window,) = summarised([columns([0, 1]), columns([]), columns([2])]).windows
    assert (window["rows"], window["variables"]) == (3, [])
    assert summarised([]).windows == []


def test_nothing_but_missing_values_has_no_statistics() -> None:
    (window,) = summarised([columns([0, 1], CO2=[math.nan, math.inf])]).windows
    assert window["variables"] == [
        {"name": "CO2", "unit": "unit", "count": 0, "mean": None, "sd": None, "min": None, "max": None}
    ]


def test_values_whose_sum_leaves_the_range_of_a_double_have_extremes_and_no_mean() -> None:
    (window,) = summarised([columns([0, 1, 2], CO2=[1.5e308, 1.5e308, -1e308])]).windows
    (found,) = window["variables"]
    assert (found["count"], found["mean"], found["sd"]) == (3, None, None)
    assert (found["min"], found["max"]) == (-1e308, 1.5e308)
    canonical_json(summarised([columns([0, 1], CO2=[1.7e308, 1.7e308])]).to_json(iso_utc))


def test_the_deviation_of_values_far_from_zero_does_not_cancel() -> None:
    values = [1e9 + each for each in (4.0, 7.0, 13.0, 16.0)]
    (window,) = summarised([columns([0, 1, 2, 3], CO2=values)]).windows
    assert window["variables"][0]["sd"] == pytest.approx(math.sqrt(30), rel=1e-8)


def test_results_have_nine_significant_digits_and_no_negative_zero() -> None:
    (window,) = summarised([columns([0, 1, 2], CO2=[1 / 3, 1 / 3, 2 / 3], zero=[-0.0, -0.0, -0.0])]).windows
    co2, zero = window["variables"]
    assert (co2["mean"], co2["min"]) == (0.444444444, 0.333333333)
    assert math.copysign(1, zero["mean"]) == math.copysign(1, zero["min"]) == 1


def statistics(windows: int, variables: int) -> Block:
    each: dict[str, Any] = {f"v{number}": [1.0] * windows for number in range(variables)}
    return columns([number * 60.0 for number in range(windows)], **each)


@pytest.mark.parametrize(
    ("windows", "variables", "is_omitted"),
    [
        (1, MOST_STATISTICS, False),
        (1, MOST_STATISTICS + 1, True),
        (MOST_STATISTICS, 1, False),
        (MOST_STATISTICS, 0, False),
        (MOST_STATISTICS + 1, 0, True),
        (MOST_STATISTICS + 1, 1, True),
        (MOST_STATISTICS // 2, 2, False),
        (MOST_STATISTICS // 2 + 1, 2, True),
    ],
)
def test_I10_a_batch_with_too_many_statistics_has_no_summary_and_says_so(
    windows: int, variables: int, is_omitted: bool
) -> None:
    block = statistics(windows, variables)
    whole, in_parts = summarised([block], 60), summarised(cut(block, range(7, windows, 3_001)), 60)
    assert whole == in_parts
    assert (whole.omitted is not None) == is_omitted
    assert (whole.windows == []) == is_omitted


def test_I10_columns_that_change_from_block_to_block_are_limited_together() -> None:
    def other_columns(number: int) -> Block:
        each: dict[str, Any] = {f"v{number}-{at}": [1.0] for at in range(500)}
        return columns([0.0], **each)

    assert summarised([other_columns(number) for number in range(20)]).omitted is None
    assert (
        summarised([other_columns(number) for number in range(21)]).omitted == f"more than {MOST_STATISTICS} statistics"
    )


def test_I10_a_wide_table_does_not_wait_for_many_rows() -> None:
    """10,000 columns times 65,536 rows would be 5 GB."""
    width = 8_000
    everything: dict[str, Any] = {f"v{number}": [1.0] * 12 for number in range(width)}
    part = columns([0.0] * 12, **everything)
    builder = SummaryBuilder(HALF_HOUR_S)
    tracemalloc.start()
    try:
        for _ in range(40):
            builder.take(part)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 8 * 8 * CHUNK_READINGS
    (window,) = builder.summary().windows
    assert window["rows"] == 480
    assert {each["count"] for each in window["variables"]} == {480}


def test_I10_flags_that_judge_names_without_end_cost_nothing() -> None:
    absent = tuple(f"absent{number}" for number in range(20_000))
    labels = tuple(Label(name, ["x"] * 2_000, judges=absent, bad=("x",)) for name in ("one", "two"))
    block = columns([0.0] * 2_000, labels=labels, CO2=[1.0] * 2_000)
    tracemalloc.start()
    try:
        (window,) = summarised([block]).windows
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 5_000_000
    assert window["variables"][0]["count"] == 2_000


def test_the_order_of_rows_within_a_window_hardly_matters_but_their_windows_may_come_in_any_order() -> None:
    offsets_s = [0.0, 4_000.0, 2_000.0, 1.0, 4_001.0]
    found = summarised([columns(offsets_s, CO2=[1, 2, 3, 5, 6])]).windows
    for order in itertools.islice(itertools.permutations(range(5)), 0, 120, 17):
        values = np.array([1.0, 2, 3, 5, 6])[list(order)].tolist()
        assert summarised([columns([offsets_s[at] for at in order], CO2=values)]).windows == found
