"""Put a generative method together: a trained prior, a guidance, a sampler, and what validation days say of them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from finescale.fields.axis import segments
from finescale.fields.lanes import each
from finescale.guidance import following, swing
from finescale.guidance.conditions import conditions
from finescale.guidance.covariance import covariance_of
from finescale.guidance.following import Powers
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.guidance.spread import mended
from finescale.guidance.swing import Belief
from finescale.methods.downscaler import Downscaler
from finescale.methods.generative import GenerativeDownscaler
from finescale.methods.regression import RegressionDownscaler
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.blocks import block
from finescale.pipeline.stages.coarsen import operator
from finescale.prior.card import load_prior
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.window import WindowSpec
from finescale.scores.search import judge

# Days of a stretch of a validation block that is too long to be drawn.
STRETCH = 5


def downscaler(desk: Desk, method: str) -> Downscaler:
    """The method that the settings describe."""
    wanted = desk.setting(f"downscale.{method}")
    fine, prior = desk.open("reference"), load_prior(desk.path(f"prior-{wanted.prior}"))
    units = {name: str(fine[name].attrs["units"]) for name in prior.reads}
    if wanted.answer == "mean":
        return RegressionDownscaler(prior, operator(desk, fine), units)
    climate = desk.optional("climate")
    guidance = wanted.guidance.model_dump()
    made = GenerativeDownscaler(
        prior,
        operator(desk, fine),
        units,
        SamplerSpec(**wanted.sampler.model_dump()),
        GuidanceSpec(**guidance | {"std": tuple(sorted(guidance["std"].items()))}),
        WindowSpec(**wanted.windows.model_dump()),
        None if climate is None else GaussianClimate.from_dataset(climate.compute()),
        pace=wanted.pace,
        context_weight=wanted.context_weight,
        group=wanted.group,
        batch=wanted.batch,
        overlap=wanted.overlap,
    )
    if f"search-{method}" not in desk.stage.reads:
        return made
    return tuned(made, json.loads(desk.path(f"search-{method}").read_text(encoding="utf-8"))["chosen"])


def calibrated(desk: Desk, method: str, made: Downscaler) -> tuple[Downscaler, dict[str, Any]]:
    """The method with its spread mended by days of the past where that is wanted, and what was found there."""
    wanted = desk.setting(f"downscale.{method}").calibrate
    if wanted is None or not isinstance(made, GenerativeDownscaler):
        return made, {}
    made = replace(made, spread=(1.0,) * len(made.prior.variables))
    if made.guidance.follows and made.law is not None and made.prior.window > 1:
        belief, powers = _told(desk, made, made.law, wanted.swing)
        made = replace(made, swing=belief, follow=powers)
    coarse = block(desk, "coarse-reference", "validation").load()
    pieces = _stretches(coarse, made.coarsening.every, wanted.days)
    draw, drawn = partial(made, members=wanted.members, seed=desk.setting("seed")), []
    # Held here, the factors of one stretch serve all.
    shared = None if made.law is None else covariance_of(made.law)
    for piece in each(draw, pieces, made.device):
        drawn.append(piece)
        desk.progress("stretches of the validation block", len(drawn), len(pieces))
    del shared
    ensemble = xr.concat(drawn, "time", coords="minimal", compat="override", join="exact")
    found = judge({}, ensemble, block(desk, "reference", "validation")).spread_skill
    days = ensemble.sizes["time"] / 24
    factors = mended(found, days)
    told = {
        "days": days,
        "before": found,
        "after": {v: found[v] * factors[v] for v in found},
        "factors": factors,
        "powers": dict(zip(made.prior.variables, made.follow, strict=False)),
        "swing": dict(zip(made.prior.variables, made.swing, strict=False)),
    }
    return replace(made, spread=tuple(factors[v] for v in made.prior.variables)), {"spread": told}


def _told(
    desk: Desk, made: GenerativeDownscaler, climate: GaussianClimate, swings: bool
) -> tuple[Belief, Powers]:
    """How far days swing as their coarse data tell, where they may, and how far bands of waves follow activity.

    From the longest unbroken stretch of the training block.
    """
    coarse = block(desk, "coarse-reference", "train")
    stretch = segments(coarse["time"])
    longest = coarse.isel(time=stretch == np.bincount(stretch).argmax()).load()
    given, fine = conditions(longest, made.coarsening, made.prior.scaling), desk.open("reference")
    belief = swing.measured(given, climate, made.fine, fine) if swings else ()
    return belief, following.measured(given, climate, fine)


def _stretches(coarse: xr.Dataset, every: int, days: int) -> list[xr.Dataset]:
    """All of a block, or stretches of it at even distances that are so many days together."""
    stamps, size = coarse.sizes["time"], STRETCH * 24 // every
    if stamps * every <= 24 * days:
        return [coarse]
    starts = np.linspace(0, stamps - size, days // STRETCH).astype(int)
    return [coarse.isel(time=slice(start, start + size)) for start in starts]


def tuned(method: GenerativeDownscaler, values: Mapping[str, Any]) -> GenerativeDownscaler:
    """The same method with other constants of its guidance or sampler."""
    found = dict(values)
    if "std" in found:
        std = found["std"]
        each = std if isinstance(std, dict) else dict.fromkeys(method.prior.variables, std)
        found["std"] = tuple(sorted(each.items()))
    own = {name: found.pop(name) for name in ("churn", "steps") if name in found}
    return replace(method, sampler=replace(method.sampler, **own), guidance=replace(method.guidance, **found))
