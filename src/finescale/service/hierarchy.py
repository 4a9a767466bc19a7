"""A produced store: one Zarr hierarchy with a group for each variable.

Catalogues (Pangeo's, ESGF's, intake-esm's searches) know one variable an asset: a row of ours names the group, and
`xarray.open_datatree` opens the whole.
"""

from pathlib import Path

import xarray as xr
import zarr

from finescale.pipeline import store
from finescale.quality import holes


def save(ds: xr.Dataset, path: Path) -> None:
    """Write a dataset into a new folder, variable by variable; equal data has equal bytes.

    Args:
        ds: Fields ``[member, time, lat, lon]``; lazy ones stream.
        path: A folder that does not exist.
    """
    zarr.open_group(path, mode="w-", zarr_format=3, attributes=dict(ds.attrs))
    for name in sorted(map(str, ds.data_vars)):
        store.save_dataset(ds[[name]], path / name)


def open_all(path: Path) -> xr.Dataset:
    """All variables of a store side by side, lazily."""
    attrs = zarr.open_group(path, mode="r").attrs.asdict()
    groups = [store.open_path(path / name) for name in names(path)]
    joined = xr.merge(groups, join="exact", compat="identical", combine_attrs="override")
    return joined.assign_attrs(attrs)


def names(path: Path) -> list[str]:
    """The variables that a store has groups for."""
    return sorted(group.parent.name for group in path.glob("*/zarr.json"))


def gaps(path: Path) -> dict[str, int]:
    """Chunks that a store should have and has not, by variable; none where it is whole."""
    found = {name: int(holes.count(path / name).get(name, 0)) for name in names(path)}
    return {name: number for name, number in found.items() if number}
