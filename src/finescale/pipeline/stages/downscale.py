"""Stages ``downscale-<method>``: fit the method, downscale every case, check what came out."""

import xarray as xr

from finescale.climate.subset import crop_period
from finescale.methods.bcsd import Bcsd
from finescale.methods.bilinear import Bilinear
from finescale.methods.downscaler import Downscaler
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.blocks import block
from finescale.pipeline.stages.coarsen import operator
from finescale.pipeline.stages.gate import check


def bilinear(desk: Desk) -> None:
    """Interpolate."""
    fine = desk.open("reference")
    grids = operator(desk, fine)
    units = {str(name): str(field.attrs["units"]) for name, field in fine.data_vars.items()}
    _cases(desk, "bilinear", Bilinear(grids.fine, grids.coarse, units))


def bcsd(desk: Desk) -> None:
    """Bias correction and spatial disaggregation, its climatologies from the training period."""
    fine, coarse = (block(desk, name, "train") for name in ("reference", "coarse-reference"))
    _cases(desk, "bcsd", Bcsd.fit(fine, coarse, harmonics=desk.setting("downscale.bcsd").harmonics))


def gaussian(desk: Desk) -> None:
    """Exact conditional draws of the fitted linear-Gaussian climate."""
    from finescale.methods.gaussian import Gaussian  # brings torch
    from finescale.prior.gaussian import GaussianClimate

    fine = desk.open("reference")
    units = {str(name): str(field.attrs["units"]) for name, field in fine.data_vars.items()}
    fitted = GaussianClimate.from_dataset(desk.open("climate").compute())
    _cases(desk, "gaussian", Gaussian(operator(desk, fine), units, fitted))


def generative(desk: Desk, method: str) -> None:
    """Draw from a trained prior, guided by the coarse data; a killed run goes on from its last block."""
    from finescale.pipeline.stages.generate import downscaler  # brings torch

    _cases(desk, method, downscaler(desk, method))


def _cases(desk: Desk, method: str, downscaler: Downscaler) -> None:
    """Save the method, then downscale the coarsened truth and each climate model."""
    downscaler.save(desk.new(f"model-{method}"))
    members, seed = desk.setting("downscale.members"), desk.setting("seed")
    wanted = [name for name in desk.stage.writes if name.startswith("ensemble-")]
    for done, name in enumerate(wanted):
        desk.progress("cases", done, len(wanted))
        case = name.removeprefix(f"ensemble-{method}-")
        desk.save(name, downscaler(conditions(desk, case), members=members, seed=seed))
    check(desk, "ensemble", wanted, f"gates-{method}")


def conditions(desk: Desk, case: str) -> xr.Dataset:
    """The coarse data that a case is conditioned on."""
    if case == "perfect":
        return block(desk, "coarse-reference", "test")
    gcm = case.removeprefix("gcm-")
    return crop_period(
        desk.open(f"corrected-{gcm}"), desk.setting("downscale.period"), f"the scenario of {gcm}"
    )
