"""A small invented world: a coast with mountains, a fine reanalysis of it, and two coarse climate models.

Invented but physical, and deterministic from a seed: lows and fronts that travel with a steering wind, mesoscale
eddies with power-law spectra, near-geostrophic wind that land and mountains turn and slow, days and seasons,
breezes, cold pools and rain. What is known for certain of it (model errors, warming) is in `known`.
"""

from finescale.climate.twin.build import build
from finescale.climate.twin.known import BIASES, WARMING, Bias, Warming

__all__ = ["BIASES", "WARMING", "Bias", "Warming", "build"]
