"""The one schema of params.yaml: frozen, checked once, every unknown key an error that names its line."""

from finescale.settings.data import Series
from finescale.settings.latent import LatentPrior
from finescale.settings.operation import Production, Promotion
from finescale.settings.reading import declared, given, load_settings
from finescale.settings.schema import Settings

__all__ = [
    "LatentPrior",
    "Production",
    "Promotion",
    "Series",
    "Settings",
    "declared",
    "given",
    "load_settings",
]
