"""Prefect's door: the only place that knows it."""
