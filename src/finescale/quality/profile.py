"""A dataset becomes a long table: one row per variable, period and check, in one pass and in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from finescale.errors import FinescaleError
from finescale.quality import axes, holes, layout, stream, timeaxis
from finescale.quality.balance import Balance
from finescale.quality.cross import Relations
from finescale.quality.layout import Field
from finescale.quality.statistics import Series, Tally
from finescale.quality.timeaxis import STATIC, TimeAxis

WHOLE = "all"
ENOUGH_VALUES = 400  # below, the two extremes themselves are a visible share
LEVELS = {"q01": 0.01, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q99": 0.99}


class Row(NamedTuple):
    """One line of a profile: what was found about a variable in a period, as a number or as a text."""

    variable: str
    member: str
    period: str
    check: str
    value: float = np.nan
    text: str = ""


def profile(ds: xr.Dataset, *, name: str = "dataset", store: str | Path | None = None) -> pd.DataFrame:
    """Measure a dataset.

    Values are in canonical units (K, Pa, m s-1, kg m-2 s-1) when the variable is known and its units can be read.
    Minima, maxima, counts and jumps are over every value; the quantiles `q..` and `edge_share` over an even sample.

    Args:
        ds: fields with dims ``[member,] time, lat, lon`` (any names), as published or harmonised, lazy or not.
        name: what messages call the dataset: a file or a source.
        store: the Zarr store behind it, to look for missing chunks; none for other formats.

    Returns:
        Columns `dataset, variable, member, period, check, value, text`. Axes are the variables time, lat and lon; what
        concerns all periods has the period `all`.

    Raises:
        FinescaleError: there is no field, or its values cannot be read.
    """
    axis = timeaxis.read(ds)
    found = layout.fields(ds, axis.step)
    if not found:
        raise FinescaleError(
            f"a dataset has fields on a map: {name} has none among {sorted(map(str, ds.data_vars))}; see its source"
        )
    measured = list(_measured(ds, found, axis, name))
    rows = [*_axes(ds, axis), *_claims(ds, found), *measured, *_compared(measured)]
    if store is not None:
        known = {f.name: f.canonical for f in found}
        rows += [Row(known[n], "", WHOLE, "holes", v) for n, v in holes.count(store).items() if n in known]
    table = pd.DataFrame(rows, columns=list(Row._fields))
    table.insert(0, "dataset", name)
    return table


def _axes(ds: xr.Dataset, axis: TimeAxis) -> Iterator[Row]:
    for variable, facts in ({"time": axis.facts} | axes.read(ds)).items():
        for check, value in facts.items():
            if isinstance(value, str):
                yield Row(variable, "", WHOLE, check, text=value)
            else:
                yield Row(variable, "", WHOLE, check, value)


def _claims(ds: xr.Dataset, found: Iterable[Field]) -> Iterator[Row]:
    """What attributes say, once for each variable."""
    for field in {f.name: f for f in found}.values():
        yield Row(field.canonical, "", WHOLE, "cells", float(np.prod(ds[field.name].shape[-2:])))
        yield Row(field.canonical, "", WHOLE, "units", text=field.units or "none")
        if field.variable is not None:
            standard = str(ds[field.name].attrs.get("standard_name", "none"))
            yield Row(field.canonical, "", WHOLE, "units_fit", float(np.isfinite(field.factor)))
            yield Row(field.canonical, "", WHOLE, "standard_name", text=standard)
            fits = standard in ("none", "unknown") or standard in field.variable.standard_names
            yield Row(field.canonical, "", WHOLE, "standard_name_fits", float(fits))
            if (height := layout.height(ds[field.name])) is not None:
                yield Row(field.canonical, "", WHOLE, "height", height)


def _measured(ds: xr.Dataset, found: list[Field], axis: TimeAxis, name: str) -> Iterator[Row]:
    members: dict[str, list[Field]] = {}
    for field in found:
        members.setdefault(field.member if field.timed else "static", []).append(field)
    for member, fields in members.items():
        if member == "static":
            for field in fields:
                yield from _static(ds, field, name)
            continue
        relations = Relations(Balance.on(*axes.degrees(ds)))
        series = _pass(ds, fields, axis, relations, name)
        for field in fields:
            yield from _summary(field, series[field.name])
        for variable, check, period, value in relations.found():
            yield Row(variable, member, period, check, value)


def _static(ds: xr.Dataset, field: Field, name: str) -> Iterator[Row]:
    lifted = ds[[field.name]].expand_dims("time")
    timed = Field(**{**vars(field), "timed": True})
    yield from _summary(field, _pass(lifted, [timed], STATIC, Relations(), name)[field.name])


def _pass(
    ds: xr.Dataset, fields: list[Field], axis: TimeAxis, relations: Relations, name: str
) -> Mapping[str, Series]:
    """Stream the fields of one member once; variables are judged side by side."""
    series = {f.name: Series(natural_zero=f.variable is None or f.variable.kind == "ratio") for f in fields}
    wanted = relations.wanted({f.canonical for f in fields if np.isfinite(f.factor)})
    related = [f for f in fields if f.canonical in wanted]
    with ThreadPoolExecutor() as workers:
        for block, values in stream.blocks(ds, fields, name):
            jobs = [workers.submit(_feed, series[f.name], values[f.name], block, axis) for f in fields]
            if related:
                jobs.append(workers.submit(_relate, relations, related, values, block, axis))
            for job in jobs:
                job.result()
    return series


def _feed(series: Series, values: np.ndarray, block: slice, axis: TimeAxis) -> None:
    for part, period, follows, copied in stream.pieces(block, axis, values[0].nbytes):
        series.add(values[part], period, follows=follows, copied=copied)


def _relate(
    relations: Relations, fields: list[Field], values: Mapping[str, np.ndarray], block: slice, axis: TimeAxis
) -> None:
    for part, period, *_ in stream.pieces(block, axis, values[fields[0].name][0].nbytes):
        relations.add({f.canonical: values[f.name][part] * f.factor + f.offset for f in fields}, period)


def _summary(field: Field, series: Series) -> Iterator[Row]:
    """The rows of one field: converted to canonical units, and compared with its other periods."""
    factor, offset = (field.factor, field.offset) if np.isfinite(field.factor) else (1.0, 0.0)
    masked = int(series.always_missing.sum()) if series.always_missing is not None else 0
    for period, tally in series.tallies.items():
        for check, value in _checks(tally, masked, factor, offset).items():
            yield Row(field.canonical, field.member, period, check, value)


def _compared(rows: Iterable[Row]) -> Iterator[Row]:
    """Each period of each member against the middle of all: distance of its mean, ratio of its spread."""
    means: dict[str, list[Row]] = {}
    spreads: dict[str, list[Row]] = {}
    for row in rows:
        if row.check in ("mean", "std") and np.isfinite(row.value):
            (means if row.check == "mean" else spreads).setdefault(row.variable, []).append(row)
    for name, group in means.items():
        if len(group) > 1:
            middle = float(np.median([r.value for r in group]))
            usual = float(np.median([r.value for r in spreads[name]]))
            yield from (r._replace(check="shift", value=r.value - middle) for r in group)
            if usual > 0:
                yield from (r._replace(check="spread_ratio", value=r.value / usual) for r in spreads[name])


def _checks(tally: Tally, masked: int, factor: float, offset: float) -> dict[str, float]:
    total = tally.count + tally.missing + tally.infinite
    found = {
        "steps": float(tally.steps),
        "infinite": float(tally.infinite),
        "nan_share": tally.missing / total,
        "nan_loose": float(tally.missing + tally.infinite - tally.steps * masked),
        "min": tally.low * factor + offset,
        "max": tally.high * factor + offset,
        "mean": tally.mean * factor + offset if tally.count else np.nan,
        "std": float(np.sqrt(tally.squares / tally.count)) * factor if tally.count else np.nan,
        "constant_fields": float(tally.constant),
        "frozen_fields": float(tally.frozen),
        "repeated_fields": float(tally.repeated),
        "stuck_steps": float(tally.stuck),
        "zero_share": tally.zero_share,
    }
    scaled = {"jump_time": tally.jump_time, "spike": tally.spike, "jump_space": tally.jump_space}
    found |= {check: value * factor for check, value in scaled.items() if np.isfinite(value)}
    if np.isfinite(tally.flat_share):
        found["flat_share"] = tally.flat_share
    sample = np.concatenate(tally.sample)
    sample = sample[np.isfinite(sample)]
    if sample.size:
        if tally.count >= ENOUGH_VALUES:
            found["edge_share"] = float(np.mean((sample == tally.low) | (sample == tally.high)))
        quantiles = np.quantile(sample, list(LEVELS.values()))
        found |= {check: float(v) * factor + offset for check, v in zip(LEVELS, quantiles, strict=True)}
    return found
