"""Downscalers: every method and every baseline behind one call."""
