"""A 20 Hz eddy covariance logger: half hours of turbulence in the ETC format, one file per half hour.

Wind and scalars have the spectra of Kaimal et al. 1972 (Q. J. R. Meteorol. Soc. 98, 563-589), variances after Panofsky and Dutton 1984, and
covariances with the vertical wind that give the fluxes of heat, water and CO2 that sun and season ask for.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from b2stream.sandbox.simulate import climate
from b2stream.sandbox.simulate.climate import Series, Site

RATE_HZ = 20
HALF_HOUR_S = 1800
ROWS = RATE_HZ * HALF_HOUR_S
HEADER = "U,V,W,T_SONIC,CO2,H2O,SA_DIAG,GA_DIAG,T_CELL,T_CELL_IN,T_CELL_OUT,PRESS_CELL"
ROW = "%.6g,%.6g,%.6g,%.6g,%.6g,%.6g,%d,%d,%.6g,%.6g,%.6g,%.6g"
TUBE_LAG_ROWS = 5  # the air needs a quarter of a second from the inlet to the analyser's cell
AIR_MOL_M3 = 41.0
ANALYSER_OK = 8191


@dataclass(frozen=True, slots=True)
class Exchange:
    """Means of one half hour: friction velocity in m s-1, fluxes of sensible heat (K m s-1), CO2 (ppm m s-1), water (mmol mol-1 m s-1)."""

    friction_m_s: float
    heat: float
    carbon_dioxide: float
    water: float


def file_name(station: str, end: datetime, utc_offset_h: float) -> str:
    """`SE-Sim_EC_202406011230_L01_F01.csv`: the end of the half hour in standard time."""
    return f"{station}_EC_{end + timedelta(hours=utc_offset_h):%Y%m%d%H%M}_L01_F01.csv"


def half_hour(site: Site, seed: int, end: datetime) -> bytes:
    """The file of the half hour that ends at `end` (UTC, aware)."""
    end_s = end.astimezone(UTC).timestamp()
    rng = np.random.default_rng([seed, int(end_s)])
    edges_s = np.array([end_s - HALF_HOUR_S, end_s])
    mean_t, mean_c, mean_q = (
        np.linspace(float(edge_values[0]), float(edge_values[1]), ROWS)
        for edge_values in (
            climate.temperature(site, seed, edges_s) + 273.15,
            climate.carbon_dioxide(site, seed, edges_s),
            climate.water_vapour(site, seed, edges_s),
        )
    )
    exchange = exchange_of(site, seed, end_s - HALF_HOUR_S / 2)
    u, v, w, t, c, q = turbulence(exchange, site.height_m, rng)
    q_air, c_air = np.clip(mean_q + q, 0.05, None), mean_c + c
    sonic_t = (mean_t + t) * (1 + 0.00032 * q_air)  # sound is faster in moist air
    direction = np.pi * (1 + 0.4 * float(climate.weather(site, seed, np.array([end_s]), "wind")[0]))
    diagnostic = np.full(ROWS, ANALYSER_OK)
    cell_t = mean_t - 271.0 + np.cumsum(rng.normal(0, 2e-4, ROWS)) + rng.normal(0, 0.02, ROWS)
    columns = [
        u * np.cos(direction) - v * np.sin(direction),
        u * np.sin(direction) + v * np.cos(direction),
        w + 0.01 * u,  # a mast is never quite upright
        sonic_t,
        _through_tube(c_air) + rng.normal(0, 0.03, ROWS),
        _through_tube(q_air) + rng.normal(0, 0.003, ROWS),
        np.arange(ROWS) % 10 + 1,
        diagnostic,
        cell_t,
        cell_t + 2.2 + rng.normal(0, 0.01, ROWS),
        cell_t - 0.5 + rng.normal(0, 0.02, ROWS),
        96.9 + 0.4 * float(climate.weather(site, seed, np.array([end_s]), "air")[0]) + rng.normal(0, 0.003, ROWS),
    ]
    if rng.random() < 0.1:  # rain on the inlet: the analyser has nothing to say for a while
        begin = int(rng.integers(0, ROWS - 600))
        columns[4][begin : begin + 400] = columns[5][begin : begin + 400] = -9999
        diagnostic[begin : begin + 400] = 0
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return "\n".join([HEADER, *map(ROW.__mod__, rows), ""]).encode("ascii")


def exchange_of(site: Site, seed: int, instant_s: float) -> Exchange:
    """What sun, temperature and season make surface and air exchange."""
    at = np.array([instant_s])
    sun_w_m2 = float(climate.radiation(site, seed, at)[0])
    green = float(climate.season(site, at)[0])
    air_c = float(climate.temperature(site, seed, at)[0])
    gust = float(climate.weather(site, seed, at, "wind")[0])
    respiration = 2.2 * np.exp(0.07 * (air_c - 10))  # µmol m-2 s-1
    uptake = 28 * green * sun_w_m2 / (sun_w_m2 + 350)
    return Exchange(
        friction_m_s=float(np.clip(0.22 + 0.3 * np.sqrt(sun_w_m2 / 800) + 0.06 * gust, 0.06, None)),
        heat=(0.32 * sun_w_m2 - 22) / 1200,
        carbon_dioxide=float(respiration - uptake) / AIR_MOL_M3,
        water=(0.4 * green * sun_w_m2 + 6) / 44_000 / AIR_MOL_M3 * 1000,
    )


def turbulence(exchange: Exchange, height_m: float, rng: np.random.Generator) -> tuple[Series, ...]:
    """One half hour of u (with its mean), v, w, and the fluctuations of temperature, CO2 and water; shape (ROWS,) each."""
    friction = exchange.friction_m_s
    wind_m_s = 1.2 + 7 * friction
    reduced = np.fft.rfftfreq(ROWS, 1 / RATE_HZ) * height_m / wind_m_s
    along, across, scalar = ((1 + b * reduced) ** (-5 / 3) for b in (33.0, 9.5, 24.0))
    up = 1 / (1 + 5.3 * reduced ** (5 / 3))
    w = _unit_noise(up, rng)
    fluctuations = [2.4 * friction * _correlated(w, _unit_noise(along, rng), -1 / (2.4 * 1.25))]
    fluctuations.append(1.9 * friction * _unit_noise(across, rng))
    for flux, least in ((exchange.heat, 0.05), (exchange.carbon_dioxide, 0.15), (exchange.water, 0.02)):
        deviation = max(least, 2.0 * abs(flux) / friction)
        correlation = flux / (deviation * 1.25 * friction)
        fluctuations.append(deviation * _correlated(w, _unit_noise(scalar, rng), correlation))
    u, v, t, c, q = fluctuations
    return wind_m_s + u, v, 1.25 * friction * w, t, c, q


def _unit_noise(spectrum: Series, rng: np.random.Generator) -> Series:
    """Gaussian noise with this power spectrum, mean 0 and standard deviation 1."""
    waves = np.sqrt(spectrum) * (rng.standard_normal(len(spectrum)) + 1j * rng.standard_normal(len(spectrum)))
    waves[0] = 0
    noise = np.fft.irfft(waves, ROWS)
    return np.asarray(noise / noise.std(), dtype=np.float64)


def _correlated(w: Series, own: Series, correlation: float) -> Series:
    bounded = float(np.clip(correlation, -0.6, 0.6))
    return np.asarray(bounded * w + np.sqrt(1 - bounded**2) * own, dtype=np.float64)


def _through_tube(air: Series) -> Series:
    """What the cell sees: later by the tube's lag."""
    return np.concatenate([np.repeat(air[:1], TUBE_LAG_ROWS), air[:-TUBE_LAG_ROWS]])
