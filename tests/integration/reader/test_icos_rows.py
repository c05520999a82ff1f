"""Every real ICOS file, archived and read again: the same bytes, and as many rows as the gateway found."""

from pathlib import Path

import numpy as np

import b2stream
from b2stream.archive.memory import MemoryStore
from b2stream.formats.base import Station
from b2stream.formats.registry import read_file
from b2stream.reader.batch import Batch, Centres
from b2stream.settings import Settings
from tests.replication.files import archive_file


def test_the_rows_of_real_files_come_back_as_they_were_published(icos_data: Path) -> None:
    store = MemoryStore("csc")
    centres = Centres(Settings())
    centres.put("csc", store)
    with_rows = 0
    for path in sorted(each for each in icos_data.rglob("*") if each.is_file()):
        content = path.read_bytes()
        published = read_file(path.name, content, Station(utc_offset_h=1.0))
        station = published.names_station or "XX-Demo"
        batch = Batch(archive_file(store, path.name, content, station, 1.0), None, centres)
        with b2stream.open_batch(batch) as opened:
            assert opened.read() == content, path.name
        found = b2stream.rows(batch)
        assert len(found) == batch.event.rows, path.name
        if published.reading is None or not batch.event.rows:
            continue
        with_rows += 1
        table = b2stream.frame(found)
        for variable in published.reading.variables:
            np.testing.assert_array_equal(table[variable.name].to_numpy(), variable.values, err_msg=path.name)
        for label in published.reading.labels:
            assert table[label.name].tolist() == label.values, path.name
        expected_us = np.int64(published.reading.start_us or 0) + np.rint(published.reading.offsets_s * 1e6).astype(
            np.int64
        )
        np.testing.assert_array_equal(found.instants.view(np.int64), expected_us, err_msg=path.name)
    assert with_rows >= 10
