"""A Picarro analyser on a tall tower: DataLog_User files of one hour.

Each hour it measures a target gas, and at noon and midnight three calibration gases: the steps of the valve that users look for.
"""

from datetime import UTC, datetime, timedelta

import numpy as np

from b2stream.sandbox.simulate import climate
from b2stream.sandbox.simulate.climate import DAY_S, Series, Site

CELL = 26
AMBIENT = 1
TARGET, *STANDARDS = 2, 3, 4, 5
TANKS = {TARGET: (415.21, 1.9532), 3: (381.07, 1.8021), 4: (420.55, 1.9817), 5: (461.93, 2.1204)}
"""By valve position: CO2 and CH4 of the gas in ppm, dry."""

FLUSH_S = 25.0  # how fast one gas replaces another in the cavity
STEPS_S = (0.519, 0.975, 2.402)  # the analyser's round of species
NAMES = (
    *("DATE", "TIME", "FRAC_DAYS_SINCE_JAN1", "FRAC_HRS_SINCE_JAN1", "JULIAN_DAYS", "EPOCH_TIME", "ALARM_STATUS"),
    *(
        "INST_STATUS",
        "species",
        "MPVPosition",
        "solenoid_valves",
        "CH4",
        "CH4_dry",
        "CO2",
        "CO2_dry",
        "H2O",
        "h2o_reported",
    ),
)


def file_name(instrument: str, begin: datetime) -> str:
    """`CFADS9901-20240601-120000Z-DataLog_User.dat`."""
    return f"{instrument}-{begin.astimezone(UTC):%Y%m%d-%H%M%S}Z-DataLog_User.dat"


def hour(site: Site, seed: int, begin: datetime) -> tuple[bytes, int]:
    """The file of the hour from `begin` (UTC, aware), and its number of rows."""
    begin_s = begin.astimezone(UTC).timestamp()
    rng = np.random.default_rng([seed, int(begin_s), 1])
    steps = np.resize(np.array(STEPS_S), 3600) + rng.normal(0, 0.004, 3600)
    seconds = np.round(np.cumsum(steps), 3)
    seconds = seconds[seconds < 3600]
    position = valve(seconds, begin.hour)
    ambient_s = begin_s + seconds
    gases = [climate.carbon_dioxide(site, seed, ambient_s), methane(site, seed, ambient_s)]
    co2_dry, ch4_dry = (
        flushed(np.where(position == AMBIENT, gas, tank_values(position, which)), seconds)
        for which, gas in enumerate(gases)
    )
    water = flushed(np.where(position == AMBIENT, climate.water_vapour(site, seed, ambient_s) / 10, 0.002), seconds)
    co2_dry = co2_dry + rng.normal(0, 0.05, len(seconds))
    ch4_dry = ch4_dry + rng.normal(0, 0.0004, len(seconds))
    # Dilution and line broadening by water vapour: Chen et al. 2010, doi:10.5194/amt-3-375-2010.
    moist = 1 - 0.012 * water - 0.000267 * water**2
    values = [np.resize(np.array([1.0, 2.0, 3.0]), len(seconds)), position, np.zeros(len(seconds))]
    values += [ch4_dry * moist, ch4_dry, co2_dry * moist, co2_dry, water, water * 1.2317]
    rows = zip(seconds.tolist(), *(value.tolist() for value in values), strict=True)
    lines = ["".join(name.ljust(CELL) for name in NAMES), *(_line(begin, row) for row in rows)]
    return "\r\n".join([*lines, ""]).encode("ascii"), len(seconds)


def valve(seconds: Series, hour_of_day: int) -> Series:
    """Valve position by second of the hour: five minutes of target gas each hour; at 0 and 12 UTC three standards before it."""
    position = np.full(len(seconds), float(AMBIENT))
    position[(seconds >= 3000) & (seconds < 3300)] = TARGET
    if hour_of_day % 12 == 0:
        for index, standard in enumerate(STANDARDS):
            position[(seconds >= 1200 + 600 * index) & (seconds < 1800 + 600 * index)] = standard
    return position


def tank_values(position: Series, which: int) -> Series:
    """The gas (0: CO2, 1: CH4) in the tank at each valve position, 0 for ambient air."""
    values = np.zeros(len(position))
    for tank, gases in TANKS.items():
        values[position == tank] = gases[which]
    return values


def flushed(inlet: Series, seconds: Series) -> Series:
    """What the cavity holds while the gas at the inlet changes: each gas replaces the last one exponentially."""
    cavity = np.empty_like(inlet)
    held, before = float(inlet[0]), float(seconds[0])
    for index, (gas, now) in enumerate(zip(inlet.tolist(), seconds.tolist(), strict=True)):
        held += (gas - held) * (1 - np.exp((before - now) / FLUSH_S))
        cavity[index], before = held, now
    return cavity


def methane(site: Site, seed: int, instants_s: Series) -> Series:
    """CH4 in ppm: follows what gathers near the ground."""
    return np.asarray(1.93 + 0.0012 * (climate.carbon_dioxide(site, seed, instants_s) - 414), dtype=np.float64)


def _line(begin: datetime, row: tuple[float, ...]) -> str:
    instant = begin.astimezone(UTC) + timedelta(milliseconds=round(row[0] * 1000))
    days = (instant - datetime(instant.year, 1, 1, tzinfo=UTC)).total_seconds() / DAY_S
    epoch_ms = round(instant.timestamp() * 1000)
    words = [
        *(f"{instant:%Y-%m-%d}", f"{instant:%H:%M:%S.%f}"[:-3], f"{days:.8f}", f"{days * 24:.6f}", f"{days + 1:.8f}"),
        *(f"{epoch_ms // 1000}.{epoch_ms % 1000:03d}", "0", "963"),
        *(f"{value:.10E}"[:-2] + "0" + f"{value:.10E}"[-2:] for value in row[1:]),
    ]
    return "".join(word.ljust(CELL) for word in words)
