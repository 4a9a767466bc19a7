"""Names to methods: the only list of what there is."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from finescale.errors import FinescaleError
from finescale.methods import card
from finescale.methods.downscaler import Downscaler

# Modules are imported when a method is loaded: some bring torch.
METHODS = {
    "bilinear": "bilinear.Bilinear",
    "bcsd": "bcsd.Bcsd",
    "gaussian": "gaussian.Gaussian",
    "generative": "generative.GenerativeDownscaler",
    "regression": "regression.RegressionDownscaler",
}

# Methods whose members differ; the others have one, whatever is asked.
DRAWING = ("gaussian", "generative")

# What a consumer of a method needs beside numpy and xarray.
NEEDS = dict.fromkeys(("gaussian", "generative", "regression"), ("torch", "safetensors"))


def needs(folder: Path) -> tuple[str, ...]:
    """Packages that a saved method imports beyond those that all import."""
    return NEEDS.get(card.load(folder).method, ())


def load(folder: Path) -> Downscaler:
    """A saved method of any kind, ready for use."""
    method = card.load(folder).method
    if method not in METHODS:
        raise FinescaleError(f"no method {method}: there are {', '.join(METHODS)}; update finescale")
    module, _, name = METHODS[method].partition(".")
    reader: Callable[[Path], Downscaler] = getattr(import_module(f"finescale.methods.{module}"), name).load
    return reader(folder)
