"""Datasets to arrays and back: the order of variables and axes is decided here and nowhere else.

A packed block is float32 ``[time, variable, lat, lon]`` in physical units; every reader streams such blocks,
so no series is ever held whole.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.errors import FinescaleError

Array = NDArray[np.float32]

# What is read of one chunk at once, at most.
READ_BYTES = 128 * 2**20


def spatial_dims(ds: xr.Dataset) -> tuple[str, str]:
    """The two horizontal dimensions of a dataset: ``(lat, lon)``, or ``(y, x)`` on a projected grid."""
    for pair in (("lat", "lon"), ("y", "x")):
        if all(name in ds.dims for name in pair):
            return pair
    raise FinescaleError(
        f"fields lie on lat, lon or y, x: found {sorted(map(str, ds.dims))}; harmonise the dataset first"
    )


def check_variables(ds: xr.Dataset, variables: Sequence[str]) -> None:
    """Refuse a dataset that lacks one of the variables."""
    missing = [name for name in variables if name not in ds.data_vars]
    if missing:
        raise FinescaleError(
            f"the dataset must hold {list(variables)}: no {missing} in {sorted(map(str, ds.data_vars))}; "
            "choose other variables or another dataset"
        )


def pack(ds: xr.Dataset, variables: Sequence[str]) -> Array:
    """Stack variables into one array ``[time, variable, lat, lon]`` of float32 (loads what it is given)."""
    check_variables(ds, variables)
    order = ("time", *spatial_dims(ds))
    return np.stack([ds[name].transpose(*order).values.astype(np.float32) for name in variables], axis=1)


def unpack(array: NDArray[np.floating], template: xr.Dataset, variables: Sequence[str]) -> xr.Dataset:
    """Put ``[..., time, variable, lat, lon]`` back onto the coordinates of a template.

    Args:
        array: values in physical units; one leading axis is named ``member``.
        template: dataset whose ``time`` and spatial coordinates, and variable attributes, are taken.
        variables: names along the variable axis.
    """
    lead = ("member",) if array.ndim == 5 else ()
    dims = (*lead, "time", *spatial_dims(template))
    coords = {name: template[name] for name in template.coords if set(template[name].dims) <= set(dims)}
    return xr.Dataset(
        {
            name: (dims, np.asarray(array[..., i, :, :], dtype=np.float32), dict(template[name].attrs))
            for i, name in enumerate(variables)
        },
        coords=coords,
    )


def blocks(
    ds: xr.Dataset, variables: Sequence[str], size: int = 256, every: int = 1
) -> Iterator[tuple[int, Array]]:
    """Stream a dataset in time order as ``(index of the first frame, block)``.

    Args:
        ds: any dataset, lazy or not.
        variables: names, in the order of the variable axis.
        size: frames a block.
        every: keep every n-th frame of a block (the first of each block is kept).
    """
    check_variables(ds, variables)
    chosen, total = ds[list(variables)], ds.sizes["time"]
    kept: list[Array] = []
    for begin, end in _spans(chosen, size):
        span = pack(chosen.isel(time=slice(begin, end)), variables)
        for start in range(begin - begin % size, end, size):
            kept.append(span[max(start - begin, 0) : start + size - begin])
            if end >= min(start + size, total):
                block = np.concatenate(kept) if len(kept) > 1 else kept[0]
                kept = []
                yield start, block[::every]


def _spans(ds: xr.Dataset, size: int) -> Iterator[tuple[int, int]]:
    """What is read at once: whole chunks of a lazy dataset, which would else be decoded for each block anew."""
    total, first = ds.sizes["time"], next(iter(ds.data_vars.values()))
    frame = 4 * sum(field.size for field in ds.data_vars.values()) // max(total, 1)
    most = max(size, READ_BYTES // max(frame, 1) // size * size)
    begin = end = 0
    for length in first.chunksizes.get("time", (size,) * -(-total // size)):
        end = min(end + length, total)
        while end - begin > most:
            yield begin, begin + most
            begin += most
        if end - begin >= size:
            yield begin, end
            begin = end
    if end > begin:
        yield begin, end
