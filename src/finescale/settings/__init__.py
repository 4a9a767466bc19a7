"""The one schema of params.yaml: frozen, checked once, every unknown key an error that names its line."""

from finescale.settings.data import Series
from finescale.settings.reading import given, load_settings
from finescale.settings.schema import GENERATIVE, Downscale, Settings

__all__ = ["GENERATIVE", "Downscale", "Series", "Settings", "given", "load_settings"]
