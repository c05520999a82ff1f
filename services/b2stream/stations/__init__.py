"""Descriptions of stations: written by people as TOML, published to the topic `stations`, and known to every program from there."""
