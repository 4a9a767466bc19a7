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
    frames = [
        _frame(
            {k: v[t] for k, v in panels.items()}, f"{show.label}, {hour(when)} UTC", show.colours, low, high
        )
        for t, when in enumerate(clock)
    ]
    # One palette for all frames: colours must mean the same in every hour.
    palette = frames[len(frames) // 2].quantize(colors=255, dither=Image.Dither.NONE)
    drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    path = folder / f"storm-{case.name}.gif"
    drawn[0].save(path, save_all=True, append_images=drawn[1:], duration=PAUSE, loop=0, optimize=False)
    return path


def _frame(
    panels: dict[str, NDArray[np.float64]], title: str, colours: str, low: float, high: float
) -> Image.Image:
    """Put the panels of one hour side by side under their names."""
    rows, columns = panels["truth"].shape
    height = round(WIDTH * rows / columns)
    frame = Image.new("RGB", (len(panels) * (WIDTH + 4) - 4, height + 2 * BAND), "white")
    pen = ImageDraw.Draw(frame)
    pen.text((2, 2), title, fill="black")
    for k, (label, values) in enumerate(panels.items()):
        rgb = colormaps[colours](np.clip((values[::-1] - low) / (high - low), 0, 1), bytes=True)[..., :3]
        image = Image.fromarray(np.ascontiguousarray(rgb)).resize((WIDTH, height), Image.Resampling.NEAREST)
        frame.paste(image, (k * (WIDTH + 4), 2 * BAND))
        pen.text((k * (WIDTH + 4) + 2, BAND + 2), label, fill="black")
    return frame
