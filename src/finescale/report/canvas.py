"""One way to make and save a figure: no global state, the same bytes for the same numbers."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DPI = 110
FEW = 6  # names beside the lines they belong to; more would cover them


@dataclass(frozen=True)
class Picture:
    """A finished figure.

    Attributes:
        name: File name without its ending.
        png: The bytes of the PNG file.
        alt: What it shows, in words, for those who cannot see it.
        caption: What to look for.
        width: In pixels.
        height: In pixels.
    """

    name: str
    png: bytes
    alt: str
    caption: str
    width: int
    height: int

    def write(self, folder: Path) -> Path:
        """Put the file into a folder."""
        path = folder / f"{self.name}.png"
        path.write_bytes(self.png)
        return path


def blank(width: float, height: float) -> Figure:
    """Give an empty figure of a size in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def key(figure: Figure, axis: Axes) -> None:
    """Say which line is whose: inside the axis while few, in rows below the figure when many."""
    handles, labels = axis.get_legend_handles_labels()
    if len(labels) <= FEW:
        axis.legend(fontsize=7, loc="lower left")
        return
    columns = max(2, int(figure.get_figwidth() // 1.5))
    figure.legend(handles, labels, fontsize=7, loc="outside lower left", ncols=columns, frameon=False)


def picture(figure: Figure, name: str, *, alt: str, caption: str) -> Picture:
    """Render a figure; no date and no version goes into the file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    width, height = (round(inches * DPI) for inches in figure.get_size_inches())
    return Picture(name, stream.getvalue(), alt, caption, width, height)
