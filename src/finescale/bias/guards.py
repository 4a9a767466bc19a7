"""What a correction must never do silently; each failure names the variable, the cell and the figure."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from finescale.bias.compiled import Floats
from finescale.bias.sample import Rule, Sample, Tables
from finescale.bias.transfer import map_values
from finescale.climate.variables import VARIABLES
from finescale.errors import FinescaleError

REPRODUCED = 1e-6
"""Greatest relative error of a calibration quantile after the map."""

CORRELATION_SLACK = 0.02
"""Rise of the mean correlation error that sampling alone may bring."""

Name = Callable[[int], str]


def first_cell(bad: NDArray[np.bool_], sample: Sample) -> int:
    """Number of the first cell with anything bad in it."""
    return int(sample.cells[np.flatnonzero(bad.reshape(bad.shape[0], -1).any(axis=1))[0]])


def check_input(sample: Sample, rule: Rule, side: str, missing: str, name: Name) -> None:
    """Refuse missing or infinite values, unless missing ones are masked on purpose."""
    gone = np.isnan(sample.values)
    if np.isinf(sample.values).any():
        cell = first_cell(np.isinf(sample.values), sample)
        raise FinescaleError(
            f"values are finite: {rule.name} of the {side} is infinite at {name(cell)}; mend the input"
        )
    if missing == "mask" or not gone.any():
        return
    cell = first_cell(gone, sample)
    share = gone[np.flatnonzero(sample.cells == cell)[0]].mean()
    what = "has no value at all" if share == 1.0 else f"lacks {share:.2%} of its values"
    raise FinescaleError(
        f"a series is complete: {rule.name} of the {side} {what} at {name(cell)}; "
        "fill it, leave the cell out, or mask missing values on purpose (missing='mask')"
    )


def check_tables(tables: Tables, rule: Rule, reference: Sample, historical: Sample, name: Name) -> None:
    """Refuse maps with holes, maps that fall, and maps that miss the calibration quantiles."""
    used = np.flatnonzero(historical.index.pool_sizes > 0)
    whole = ~(np.isnan(reference.values).all(axis=1) | np.isnan(historical.values).all(axis=1))
    for table, values in tables.items():
        holes = np.isnan(values[:, used]) & whole.reshape(-1, *(1,) * (values.ndim - 1))
        if holes.any():
            cell = first_cell(holes, historical)
            raise FinescaleError(
                f"every group has enough values to fit a map: {table} of {rule.name} has {int(holes.sum())} "
                f"holes, the first at {name(cell)}; widen the window, group by month, or give more years"
            )
    if "model" in tables and whole.any():
        _check_quantiles(
            tables["model"][whole], tables["reference"][whole], rule, historical.cells[whole], name
        )


def _check_quantiles(old: Floats, new: Floats, rule: Rule, cells: NDArray[np.int64], name: Name) -> None:
    count, groups, nodes = old.shape
    for what, table in (("model", old), ("reference", new)):
        falls = np.diff(table, axis=2) < 0.0
        if falls.any():
            cell = int(cells[np.flatnonzero(falls.any(axis=(1, 2)))[0]])
            raise FinescaleError(
                f"a map rises: quantiles of the {what} of {rule.name} fall by {-np.diff(table, axis=2).min():.4g} "
                f"at {name(cell)}; use constant tails or a wider window"
            )
    # Tied quantiles of the model (no rain) stand for many of the reference: no function can reproduce those.
    tied = np.zeros_like(old, dtype=bool)
    tied[..., 1:] |= np.diff(old, axis=2) == 0.0
    tied[..., :-1] |= np.diff(old, axis=2) == 0.0
    flat = np.repeat(np.arange(groups), nodes)
    mapped = map_values(old.reshape(count, -1), flat, old, new, rule.ratio, rule.nearest).reshape(old.shape)
    scale = np.maximum(np.abs(new), np.abs(new).max(axis=2, keepdims=True))
    error = np.where(
        tied | (rule.ratio & (old <= 0.0)) | np.isnan(old),
        0.0,
        np.abs(mapped - new) / np.maximum(scale, 1e-300),
    )
    if error.max(initial=0.0) > REPRODUCED:
        cell = int(cells[np.flatnonzero(error.max(axis=(1, 2)) > REPRODUCED)[0]])
        raise FinescaleError(
            f"calibration quantiles are reproduced to {REPRODUCED:g}: {rule.name} misses one by {error.max():.3g} "
            f"of its size at {name(cell)}; report this"
        )


def check_complete(values: Floats, names: tuple[str, ...], side: str, name: Name) -> None:
    """Refuse gaps where variables are mapped together; a cell without any value may stay without [cell, axis, time]."""
    gaps = np.isnan(values)
    partly = gaps.any(axis=(1, 2)) & ~gaps.all(axis=(1, 2))
    if partly.any():
        k = int(np.flatnonzero(partly)[0])
        variable = names[int(np.flatnonzero(gaps[k].any(axis=1))[0])]
        raise FinescaleError(
            f"variables mapped together are complete: {variable} of the {side} lacks "
            f"{gaps[k].mean():.2%} of all values at {name(k)}; fill them, or use qdm"
        )


def check_joint(misfit: Floats, names: tuple[str, ...], name: Name) -> None:
    """Refuse a joint map that makes the correlations between variables worse [cell, group, before and after]."""
    mean = np.nanmean(np.where(np.isnan(misfit).all(axis=(1, 2), keepdims=True), 0.0, misfit), axis=1)
    worse = mean[:, 1] > mean[:, 0] + CORRELATION_SLACK
    if worse.any():
        k = int(np.flatnonzero(worse)[0])
        raise FinescaleError(
            f"a joint map betters the correlations of {', '.join(names)}: their mean error goes from "
            f"{mean[k, 0]:.3f} to {mean[k, 1]:.3f} at {name(k)}; use qdm, or fewer and larger groups"
        )


def check_output(
    before: Sample, after: Floats, rule: Rule, name: Name, blank: NDArray[np.bool_] | None = None
) -> Floats:
    """Refuse new missing values, new zeros and what no weather can be; amounts are cut at their physical limits.

    Args:
        before: values before the map.
        after: values after it [cell, time].
        rule: how they were mapped.
        name: of a cell.
        blank: cells that were masked on purpose [cell].

    Returns:
        The values, amounts within their limits [cell, time].
    """
    if after.shape != before.values.shape:
        raise FinescaleError(
            f"a run keeps its length: {rule.name} had {before.values.shape[1]} steps, has {after.shape[1]}; report this"
        )
    new_gaps = ~np.isfinite(after) & np.isfinite(before.values)
    if blank is not None:
        new_gaps[blank] = False
    if new_gaps.any():
        cell = first_cell(new_gaps, before)
        raise FinescaleError(
            f"no value is lost: {int(new_gaps.sum())} of {rule.name} became missing, the first at {name(cell)}; "
            "the calibration knows no such hour, day or cell"
        )
    if not rule.ratio:
        zeros = (after == 0.0) & (before.values != 0.0)
        if zeros.mean() > 1e-3:
            cell = first_cell(zeros, before)
            raise FinescaleError(
                f"no value becomes zero: {zeros.mean():.2%} of {rule.name} did, the first at {name(cell)}; report this"
            )
    known = VARIABLES.get(rule.name)
    if known is None:
        return after
    if known.kind == "ratio":
        return np.clip(after, max(known.low, 0.0), known.high)
    beyond = (after < known.low) | (after > known.high)
    if beyond.any():
        cell, worst = first_cell(beyond, before), after[beyond][0]
        raise FinescaleError(
            f"{rule.name} stays within {known.low:g}..{known.high:g} {known.units}: {worst:.6g} at {name(cell)}; "
            "look at the units and the calibration of this cell"
        )
    return after
