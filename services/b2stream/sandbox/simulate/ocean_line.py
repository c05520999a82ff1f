"""A ship of opportunity between two ports: CSV as ocean centres export it, one file a day, a row a minute.

Sea surface temperature falls towards the north and with the season, salinity is lower near the coasts, and the partial pressure of
CO2 is drawn down by the spring bloom. Flags: 2 good, 3 questionable, 4 bad; a few rows share their time stamp, as real exports have them.
"""

from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray

from b2stream.sandbox.simulate import climate
from b2stream.sandbox.simulate.climate import DAY_S, Series, Site

PORTS = ((60.39, 5.32), (64.15, -51.72))  # latitude, longitude in degrees: a line across the northern Atlantic
CROSSING_DAYS = 7.0
MEASURED = (
    ("Depth [m]", "N"),
    ("Temp [degC]", "M"),
    ("P_sal [psu]", "M"),
    ("Temperature of Equilibration [degC]", "M"),
    ("Equilibrator Pressure", "M"),
    ("Atmospheric Pressure [hPa]", "M"),
)
REDUCED = ("pCO2 [uatm]", "fCO2 [uatm]", "pCO2 in atmosphere [uatm]")


def file_name(ship: str, day: date) -> str:
    """`99SM20240601.csv`: an expocode, the ship's code and the day."""
    return f"{ship}{day:%Y%m%d}.csv"


def track(instants_s: Series) -> tuple[Series, Series]:
    """Latitude and longitude on the great circle between the ports, there and back."""
    share = np.abs((instants_s / DAY_S / CROSSING_DAYS) % 2 - 1)
    ends = [_unit_vector(*port) for port in PORTS]
    angle = np.arccos(float(ends[0] @ ends[1]))
    points = (np.sin((1 - share) * angle)[:, None] * ends[0] + np.sin(share * angle)[:, None] * ends[1]) / np.sin(angle)
    return np.degrees(np.arcsin(points[:, 2])), np.degrees(np.arctan2(points[:, 1], points[:, 0]))


def day_file(site: Site, seed: int, day: date, rows: int = 1440) -> bytes:
    """The file of one day, `rows` rows from midnight UTC, one a minute."""
    begin_s = datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()
    rng = np.random.default_rng([seed, int(begin_s), 3])
    instants_s = begin_s + 60.0 * np.arange(rows)
    repeated = rng.integers(1, rows, size=max(1, rows // 500))
    instants_s[repeated] = instants_s[repeated - 1]
    latitude, longitude = track(instants_s)
    sea = _sea(site, seed, instants_s, latitude, longitude, rng)
    flags = rng.choice(["2", "3", "4"], size=(rows, len(MEASURED) + len(REDUCED)), p=[0.985, 0.01, 0.005])
    lines = [_header()]
    for row in range(rows):
        stamp = datetime.fromtimestamp(instants_s[row], UTC)
        cells = [f"{stamp:%Y-%m-%dT%H:%M:%S}.000Z", f'{longitude[row]:.4f},2,"",M', f'{latitude[row]:.4f},2,"",M']
        for index, (name, kind) in enumerate(MEASURED):
            cells.append(f"{sea[name][row]:.3f},{flags[row, index]},{_comment(flags[row, index])},{kind}")
        for index, name in enumerate(REDUCED, len(MEASURED)):
            cells.append(f"{sea[name][row]:.3f},{flags[row, index]},{_comment(flags[row, index])}")
        lines.append(",".join(cells))
    return "\n".join([*lines, ""]).encode("utf-8")


def _sea(
    site: Site, seed: int, instants_s: Series, latitude: Series, longitude: Series, rng: np.random.Generator
) -> dict[str, Series]:
    rows = len(instants_s)
    summer = np.cos(2 * np.pi * (climate.day_of_year(instants_s) - 235) / climate.YEAR_DAYS)
    eddies = climate.weather(site, seed, instants_s * 12, "eddies")  # a ship crosses them quickly
    coast = np.exp(-((longitude - PORTS[0][1]) ** 2) / 8) + np.exp(-((longitude - PORTS[1][1]) ** 2) / 8)
    surface_c = 11 - 0.75 * (latitude - 58) + 0.05 * longitude + 2.8 * summer + 0.6 * eddies + rng.normal(0, 0.01, rows)
    bloom = 70 * np.clip(np.sin(2 * np.pi * (climate.day_of_year(instants_s) - 90) / climate.YEAR_DAYS), 0, None)
    years = (instants_s - climate.SECONDS_2020) / (DAY_S * climate.YEAR_DAYS)
    pressure = 385 + 2.0 * years - bloom + 6 * (surface_c - 8) - 12 * eddies + rng.normal(0, 0.6, rows)
    air_hpa = 1010 + 9 * climate.weather(site, seed, instants_s, "pressure")
    air_ppm = climate.carbon_dioxide(site, seed, instants_s)
    return {
        "Depth [m]": np.full(rows, 5.0),
        "Temp [degC]": surface_c,
        "P_sal [psu]": 35.1 - 3.5 * coast + 0.08 * eddies + rng.normal(0, 0.004, rows),
        "Temperature of Equilibration [degC]": surface_c + 0.35 + rng.normal(0, 0.02, rows),
        "Equilibrator Pressure": air_hpa + 0.8 + rng.normal(0, 0.05, rows),
        "Atmospheric Pressure [hPa]": air_hpa,
        "pCO2 [uatm]": pressure,
        "fCO2 [uatm]": pressure * 0.9965,
        "pCO2 in atmosphere [uatm]": air_ppm * air_hpa / 1013.25,
    }


def _header() -> str:
    titles = ["Date/Time"]
    for name in ("Longitude", "Latitude", *(name for name, _ in MEASURED)):
        titles += [name, f"{name} QC Flag", f"{name} QC Comment", f"{name} Type"]
    for name in REDUCED:
        titles += [name, f"{name} QC Flag", f"{name} QC Comment"]
    return ",".join(titles)


def _comment(flag: str) -> str:
    return {"2": '""', "3": '"Unusual, check"'}.get(flag, '"Out of range"')


def _unit_vector(latitude_deg: float, longitude_deg: float) -> NDArray[np.float64]:
    latitude, longitude = np.radians([latitude_deg, longitude_deg])
    return np.array([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])
