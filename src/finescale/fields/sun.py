"""Where the sun stands, and what it makes of a day."""

import math

import torch
from torch import Tensor

# Of a day and night between which phases are stretched, the shorter is at least this share of half a turn.
SHORTEST = 0.15


def cos_zenith(clock: Tensor, lat: Tensor, lon: Tensor) -> Tensor:
    """Cosine of the solar zenith angle.

    Solar time is without the equation of time (at most 16 minutes off).

    Args:
        clock: ``[..., 2]``, fractions of year and UTC day.
        lat: ``[H, W]`` in degrees.
        lon: ``[H, W]`` in degrees.

    Returns:
        ``[..., H, W]`` in [-1, 1]; negative at night.
    """
    tilt, day = declination(clock[..., 0, None, None]), clock[..., 1, None, None]
    hour_angle = 2 * math.pi * (day - 0.5) + torch.deg2rad(lon)
    phi = torch.deg2rad(lat)
    return torch.sin(phi) * torch.sin(tilt) + torch.cos(phi) * torch.cos(tilt) * torch.cos(hour_angle)


def declination(year: Tensor) -> Tensor:
    """Of the sun, in radians, at fractions of the year, a quarter of a degree off at most.

    Its ecliptic longitude is that of the Astronomical Almanac's low-precision formulas: the mean longitude of 1 January
    in the leap cycle 2001 to 2004, and the first term of the equation of the centre.
    """
    turn = 2 * math.pi * year
    centre = math.radians(1.915) * torch.sin(turn - math.radians(2.62))
    return torch.asin(math.sin(math.radians(23.44)) * torch.sin(turn + math.radians(280.36) + centre))


def phase(clock: Tensor, latitude: float, longitude: float) -> Tensor:
    """Fraction of the day as the sun has it: noon at a half, sunrise and sunset a quarter before and after.

    What follows the sun, temperature first of all, is the same at a phase of March as at that of May, where the hour
    of sunrise is another.

    Args:
        clock: ``[..., 2]``, fractions of year and UTC day.
        latitude: in degrees; where the sun does not rise or set, as near the circle as it does.
        longitude: in degrees.

    Returns:
        ``[...]`` in [0, 1].
    """
    half = torch.acos(
        (-math.tan(math.radians(latitude)) * torch.tan(declination(clock[..., 0]))).clamp(-1, 1)
    )
    half = (half / math.pi).clamp(SHORTEST, 1 - SHORTEST)
    angle = 2 * torch.remainder(clock[..., 1] + longitude / 360, 1) - 1
    away = angle.abs()
    turned = torch.where(away <= half, away / half, 1 + (away - half) / (1 - half)) / 2
    return (1 + torch.sign(angle) * turned) / 2
