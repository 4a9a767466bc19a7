"""The cases that every method is judged on: the coarsened truth, and each climate model's scenario."""

import xarray as xr

from finescale.climate.subset import crop_period
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.blocks import block


def conditions(desk: Desk, case: str) -> xr.Dataset:
    """The coarse data that a case is conditioned on."""
    if case == "perfect":
        return block(desk, "coarse-reference", "test")
    gcm = case.removeprefix("gcm-")
    return crop_period(
        desk.open(f"corrected-{gcm}"), desk.setting("downscale.period"), f"the scenario of {gcm}"
    )


def standard_errors(desk: Desk) -> dict[str, dict[str, float]]:
    """Roots of the diagonal of R, by case and variable; what is coarsened here is exact."""
    errors = {}
    for name in desk.stage.reads:
        if name.startswith("error-"):
            found = desk.open(name)["R"]
            stds = found.to_numpy().diagonal() ** 0.5
            names = map(str, found["variable"].values)
            errors[f"gcm-{name.removeprefix('error-')}"] = dict(zip(names, map(float, stds), strict=True))
    return errors
