"""Stations that do not exist, for a sandbox without data of its own: they write real formats with days and seasons in them."""

from b2stream.sandbox.simulate.stations import SIZES, SimulatedFile, simulate_station_files

__all__ = ["SIZES", "SimulatedFile", "simulate_station_files"]
