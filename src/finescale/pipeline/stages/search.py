"""Stages ``search-<method>``: a generative method's constants, chosen on the validation block."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.attributes import STANDARD_ERROR
from finescale.methods.generative import GenerativeDownscaler
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.blocks import block
from finescale.pipeline.stages.cases import standard_errors
from finescale.pipeline.stages.generate import downscaler, tuned
from finescale.scores.search import Trial, choose, grid_of, judge


def search(desk: Desk, method: str) -> None:
    """Try every candidate on the first hours of the block, then show on its last hours what the best one gains."""
    wanted = desk.setting(f"downscale.{method}").search
    plain = downscaler(desk, method)
    if not isinstance(plain, GenerativeDownscaler):
        raise FinescaleError(
            f"a search is for methods that draw: {method} answers with a mean; leave search out"
        )
    if wanted.steps is not None:
        plain = replace(plain, sampler=replace(plain.sampler, steps=wanted.steps))
    coarse = block(desk, "coarse-reference", "validation").load()
    if wanted.error_scale:
        coarse = _blurred(desk, coarse)
    stamps = wanted.hours // desk.setting("coarse").every + 1
    if coarse.sizes["time"] < 2 * stamps:
        raise FinescaleError(
            f"a search needs twice its hours in the validation block: {coarse.sizes['time']} coarse times, "
            f"{2 * stamps} wanted; lower downscale.{method}.search.hours"
        )
    truth = block(desk, "reference", "validation")

    def attempt(values: Mapping[str, Any], part: slice) -> Trial:
        drawn = tuned(plain, values)(
            coarse.isel(time=part), members=wanted.members, seed=desk.setting("seed")
        )
        return judge(values, drawn, truth)

    first, last = slice(0, stamps), slice(coarse.sizes["time"] - stamps, None)
    grid, trials = grid_of(wanted.candidates), []
    for done, values in enumerate(grid):
        desk.progress("candidates", done, len(grid))
        trials.append(attempt(values, first))
    chosen = choose(trials)
    before, after = attempt({}, last), attempt(chosen, last)
    body = {
        # What does not hold on other hours is not taken over.
        "chosen": chosen if after.total < before.total else {},
        "best": chosen,
        "before": asdict(before),
        "after": asdict(after),
        "tried": [asdict(trial) for trial in trials],
    }
    desk.new(f"search-{method}").write_text(
        json.dumps(body, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )


def _blurred(desk: Desk, coarse: xr.Dataset) -> xr.Dataset:
    """Coarse data with independent errors of the largest R that a climate model has, which they carry."""
    found = standard_errors(desk).values()
    rng = np.random.Generator(np.random.Philox(key=[desk.setting("seed"), 0x5EA]))
    fields = {}
    for name in sorted(map(str, coarse.data_vars)):
        std = max((errors[name] for errors in found), default=0.0)
        field = coarse[name]
        noise = rng.standard_normal(field.shape).astype(field.dtype)
        fields[name] = (field + std * noise).assign_attrs(field.attrs | {STANDARD_ERROR: std})
    return xr.Dataset(fields)
