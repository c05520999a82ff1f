"""The close says what the blocks are; made again from the same file it says the same."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from b2stream.batches.examining import Examination
from b2stream.batches.manifest import batch_of, paths_of
from b2stream.contracts import schemas
from b2stream.contracts.framing import Framed
from b2stream.contracts.records import BatchClosed
from b2stream.formats.base import Label, Reading, Station, Variable
from b2stream.formats.registry import FileReading
from b2stream.programs.gateway import closing
from b2stream.programs.gateway.closing import close_digest, draft, place, prepare, same_blocks
from b2stream.programs.gateway.cutting import Cut
from b2stream.programs.gateway.snapshot import FileChanged, Snapshot, take
from b2stream.programs.gateway.watch import Seen, Signature
from b2stream.software import software
from tests.unit.gateway.stands import STATION, toa5

OURS = Station(STATION, 1.0)


def snapshot(path: Path, limit_bytes: int = 1 << 28) -> Snapshot:
    return take(Seen(path.name, path, Signature.of(path.stat())), limit_bytes)


def close_of(path: Path, block_bytes: int = 4096, limit_bytes: int = 1 << 28) -> BatchClosed:
    prepared = prepare(snapshot(path, limit_bytes), OURS, block_bytes)
    close = place(draft(prepared, "a" * 32, 1800), None)
    examination = Examination(close)
    for body in prepared.bodies():
        examination.take(Framed(schemas.current("MeasurementBlock"), memoryview(body)))
    examination.result()  # the processor's own judgement: raises where the close is not what the blocks are
    return close


def test_a_parsed_file_is_what_its_close_promises(tmp_path: Path) -> None:
    path = tmp_path / "met_1.dat"
    path.write_bytes(toa5(300))
    close = close_of(path)
    assert (close.input_format, close.rows, close.opaque_reason) == ("campbell-toa5", 300, None)
    assert close.count > 1
    assert close.stop_us is not None
    assert close.start_us is not None
    assert close.stop_us - close.start_us == 299 * 60_000_000
    assert close.name == "met_1.dat"
    assert close.stem == "met_1"
    assert close.extension == ".dat"


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 3000, b"just text\n"])
def test_an_opaque_file_is_what_its_close_promises(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "anything.bin"
    path.write_bytes(content)
    close = close_of(path)
    assert (close.series, close.rows, close.start_us, close.stop_us) == ("files", 0, None, None)
    assert close.opaque_reason
    assert close.raw_size_bytes == len(content)


def test_a_file_that_stays_on_disk_is_what_its_close_promises(tmp_path: Path) -> None:
    path = tmp_path / "large.nc"
    path.write_bytes(bytes(range(256)) * 200)
    close = close_of(path, limit_bytes=1000)
    assert close.opaque_reason == "too_large"
    assert close.count > 5


@pytest.mark.parametrize(
    "name", ["quote\"s and 'these'.dat", "per%cent~tilde.dat", "Zürich µ.dat", "no extension", "x" * 250 + ".dat"]
)
def test_any_file_name_gives_a_safe_path_and_is_kept_verbatim(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"content")
    close = close_of(path)
    assert close.name == name
    assert paths_of(close).data_object.startswith(f"{STATION}/files/undated/")


def test_the_same_file_with_the_same_cuts_gives_the_same_blocks_and_with_others_not(tmp_path: Path) -> None:
    path = tmp_path / "met.dat"
    path.write_bytes(toa5(300))
    first = prepare(snapshot(path), OURS, 4096)
    again = prepare(snapshot(path), OURS, 100_000, first.cuts)
    other = prepare(snapshot(path), OURS, 100_000)
    assert list(first.bodies()) == list(again.bodies())
    assert same_blocks(draft(first, "a" * 32, 1800), draft(again, "b" * 32, 1800))
    assert not same_blocks(draft(first, "a" * 32, 1800), draft(other, "a" * 32, 1800))
    assert batch_of(draft(first, "a" * 32, 1800)) == batch_of(draft(other, "b" * 32, 60))


def test_cuts_of_another_content_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "met.dat"
    path.write_bytes(toa5(300))
    for cuts in ((), (Cut(300, 10),), (Cut(1, path.stat().st_size),)):
        with pytest.raises(FileChanged):
            prepare(snapshot(path), OURS, 4096, cuts)


def test_bytes_that_change_on_disk_between_two_passes_are_noticed_before_the_close(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(b"a" * 20_000)
    prepared = prepare(snapshot(path, 1000), OURS, 4096)
    path.write_bytes(b"b" * 20_000)
    with pytest.raises(FileChanged):
        list(prepared.bodies())


def test_each_close_names_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"1")
    planned = draft(prepare(snapshot(path), OURS, 4096), "a" * 32, 1800)
    first = place(planned, None)
    second = place(planned, (first.series_number, close_digest(first)))
    assert (first.series_number, first.previous) == (0, None)
    assert (second.series_number, second.previous) == (1, close_digest(first))


def _broken(name: str, instant_s: float) -> Reading:
    values = np.array([0.0, instant_s])
    return Reading(STATION, "met", 0, values, (Variable(name, "", values),))


@pytest.mark.parametrize(
    ("reading", "reason"),
    [(_broken("sur\udce9rogate", 1.0), "format_error"), (_broken("T", 1e15), "time_out_of_range")],
)
def test_a_format_that_returns_what_cannot_be_written_makes_the_file_opaque(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reading: Reading, reason: str
) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(b"1\n2\n")
    monkeypatch.setattr(closing, "read_file", lambda *_: FileReading("somebody's", reading))
    assert close_of(path).opaque_reason == reason


def test_a_row_that_fits_into_no_message_makes_the_file_opaque(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(b"1\n2\n")
    large = replace(_broken("T", 1.0), labels=(Label("note", ["", "x" * 1_000_000]),))
    monkeypatch.setattr(closing, "read_file", lambda *_: FileReading("somebody's", large))
    assert close_of(path).opaque_reason == "row_too_large"


def test_a_close_names_the_gateway_that_made_it_with_its_commit_or_as_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "met_1.dat"
    path.write_bytes(toa5(3))
    prepared = prepare(snapshot(path), OURS, 4096)
    assert draft(prepared, "a" * 32, 1800).software == software("b2stream-gateway")
    told = draft(prepared, "a" * 32, 1800, made_by="b2stream-gateway 0.0.9")
    assert told.software == "b2stream-gateway 0.0.9"
    assert same_blocks(told, draft(prepared, "a" * 32, 1800)), "a resend by another version is of the same blocks"
