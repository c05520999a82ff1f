"""Bad input: each kind has one outcome, and the rest goes on. All of them lie in one folder, and one gateway goes over it once."""

import io
import zipfile
from functools import partial

import pytest

from b2stream.formats import registry
from b2stream.formats.unpack import unpack
from tests.unit.gateway.stands import STATION, Stand, judge, toa5

LIMIT_BYTES = 64 << 20
"""What may be unpacked here; the limit itself is tested with the formats."""


def zipped(**entries: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("_DOT_", "."), content)
    return out.getvalue()


HEAD = toa5(0)
TABLE = {
    # name: (content, opaque reason; None for rows)
    "good.dat": (toa5(30), None),
    "truncated.dat": (toa5(30)[:-7], "truncated"),
    "binary.dat": (bytes(range(256)) * 50, "not_recognised"),
    "FR-Oth_EC_202603011200_L01_F01.csv": (b"U,V\n" + b"1,2\n" * 1800, "wrong_station"),
    "empty.dat": (b"", "empty"),
    "header-only.dat": (HEAD, "header_only"),
    f"{STATION}_EC_202603011200_L01_F01.csv": (b"U,V\n" + b"1,2\n" * 700, "truncated"),
    "million-columns.dat": (
        b'"TOA5","DE-Tst","CR1000X","1","OS","P","1","T"\r\n"TIMESTAMP"'
        + b"".join(b',"c%d"' % number for number in range(1_000_000))
        + b'\r\n"TS"'
        + b',""' * 1_000_000
        + b'\r\n""'
        + b',""' * 1_000_000
        + b'\r\n"2026-03-01 00:00:00"'
        + b",1" * 1_000_000
        + b"\r\n",
        "too_many_columns",
    ),
    "bomb.zip": (zipped(bomb_DOT_dat=bytes(LIMIT_BYTES + 1)), "zip_bomb"),
    "two.zip": (zipped(a_DOT_dat=b"1", b_DOT_dat=b"2"), "archive_entries"),
    "damaged.zip": (zipped(a_DOT_dat=toa5(9))[:60], "damaged_archive"),
    'it\'s "quoted" 100% ~ Ünïcödé.dat': (toa5(12), None),
    "a gap.dat": (toa5(10) + toa5(60)[len(toa5(50)) :], None),
}


def test_each_kind_of_bad_input_has_its_outcome_and_the_rest_goes_on(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "unpack", partial(unpack, limit_bytes=LIMIT_BYTES))
    for name, (content, _) in TABLE.items():
        stand.write(name, content)
    gateway = stand.start()
    gateway.step()
    batches = {str(batch.close.name): batch for batch in judge(stand.log).values()}
    assert {name: batch.close.opaque_reason for name, batch in batches.items()} == {
        name: reason for name, (_, reason) in TABLE.items()
    }
    for name, (content, reason) in TABLE.items():
        assert batches[name].raw == content, "the bytes are archived untouched, whatever they are"
        assert (batches[name].close.rows == 0) == (reason is not None)
    assert "time_gap" in batches["a gap.dat"].close.notes
    assert gateway.all_taken()
