"""Bad files through the real chain: each has one documented outcome, lies byte for byte at both centres, and the rest goes on.

What each format makes of bad content stands in the gateway's unit tests; here whole files go from the folder to both archives.
"""

import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from b2stream.formats.base import PARSE_LIMIT_BYTES
from b2stream.formats.reasons import NOTES, REASONS
from b2stream.programs.gateway.watch import printable
from b2stream.sandbox.deployment import Deployment
from tests.faults import load
from tests.faults.chain import Chain, beside
from tests.faults.judging import Judge
from tests.faults.load import FOREST, MEADOW, TOWER, StationFile
from tests.unit.formats import samples

HALF_HOUR = f"{FOREST}_EC_20240301%s_L01_F01.csv"


@dataclass(frozen=True)
class Case:
    """A bad file and its outcome: the reason of an opaque batch, or the note of one whose rows were read."""

    station: str
    name: str
    content: bytes
    reason: str | None = None
    note: str | None = None
    rows: int = 0

    @property
    def file(self) -> StationFile:
        return StationFile(self.station, self.name, self.content, self.rows)


def cases() -> list[Case]:
    """Every kind of bad input."""
    table, half_hour = samples.toa5(9), samples.eddy_covariance()
    gap = b"\r\n".join(line for line in table.split(b"\r\n") if b"12:03:00" not in line)
    zipped = samples.zipped(("x.csv", half_hour))
    return [
        Case(FOREST, HALF_HOUR % "1200", half_hour[: len(half_hour) // 2], "truncated"),
        Case(FOREST, HALF_HOUR % "1230", b"\n".join([*half_hour.split(b"\n")[:900], b""]), "truncated"),
        Case(FOREST, HALF_HOUR % "1300" + ".zip", zipped[:-30], "damaged_archive"),
        Case(FOREST, HALF_HOUR % "1330", bytes(range(256)) * 200, "unknown_encoding"),
        Case(FOREST, "XX-Oth_EC_202403011400_L01_F01.csv", half_hour, "wrong_station"),
        Case(FOREST, HALF_HOUR % "1430", b"", "empty"),
        Case(FOREST, HALF_HOUR % "1500", b"U,V,W,T_SONIC,CO2\n", "header_only"),
        Case(FOREST, HALF_HOUR % "1530", _wide(1_000_000), "too_many_columns"),
        Case(MEADOW, "wide.dat", _wide_table(10_001), "too_many_columns"),
        Case(MEADOW, "wide enough.dat", _wide_table(9_000), rows=3),
        Case(MEADOW, "gap.dat", gap, note="time_gap", rows=8),
        Case(MEADOW, "backwards.dat", table.replace(b"12:05:00", b"11:05:00"), note="time_not_ascending", rows=9),
        Case(MEADOW, "bomb.zip", _bomb(), "zip_bomb"),
        Case(MEADOW, "several.zip", samples.zipped(("a.dat", table), ("b.dat", table)), "archive_entries"),
        Case(MEADOW, "empty.nc", b"", "empty"),
        Case(MEADOW, "photo.nc", b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 300, "not_recognised"),
        Case(TOWER, samples.PICARRO_NAME, samples.picarro(30)[:-40], "truncated"),
        Case(TOWER, "ICOS_ATC_NRT_XYZ_2024-01-01_CO2.csv", samples.atc(), "wrong_station"),
        Case(TOWER, "ICOS_ATC_NRT_TOW_2024-01-02_CO2.csv", _of_tower(samples.atc(total_lines=99)), "truncated"),
        Case(TOWER, "ICOS_ATC_NRT_TOW_2024-01-03_CO2.csv", _of_tower(samples.atc(total_lines=9)), "line_count"),
        *(Case(TOWER, name, samples.otc(), note="time", rows=3) for name in _names()),
    ]


@pytest.mark.timeout(900)
def test_bad_files_have_their_documented_outcome_at_both_centres_and_the_rest_goes_on(
    servers: Deployment, evidence: Path, name: str, seed: int, say: Callable[[str], None]
) -> None:
    bad = cases()
    good = load.round_of_files(seed, 0)
    with Chain(beside(servers, evidence / "chain", name)) as chain:
        chain.start()
        chain.give([case.file for case in bad])
        chain.give(good)
        chain.wait_until_drained()
        judgement = Judge(chain).judge()
        assert all(process.running for process in chain.deployment.programs.values())
    closes = [json.loads(content)["close"] for content in judgement.archive.manifests.values()]
    found = {(close["station"], close["name"]): close for close in closes}
    told = [f"{'reason or note':<20} {'rows':>5}  station file"]
    for case in bad:
        close = found[case.station, printable(case.name)]
        assert (close["opaque_reason"], close["rows"]) == (case.reason, case.rows), f"{case.name}: {close}"
        if case.reason is not None:
            assert case.reason in REASONS
            assert (close["series"], close["input_format"]) == ("files", "opaque")
            assert close["opaque_detail"]
        if case.note is not None:
            assert case.note in NOTES
            assert close["notes"][case.note]
        told.append(
            f"{case.reason or case.note or 'read':<20} {case.rows:>5}  {case.station} {printable(case.name)[:60]!r}"
        )
    for file in good:
        assert found[file.station, file.name]["rows"] == (file.rows or 0)
    say("\n".join([*told, f"{judgement.objects} objects judged, {len(good)} good files among them went on"]))


def _names() -> list[str]:
    """Names that somebody will give a file one day. The last one is no UTF-8 on disk."""
    return [
        'o\'clock "x" 50%~1.csv',
        "2024-03-01T12:30:00+01:00.csv",
        "Grüße: a:b.csv",
        "a b  c.csv",
        "100%_%20_%zz~~x.csv",
        "Ätna ✓ 測定.csv",
        "back\\slash;$(x)`y`|z&.csv",
        "line\nbreak\ttab.csv",
        "ü" * 110 + ".csv",
        os.fsdecode(b"latin-\xe4\xff.csv"),
    ]


def _wide(columns: int) -> bytes:
    line = ",".join(f"c{number}" for number in range(columns))
    return f"{line}\n{line}\n".encode()


def _wide_table(columns: int) -> bytes:
    rows = samples.toa5(3).decode().replace("CR3000.Std.12", "wide").split("\r\n")
    more = [
        "",
        "".join(f',"c{number}"' for number in range(columns - 2)),
        *(',""' * (columns - 2),) * 2,
        *(",1.5" * (columns - 2),) * 3,
        "",
    ]
    return "\r\n".join(row + added for row, added in zip(rows, more, strict=True)).encode()


def _bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x", "w") as entry:
        for _ in range((PARSE_LIMIT_BYTES >> 20) + 1):
            entry.write(bytes(1 << 20))
    return packed.getvalue()


def _of_tower(content: bytes) -> bytes:
    return content.replace(b"XYZ", TOWER.encode())
