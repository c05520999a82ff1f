"""Weather and carbon dioxide of a simulated site: daily and seasonal cycles with changing weather on top, all smooth functions of time.

Plausible, not predicted: enough that a plot of a day looks like a day in that season. Everything is a function of instants in
seconds since 1970 (UTC), the site and the seed, so files of different instruments at one site agree with each other.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.floating[Any]]

DAY_S = 86_400.0
YEAR_DAYS = 365.2425
SECONDS_2020 = 1_577_836_800.0


@dataclass(frozen=True, slots=True)
class Site:
    """Where and how high above ground is measured."""

    station: str
    latitude_deg: float
    longitude_deg: float
    height_m: float
    mean_temperature_c: float = 8.0
    seasonal_amplitude_k: float = 10.0


def day_of_year(instants_s: Series) -> Series:
    """Days since New Year, with fractions."""
    years = np.asarray(instants_s / DAY_S, dtype="datetime64[D]").astype("datetime64[Y]")
    return np.asarray(instants_s / DAY_S - years.astype("datetime64[D]").astype(np.int64), dtype=np.float64)


def local_hours(site: Site, instants_s: Series) -> Series:
    """Hours of mean solar time, 0 to 24."""
    return np.asarray((instants_s / 3600 + site.longitude_deg / 15) % 24, dtype=np.float64)


def sine_of_sun(site: Site, instants_s: Series, hours: Series | float | None = None) -> Series:
    """Sine of the sun's elevation, at these instants or at the given solar hours of their days."""
    declination = np.radians(-23.44) * np.cos(2 * np.pi * (day_of_year(instants_s) + 10) / YEAR_DAYS)
    latitude = np.radians(site.latitude_deg)
    hour_angle = np.pi * ((local_hours(site, instants_s) if hours is None else hours) - 12) / 12
    sine = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour_angle)
    return np.asarray(sine, dtype=np.float64)


def weather(site: Site, seed: int, instants_s: Series, what: str) -> Series:
    """Slow noise of about unit standard deviation with periods of 1.5 to 9 days: fronts passing."""
    return _waves(site, seed, instants_s, what, DAY_S * np.array([1.5, 2.3, 3.7, 5.9, 9.1]))


def hourly(site: Site, seed: int, instants_s: Series, what: str) -> Series:
    """The same with periods of a quarter of an hour to seven hours: clouds and gusts."""
    return _waves(site, seed, instants_s, what + " hourly", 3600 * np.array([0.27, 0.61, 1.3, 2.9, 7.1]))


def _waves(site: Site, seed: int, instants_s: Series, what: str, periods_s: Series) -> Series:
    rng = np.random.default_rng([seed, zlib.crc32(f"{site.station} {what}".encode())])
    phases = rng.uniform(0, 2 * np.pi, len(periods_s))
    waves = np.sin(2 * np.pi * instants_s[..., None] / periods_s + phases)
    return np.asarray(waves.sum(axis=-1) * np.sqrt(2 / len(periods_s)), dtype=np.float64)


def season(site: Site, instants_s: Series) -> Series:
    """How green it is: 0 in the dark of winter, near 1 in high summer."""
    return np.asarray(np.clip(sine_of_sun(site, instants_s, 12.0) * 1.5 - 0.35, 0.0, 1.0), dtype=np.float64)


def radiation(site: Site, seed: int, instants_s: Series) -> Series:
    """Global radiation in W m-2."""
    sky = weather(site, seed, instants_s, "clouds") + 0.5 * hourly(site, seed, instants_s, "clouds")
    clear = 1 / (1 + np.exp(-1.5 * sky))
    return np.asarray(
        1050 * np.clip(sine_of_sun(site, instants_s), 0, None) ** 1.15 * (0.3 + 0.7 * clear), dtype=np.float64
    )


def temperature(site: Site, seed: int, instants_s: Series) -> Series:
    """Air temperature in degrees Celsius: warmest in late July and at three in the afternoon."""
    air = 2.5 * weather(site, seed, instants_s, "air") + 0.35 * hourly(site, seed, instants_s, "air")
    yearly = site.seasonal_amplitude_k * np.cos(2 * np.pi * (day_of_year(instants_s) - 205) / YEAR_DAYS)
    daily = (1 + 6 * np.clip(sine_of_sun(site, instants_s, 12.0), 0, None)) * np.cos(
        2 * np.pi * (local_hours(site, instants_s) - 15) / 24
    )
    return np.asarray(site.mean_temperature_c + yearly + daily + air, dtype=np.float64)


def carbon_dioxide(site: Site, seed: int, instants_s: Series) -> Series:
    """CO2 in ppm: a trend, the northern season, weather, and what gathers near the ground in nights of the growing season."""
    years = (instants_s - SECONDS_2020) / (DAY_S * YEAR_DAYS)
    phase = 2 * np.pi * (day_of_year(instants_s) - 100) / YEAR_DAYS
    background = 414.0 + 2.5 * years + 6.0 * np.cos(phase) + 1.5 * np.cos(2 * phase - 0.5)
    fetch = 2.5 * weather(site, seed, instants_s, "fetch") + 0.7 * hourly(site, seed, instants_s, "fetch")
    late_night = ((1 + np.cos(2 * np.pi * (local_hours(site, instants_s) - 5) / 24)) / 2) ** 2
    trapped = 45 * season(site, instants_s) * late_night * np.exp(-site.height_m / 60)
    return np.asarray(background + fetch + trapped, dtype=np.float64)


def water_vapour(site: Site, seed: int, instants_s: Series) -> Series:
    """Water vapour in mmol per mol of dry air, from temperature at a changing relative humidity (Magnus formula, 100 kPa)."""
    air_c = temperature(site, seed, instants_s) - 2.0
    saturated_hpa = 6.112 * np.exp(17.62 * air_c / (243.12 + air_c))
    humidity = np.clip(0.72 + 0.1 * weather(site, seed, instants_s, "humidity"), 0.35, 0.97)
    return np.asarray(humidity * saturated_hpa, dtype=np.float64)
