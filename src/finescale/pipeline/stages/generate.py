"""Put a generative method together: a trained prior, a guidance, a sampler, and constants chosen by a search."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.solver import SamplerSpec
from finescale.methods.downscaler import Downscaler
from finescale.methods.generative import GenerativeDownscaler
from finescale.methods.regression import RegressionDownscaler
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.coarsen import operator
from finescale.prior.card import load_prior
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.window import WindowSpec


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


def tuned(method: GenerativeDownscaler, values: Mapping[str, Any]) -> GenerativeDownscaler:
    """The same method with other constants of its guidance or sampler."""
    found = dict(values)
    if "std" in found:
        std = found["std"]
        each = std if isinstance(std, dict) else dict.fromkeys(method.prior.variables, std)
        found["std"] = tuple(sorted(each.items()))
    own = {name: found.pop(name) for name in ("churn", "steps") if name in found}
    return replace(method, sampler=replace(method.sampler, **own), guidance=replace(method.guidance, **found))
