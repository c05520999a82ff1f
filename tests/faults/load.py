"""A small load in real formats: three stations, twelve files a round, most of them of several blocks, all drawn from one seed.

The stations belong to nobody and lie in three partitions. A round is what they would deliver in a morning: half hours of eddy
covariance, a logger's tables, an analyser's hours, a product, and a photograph that nobody can read (an opaque batch).
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FOREST, MEADOW, TOWER = "XX-For", "XX-Mea", "TOW"
STATIONS = (FOREST, MEADOW, TOWER)
BLOCK_BYTES = 16_384
"""Setting of the gateways: half hours, tables and hours have three to nine blocks then."""

_FIRST_DAY = datetime(2024, 3, 1, tzinfo=UTC)


@dataclass(frozen=True)
class StationFile:
    """One file as a station has it. `rows` None: the pipeline must not read rows from it."""

    station: str
    name: str
    content: bytes
    rows: int | None


def round_of_files(seed: int, number: int) -> list[StationFile]:
    """The files of round `number` (0, 1, …), in the order in which they are given to the stations."""
    draw = random.Random(f"{seed} {number}")
    day = _FIRST_DAY + timedelta(days=number)
    morning = [
        *((FOREST, _half_hour(draw, day + timedelta(hours=10, minutes=30 * index))) for index in range(4)),
        *((MEADOW, _table(draw, day + timedelta(hours=8 + index))) for index in range(3)),
        (MEADOW, (f"camera_{day:%Y%m%d}.jpg", b"\xff\xd8\xff\xe0" + draw.randbytes(40_000), None)),
        *((TOWER, _analyser_hour(draw, day + timedelta(hours=index))) for index in range(3)),
        (TOWER, _product(draw, day)),
    ]
    draw.shuffle(morning)  # which station is first changes from round to round
    return [StationFile(station, *file) for station, file in morning]


def _half_hour(draw: random.Random, end: datetime) -> tuple[str, bytes, int]:
    rows = 1800  # 1 Hz
    lines = ["U,V,W,T_SONIC,CO2"]
    lines += [",".join(f"{draw.gauss(2, 1):.4f}" for _ in range(5)) for _ in range(rows)]
    return f"{FOREST}_EC_{end:%Y%m%d%H%M}_L01_F01.csv", _text(lines, "\n"), rows


def _table(draw: random.Random, begin: datetime) -> tuple[str, bytes, int]:
    rows = 720
    lines = [
        f'"TOA5","{MEADOW}","CR3000","2835","CR3000.Std.12","CPU:meadow.CR3","1","meteo"',
        '"TIMESTAMP","RECORD","TA_Avg","CO2"',
        '"TS","RN","Celsius","µmol mol-1"',
        '"","","Avg","Smp"',
    ]
    for row in range(rows):
        instant = begin + timedelta(seconds=5 * row)
        lines.append(f'"{instant:%Y-%m-%d %H:%M:%S}",{row},{draw.gauss(8, 2):.3f},{draw.gauss(420, 5):.2f}')
    return f"TOA5_meteo_{begin:%Y%m%d_%H}.dat", _text(lines, "\r\n"), rows


def _analyser_hour(draw: random.Random, begin: datetime) -> tuple[str, bytes, int]:
    rows = 240
    names = ["DATE", "TIME", "JULIAN_DAYS", "EPOCH_TIME", "ALARM_STATUS", "CO2_dry", "H2O"]
    lines = ["".join(name.ljust(26) for name in names)]
    for row in range(rows):
        instant = begin + timedelta(seconds=15 * row)
        cells = [f"{instant:%Y-%m-%d}", f"{instant:%H:%M:%S}.000", "1.00000000", f"{instant.timestamp():.3f}", "0"]
        cells += [f"{draw.gauss(4.2, 0.05):.10f}E+002", f"{draw.gauss(1.5, 0.1):.6f}E+000"]
        lines.append("".join(cell.ljust(26) for cell in cells))
    return f"CFADS9902-{begin:%Y%m%d-%H%M%S}Z-DataLog_User.dat", _text(lines, "\r\n"), rows


def _product(draw: random.Random, day: datetime) -> tuple[str, bytes, int]:
    rows = 24
    header = [
        "# TITLE: CO2 - NRT Continuous air",
        f"# TOTAL LINES: {8 + rows}",
        "# HEADER LINES: 8",
        f"# STATION CODE: {TOWER}",
        "# PARAMETER: CO2",
        "# MEASUREMENT UNIT: umol.mol-¹",
        "# TIME ZONE: UTC",
        "#Site;SamplingHeight;Year;Month;Day;Hour;Minute;DecimalDate;co2;Stdev;NbPoints;Flag;InstrumentId;H2O",
    ]
    body = [
        f"{TOWER};50.0;{day:%Y;%m;%d};{hour:02d};00;2024.0;{draw.gauss(420, 5):.3f};0.2;60;U;77;-999.990"
        for hour in range(rows)
    ]
    return f"ICOS_ATC_NRT_{TOWER}_{day:%Y-%m-%d}_CO2.csv", _text([*header, *body], "\n"), rows


def _text(lines: list[str], end: str) -> bytes:
    return end.join([*lines, ""]).encode()
