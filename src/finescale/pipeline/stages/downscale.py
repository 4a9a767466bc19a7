"""Stages ``downscale-<method>``: fit the method, downscale every case, check what came out."""

import json
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from finescale.bias.observation_error import LIKE_WEATHER
from finescale.fields.attributes import LASTING, STANDARD_ERROR
from finescale.methods import card
from finescale.methods.bcsd import Bcsd
from finescale.methods.bilinear import Bilinear
from finescale.methods.downscaler import Downscaler, drawn
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.blocks import block
from finescale.pipeline.stages.cases import conditions, standard_errors
from finescale.pipeline.stages.coarsen import operator
from finescale.pipeline.stages.gate import check


def bilinear(desk: Desk) -> None:
    """Interpolate."""
    fine = desk.open("reference")
    grids = operator(desk, fine)
    units = {str(name): str(field.attrs["units"]) for name, field in fine.data_vars.items()}
    _cases(desk, "bilinear", Bilinear(grids.fine, grids.coarse, units, grids.how))


def bcsd(desk: Desk) -> None:
    """Bias correction and spatial disaggregation, its climatologies from the training period."""
    fine, coarse = (block(desk, name, "train") for name in ("reference", "coarse-reference"))
    waves, how = desk.setting("downscale.bcsd").harmonics, desk.setting("coarse").how
    _cases(desk, "bcsd", Bcsd.fit(fine, coarse, harmonics=waves, how=how))


def gaussian(desk: Desk) -> None:
    """Exact conditional draws of the fitted linear-Gaussian climate."""
    from finescale.methods.gaussian import Gaussian  # brings torch
    from finescale.prior.gaussian import GaussianClimate

    fine = desk.open("reference")
    units = {str(name): str(field.attrs["units"]) for name, field in fine.data_vars.items()}
    fitted = GaussianClimate.from_dataset(desk.open("climate").compute())
    own = desk.setting("downscale.gaussian")
    climate = fitted if own.together else fitted.apart()
    _cases(desk, "gaussian", Gaussian(operator(desk, fine), units, climate, own.error_scale))


def generative(desk: Desk, method: str) -> None:
    """Draw from a trained prior, guided by the coarse data; a killed run goes on from its last block."""
    from finescale.pipeline.stages.generate import calibrated, downscaler  # brings torch

    made, found = calibrated(desk, method, downscaler(desk, method))
    _cases(desk, method, made, known=_searched(desk, method) | found)


def _searched(desk: Desk, method: str) -> dict[str, Any]:
    """What a search found out about the method, for its card: constants, and scores before and after."""
    if (name := f"search-{method}") not in desk.stage.reads:
        return {}
    found = json.loads(desk.path(name).read_text(encoding="utf-8"))
    return {"search": {key: found[key] for key in ("chosen", "best", "before", "after")}}


def _cases(
    desk: Desk, method: str, downscaler: Downscaler, known: Mapping[str, object] = MappingProxyType({})
) -> None:
    """Save the method, then downscale the coarsened truth and each climate model."""
    folder = desk.new(f"model-{method}")
    downscaler.save(folder)
    errors = standard_errors(desk)
    masked = {str(n): float(f.isnull().mean()) for n, f in desk.open("reference").isel(time=0).items()}
    card.add(folder, {"standard_errors": errors, "masked": masked, **known})
    members, seed = desk.setting("downscale.members"), desk.setting("seed")
    wanted = [name for name in desk.stage.writes if name.startswith("ensemble-")]
    for done, name in enumerate(wanted):
        desk.progress("cases", done, len(wanted))
        case = name.removeprefix(f"ensemble-{method}-")
        coarse = conditions(desk, case)
        if case in errors:
            share = _lasting(desk, case)
            for variable, error in errors[case].items():
                coarse[variable].attrs |= {STANDARD_ERROR: error, LASTING: share}
        notes, told = desk.scratch() / case, partial(desk.progress, f"draws of {case}")
        desk.save(name, drawn(downscaler, coarse, notes, told, members=members, seed=seed))
    check(desk, "ensemble", wanted, f"gates-{method}", masked)


def _lasting(desk: Desk, case: str) -> float:
    """Share of R that lasts and reaches as weather does: of a model that runs freely, whose laws were compared."""
    return LIKE_WEATHER if "distance" in desk.open(f"error-{case.removeprefix('gcm-')}") else 0.0
