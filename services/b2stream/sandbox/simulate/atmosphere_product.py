"""An hourly near real time product of an atmosphere station: one file a day in the ATC format, 24 rows, with correct line counts."""

from datetime import UTC, date, datetime

import numpy as np

from b2stream.sandbox.simulate import climate
from b2stream.sandbox.simulate.climate import Site

INSTRUMENT = 901
COLUMNS = (
    "Site;SamplingHeight;Year;Month;Day;Hour;Minute;DecimalDate;co2;Stdev;NbPoints;Flag;InstrumentId;QualityId;"
    "InternalFlag;AutoDescriptiveFlag;ManualDescriptiveFlag;H2O;H2O-Stdev"
)


def file_name(site: Site, day: date) -> str:
    """As the centre names it, without the colons that some file systems refuse."""
    return f"ICOS_ATC_NRT_{site.station}_{day:%Y-%m-%d}_{site.height_m:.1f}_{INSTRUMENT}_nrtHour.CO2"


def day_file(site: Site, seed: int, day: date) -> bytes:
    """The file of one day: 24 hourly means, start of the hour, UTC. An hour may be missing or judged bad."""
    begin_s = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    rng = np.random.default_rng([seed, int(begin_s), 2])
    lines = []
    for hour in range(24):
        minutes_s = begin_s + 3600.0 * hour + 60.0 * np.arange(60)
        co2 = climate.carbon_dioxide(site, seed, minutes_s) + rng.normal(0, 0.15, 60)
        water = climate.water_vapour(site, seed, minutes_s) / 10
        luck = rng.random()
        flag = "N" if luck < 0.03 else "O" if luck < 0.3 else "U"
        mean, deviation = ("-999.990", "-9.990") if luck > 0.98 else (f"{co2.mean():.3f}", f"{co2.std():.3f}")
        year = (
            day.year
            + float(climate.day_of_year(minutes_s[:1])[0]) / (date(day.year + 1, 1, 1) - date(day.year, 1, 1)).days
        )
        lines.append(
            f"{site.station};{site.height_m:g};{day.year};{day.month:02d};{day.day:02d};{hour:02d};00;{year:.8f};"
            f"{mean};{deviation};{rng.integers(8, 13)};{flag};{INSTRUMENT};{90_000 + day.toordinal() % 1000};"
            f"Stabilization,Unitary data;F-1;;{water.mean():.3f};{water.std():.3f}"
        )
    header = _header(site, day)
    total = len(header) + 1 + len(lines)
    text = [line.format(total=total, header=len(header) + 1) for line in header] + [f"#{COLUMNS}", *lines, ""]
    return "\n".join(text).encode("utf-8")


def _header(site: Site, day: date) -> list[str]:
    return [
        "# TITLE: CO2 - NRT Continuous air, simulated",
        f"# FILE NAME: {file_name(site, day)}",
        "# DATA FORMAT: Version 1.0",
        "# TOTAL LINES: {total}",
        "# HEADER LINES: {header}",
        "# DATA PRODUCT TYPE: NRT",
        f"# STATION CODE: {site.station}",
        "# STATION NAME: Simulated tower",
        f"# LATITUDE: {abs(site.latitude_deg):.4f} {'N' if site.latitude_deg >= 0 else 'S'}",
        f"# LONGITUDE: {abs(site.longitude_deg):.4f} {'E' if site.longitude_deg >= 0 else 'W'}",
        "# NUMBER OF SAMPLING HEIGHTS: 1",
        f"# SAMPLING HEIGHTS: {site.height_m:g} m agl",
        "# PARAMETER: CO2",
        f"# COVERING PERIOD: {day:%Y-%m-%d}T00:00 {day:%Y-%m-%d}T23:59",
        "# TIME INTERVAL: hourly",
        "# MEASUREMENT UNIT: umol.mol-¹",
        f"# MEASUREMENT METHOD: Cavity RingDown Spectrometer (instrument Id {INSTRUMENT})",
        "# TIME ZONE: UTC +1",
        "# MEASUREMENT SCALE: none, simulated",
        "# COMMENT:",
        "# Times are UTC",
        "# Time-averaged values are reported at the beginning of the averaging interval.",
        "#",
    ]
