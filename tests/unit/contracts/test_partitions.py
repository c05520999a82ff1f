"""Which partition a station's messages go to, frozen: the values were computed with aiokafka's port of Kafka's Java partitioner."""

import pytest
from aiokafka.partitioner import DefaultPartitioner
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given
from hypothesis import strategies as st

from b2stream.contracts.partitions import murmur2, partition_of

FROZEN = [
    # station, murmur2, partition of 12, partition of 1000
    ("SE-Htm", 3744074867, 3, 219),
    ("SE-Nor", 3315416070, 10, 422),
    ("DE-HoH", 357305413, 1, 413),
    ("CH-Dav", 1831528502, 2, 502),
    ("FI-Hyy", 3653968300, 8, 652),
    ("BE-Lon", 552601891, 7, 891),
    ("HTM", 1159140399, 3, 399),
    ("GAT", 3124856274, 10, 626),
    ("SAC", 91584643, 7, 643),
    ("JUE", 1421279463, 3, 463),
    ("26NA", 2325337549, 5, 901),
    ("11SS", 1631910212, 8, 212),
    ("BE-FOS", 786463636, 4, 636),
    ("XX-Demo", 1789758695, 11, 695),
    ("a", 2731586172, 4, 524),
    ("ab", 316155434, 2, 434),
    ("abc", 479470107, 3, 107),
    ("abcd", 2971317748, 8, 100),
    ("station with spaces", 3261517716, 4, 68),
    ("Ny-Ålesund", 2725890450, 10, 802),
    ("Zürich", 2743826481, 1, 833),
    ("🌲", 1536270426, 6, 426),
]


@pytest.mark.parametrize(("station", "code", "of_12", "of_1000"), FROZEN)
def test_the_partition_of_a_station_never_changes(station: str, code: int, of_12: int, of_1000: int) -> None:
    assert murmur2(station.encode()) == code
    assert partition_of(station, 12) == of_12
    assert partition_of(station, 1000) == of_1000


@given(st.binary(max_size=40))
def test_murmur2_is_aiokafkas(data: bytes) -> None:
    assert murmur2(data) == aiokafka_murmur2(data) & 0xFFFFFFFF


@given(st.text(min_size=1), st.integers(1, 10_000))
def test_any_name_goes_where_kafkas_own_partitioner_sends_it(station: str, count: int) -> None:
    every = list(range(count))
    assert partition_of(station, count) == DefaultPartitioner()(station.encode(), every, every)
