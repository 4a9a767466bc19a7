"""What every method is: coarse data in, an ensemble of fine hourly fields out."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.clock import check_even
from finescale.grid.grid import Grid

# What coarse values are: instants, or means over the hours since the stamp before.
How = Literal["instant", "mean"]


@runtime_checkable
class Downscaler(Protocol):
    """A method ready for use.

    Attributes:
        fine: Grid of the result.
        coarse: Grid that it reads; nests in the fine one.
        variables: Names of the fields, with their units.
        margin: Hours beyond the ends of a period, and one coarse step, that its weather depends on: with these
            before and after it, a period drawn by itself is that of a longer run.
    """

    @property
    def fine(self) -> Grid: ...  # noqa: D102

    @property
    def coarse(self) -> Grid: ...  # noqa: D102

    @property
    def variables(self) -> dict[str, str]: ...  # noqa: D102

    @property
    def margin(self) -> int: ...  # noqa: D102

    def __call__(
        self,
        coarse: xr.Dataset,
        *,
        members: int,
        seed: int,
        first: int = 0,
        beside: Sequence[xr.Dataset] = (),
    ) -> xr.Dataset:
        """Downscale.

        Args:
            coarse: Fields ``[time, lat, lon]`` on the coarse grid, at steps of whole hours.
            members: Ensemble members wanted; a deterministic method gives one.
            seed: Decides every random draw.
            first: Number of the first member: members 4 to 7 are the same drawn alone or with 0 to 3.
            beside: Other products that are met at the same time: fields ``[time, lat, lon]`` on another grid that
                nests in the fine one, or ``[time, station]`` with `lat` and `lon`; of some or all of the variables.

        Returns:
            Fields ``[member, time, lat, lon]``, hourly from the first to the last coarse time.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write everything that the method needs into a new folder."""
        ...


def drawn(
    method: Downscaler,
    coarse: xr.Dataset,
    scratch: Path,
    on_progress: Callable[[int, int], None],
    *,
    members: int,
    seed: int,
    first: int = 0,
) -> xr.Dataset:
    """Downscale block by block in a folder where the method can, so that a killed run goes on; else in memory.

    Args:
        method: any.
        coarse: what it reads.
        scratch: of this request alone.
        on_progress: called with what is done and what there is to do.
        members: wanted, as of the method itself.
        seed: decides every random draw.
        first: number of the first member.
    """
    extra: dict[str, Any] = {}
    if "scratch" in inspect.signature(type(method).__call__).parameters:
        scratch.parent.mkdir(parents=True, exist_ok=True)
        extra = {"scratch": scratch, "on_progress": on_progress}
    return method(coarse, members=members, seed=seed, first=first, **extra)


def check_coarse(
    coarse: xr.Dataset, grid: Grid, variables: dict[str, str], *, gaps_allowed: bool = False
) -> None:
    """Raise unless coarse data has the grid, the fields, the units and the time axis that a method needs."""
    for name, units in variables.items():
        if name not in coarse:
            held = ", ".join(map(str, coarse.data_vars))
            raise FinescaleError(
                f"coarse data must hold {', '.join(variables)}: {name} is missing, found {held}"
            )
        found = coarse[name].attrs.get("units")
        if found != units:
            raise FinescaleError(
                f"{name} must be in {units}: found {found!r}; convert it and say so in its units"
            )
        if set(coarse[name].dims) != {"time", "lat", "lon"}:
            raise FinescaleError(
                f"{name} must have the dims time, lat, lon: found {', '.join(map(str, coarse[name].dims))}"
            )
    if not Grid.from_dataset(coarse).matches(grid):
        raise FinescaleError(
            f"coarse data must lie on the model's coarse grid: expected {_extent(grid)}, found "
            f"{_extent(Grid.from_dataset(coarse))}; regrid it"
        )
    if coarse.sizes["time"] < 2:
        raise FinescaleError(f"coarse data must hold two times or more: found {coarse.sizes['time']}")
    steps = np.diff(hours_since(coarse["time"]))
    check_even(coarse["time"], float(np.quantile(steps, 0.5, method="lower")))
    for name in variables:
        gaps = int(coarse[name].isnull().sum())
        if gaps and not gaps_allowed:
            raise FinescaleError(
                f"coarse data must be whole: {name} has {gaps} missing values; fill or drop them"
            )


def hourly(coarse: xr.Dataset, how: How = "instant") -> xr.Dataset:
    """Coarse fields at every full hour from the first time to the last, linear between them; any calendar.

    A mean is the value in the middle of its hours, t - every + 1, ..., t for a stamp t; beyond the last middle its
    value stays.
    """
    time = coarse["time"]
    hours = hours_since(time)
    if np.any(np.diff(hours) <= 0) or np.any(hours % 1):
        raise FinescaleError(
            "coarse times must increase by whole hours: sort them and drop what is between the hours"
        )
    wanted = np.arange(int(hours[-1]) + 1)
    if how == "mean":
        hours = hours - (hours[1] - hours[0] - 1) / 2
    right = np.clip(np.searchsorted(hours, wanted, side="left"), 1, len(hours) - 1)
    between = (wanted - hours[right - 1]) / (hours[right] - hours[right - 1])
    share = xr.DataArray(between.clip(max=1), dims="time")
    before, after = (coarse.isel(time=right - k).drop_vars("time") for k in (1, 0))
    stamps = xr.date_range(time.values[0], periods=len(wanted), freq="h", use_cftime=time.dtype == object)
    fields = {}
    for name in coarse.data_vars:
        mixed = before[name] * (1 - share) + after[name] * share
        fields[name] = mixed.astype(coarse[name].dtype).assign_attrs(coarse[name].attrs)
    return xr.Dataset(fields, attrs=coarse.attrs).assign_coords(time=("time", stamps, time.attrs))


def hours_since(time: xr.DataArray) -> NDArray[np.float64]:
    """Hours from the first of some times to each, ``[time]``."""
    gaps = time.values - time.values[0]
    if time.dtype == object:
        return np.asarray([gap.total_seconds() / 3600 for gap in gaps])
    return np.asarray(gaps / np.timedelta64(1, "h"), dtype=np.float64)


def member_axis(count: int, first: int = 0) -> xr.DataArray:
    """The coordinate `member`, numbered from `first`."""
    return xr.DataArray(
        first + np.arange(count), dims="member", attrs={"standard_name": "realization", "units": "1"}
    )


def _extent(grid: Grid) -> str:
    return (
        f"{grid.shape[0]} x {grid.shape[1]} cells in {grid.lat[0]:.4g}..{grid.lat[-1]:.4g} N, "
        f"{grid.lon[0]:.4g}..{grid.lon[-1]:.4g} E"
    )
