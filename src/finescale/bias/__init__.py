"""Bias correction: fitted maps from a climate model's distribution to the reference's."""
