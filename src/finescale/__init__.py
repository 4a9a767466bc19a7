"""Ensembles of fine, hourly, multi-variable weather from coarse climate simulations."""

__version__ = "0.1.0"
