"""The storm as a moving picture in a file of its own: truth, coarse input and members side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from finescale.report.case import Case
from finescale.report.display import hour, shown

HOURS = 37
WIDTH = 200  # pixels of a panel
PAUSE = 160  # milliseconds of a frame
BAND = 16  # pixels of text above the panels
WHITE, BLACK, SHADES = 0, 1, 254  # of the palette: the first two, and the rest


def animate(case: Case, method: str, folder: Path) -> Path:
    """Write the hours around the storm as a GIF; the same fields give the same bytes.

    Args:
        case: The case.
        method: The method whose first two members are shown.
        folder: Where `storm-<case>.gif` goes.
    """
    name = "psl" if "psl" in case.variables else case.variables[0]
    window = case.window(HOURS)
    show = shown(name)
    truth = show.convert(case.truth[name].isel(time=window).transpose("time", "lat", "lon").to_numpy())
    clock = case.truth["time"].to_numpy()[window]
    known = case.coarse["time"].to_numpy()
    at = np.clip(np.searchsorted(known, clock, side="right") - 1, 0, None)
    coarse = show.convert(case.coarse[name].isel(time=at).transpose("time", "lat", "lon").to_numpy())
    members = case.ensembles[method][name].isel(time=window, member=slice(0, 2))
    panels = {"truth": truth, "coarse": coarse}
    for m, fields in enumerate(members.transpose("member", "time", "lat", "lon").to_numpy()):
        panels[f"{method} {m + 1}"] = show.convert(fields)
    low, high = show.scale([truth])
    # One palette for all frames: colours must mean the same in every hour.
    palette = _palette(show.colours)
    frames = [
        _frame({k: v[t] for k, v in panels.items()}, f"{show.label}, {hour(when)} UTC", palette, low, high)
        for t, when in enumerate(clock)
    ]
    path = folder / f"storm-{case.name}.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=PAUSE, loop=0, optimize=False)
    return path


def _palette(colours: str) -> bytes:
    """Give the 256 colours of the film: white, black, and a colour map in SHADES steps."""
    steps = colormaps[colours](np.linspace(0, 1, SHADES), bytes=True)[:, :3]
    return bytes([255, 255, 255, 0, 0, 0]) + np.ascontiguousarray(steps).tobytes()


def _frame(
    panels: dict[str, NDArray[np.float64]], title: str, palette: bytes, low: float, high: float
) -> Image.Image:
    """Put the panels of one hour side by side under their names, in numbers of the palette."""
    rows, columns = panels["truth"].shape
    height = round(WIDTH * rows / columns)
    frame = Image.new("P", (len(panels) * (WIDTH + 4) - 4, height + 2 * BAND), WHITE)
    frame.putpalette(palette)
    pen = ImageDraw.Draw(frame)
    pen.text((2, 2), title, fill=BLACK)
    for k, (label, values) in enumerate(panels.items()):
        step = np.rint(np.clip((values[::-1] - low) / (high - low), 0, 1) * (SHADES - 1))
        image = Image.fromarray((step + 2).astype(np.uint8))
        image.putpalette(palette)
        frame.paste(image.resize((WIDTH, height), Image.Resampling.NEAREST), (k * (WIDTH + 4), 2 * BAND))
        pen.text((k * (WIDTH + 4) + 2, BAND + 2), label, fill=BLACK)
    return frame
