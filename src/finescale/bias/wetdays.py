"""Dry steps: traces are set to zero, and where the model is dry more often than the reference, some get a little rain.

The ratio of the reference's amount to a trace of 1e-12 mm is no correction: a wetter run has real rain at that rank.
And a map of ratios can never make rain out of nothing: without given rain the wet steps would have to carry all the
missing amount.

Themessl, Gobiet and Heinrich (2012), Empirical-statistical downscaling and error correction of regional climate
models and its impact on the climate change signal, https://doi.org/10.1007/s10584-011-0224-4
"""

from dataclasses import replace
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from finescale.bias.compiled import Floats
from finescale.bias.sample import Rule, Sample, Tables
from finescale.bias.scaling import pool_mean
from finescale.bias.windows import window_quantiles


def dried(sample: Sample, rule: Rule) -> Sample:
    """Set the amounts up to the wet threshold to exactly zero; missing values stay missing."""
    if rule.wet_threshold is None:
        return sample
    return replace(sample, values=np.where(sample.values <= rule.wet_threshold, 0.0, sample.values))


def fit_wet_days(reference: Sample, historical: Sample, rule: Rule) -> Tables:
    """Share of the model's dry steps that become wet and the greatest amount they get [cell, group]; zeros for none."""
    index = historical.index
    shape = (historical.values.shape[0], index.starts.size - 1)
    if rule.wet_threshold is None:
        return {"wetted": np.zeros(shape), "wet_below": np.zeros(shape)}
    dry_model, dry_reference = (
        _dry_share(historical, rule.wet_threshold),
        _dry_share(reference, rule.wet_threshold),
    )
    excess = np.where(
        dry_model > 0.0, (dry_model - dry_reference) / np.where(dry_model > 0.0, dry_model, 1.0), 0.0
    )
    wetted = np.clip(excess, 0.0, 1.0)
    # The reference's amount at the rank of the model's first wet step.
    probabilities = np.linspace(0.0, 1.0, 1001)
    table = window_quantiles(
        reference.values,
        reference.index.order,
        reference.index.starts,
        reference.index.slots,
        reference.index.half,
        probabilities,
        0.0,
        1.0,
    )
    position = np.clip(np.nan_to_num(dry_model) * 1000.0, 0.0, 1000.0)
    low = np.minimum(position.astype(np.int64), 999)
    below, above = (np.take_along_axis(table, k[..., None], axis=2)[..., 0] for k in (low, low + 1))
    amount = below + (above - below) * (position - low)
    return {"wetted": wetted, "wet_below": np.where(wetted > 0.0, amount, 0.0)}


def adapt(sample: Sample, tables: Tables, rule: Rule) -> Sample:
    """Give the fitted share of the dry steps an amount between the threshold and the fitted greatest one, others none.

    Which steps and which amounts depends on the seed, the variable, the cell and the instant alone: not on blocks,
    nor on the length of the run.
    """
    if rule.wet_threshold is None:
        return sample
    group, threshold = sample.index.group, rule.wet_threshold
    chosen = (
        uniform(rule.seed, f"{rule.name} wetted", sample.cells, sample.stamps) < tables["wetted"][:, group]
    )
    share = uniform(rule.seed, f"{rule.name} amount", sample.cells, sample.stamps)
    amount = threshold + share * (np.maximum(tables["wet_below"][:, group], threshold) - threshold)
    given = np.where(chosen, amount, 0.0)
    return replace(sample, values=np.where(sample.values <= threshold, given, sample.values))


def _dry_share(sample: Sample, threshold: float) -> Floats:
    dry = np.where(np.isnan(sample.values), np.nan, (sample.values <= threshold).astype(np.float64))
    return pool_mean(replace(sample, values=dry))


def uniform(seed: int, stream: str, cells: NDArray[np.int64], stamps: NDArray[np.int64]) -> Floats:
    """Uniform numbers in [0, 1) that are a function of (seed, stream, cell, instant) [cell, time].

    The finalizer of SplitMix64 over a counter: Steele, Lea and Flood (2014), https://doi.org/10.1145/2714064.2660195
    """
    key = np.uint64((seed * 0x9E3779B97F4A7C15 + crc32(stream.encode())) % 2**64)
    state = _mix(_mix(cells.astype(np.uint64) ^ key)[:, None] + stamps.astype(np.uint64)[None, :])
    return np.asarray((state >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(state ^ (state >> np.uint64(31)))
