"""The joint step of ``mbcn`` from Datasets to blocks of arrays and back, lazily."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.bias.blocks import Cells, by_cells
from finescale.bias.compiled import Floats
from finescale.bias.grouping import Grouping
from finescale.bias.guards import check_complete, check_joint
from finescale.bias.mapping import table_blocks
from finescale.bias.mbcn import apply_joint, fit_joint, random_rotations
from finescale.errors import FinescaleError

TABLES = {
    "joint_shift": ("joint_group", "rotation", "axis", "quantile"),
    "joint_energy": ("joint_group", "stage"),
    "joint_misfit": ("joint_group", "side"),
}


def fit_together(
    pairs: Mapping[str, tuple[xr.DataArray, xr.DataArray]],
    grouping: Grouping,
    hours: tuple[int, ...],
    nodes: Floats,
    iterations: int,
    seed: int,
    chunks: dict[Hashable, int],
) -> dict[str, xr.DataArray]:
    """Fit the joint step.

    Args:
        pairs: reference and historical run of each variable [space, time].
        grouping: pools within which values are dealt out again.
        hours: minutes of the day with pools of their own.
        nodes: probabilities of the quantiles [quantile].
        iterations: number of rotations.
        seed: of the rotations.
        chunks: cells of a block.

    Returns:
        Tables by name, lazily.
    """
    names = tuple(pairs)
    if len(names) < 2:
        raise FinescaleError(
            f"mbcn maps several variables together: {names[0]} is alone; give it more, or use qdm"
        )
    reference, historical = pairs[names[0]]
    grid = Cells.of(reference)
    rotations = random_rotations(len(names), iterations, seed)
    indices = [grouping.index(side.time, hours) for side in (reference, historical)]
    sizes = {
        "joint_group": len(hours) * grouping.slots,
        "rotation": iterations,
        "axis": len(names),
        "quantile": nodes.size,
        "stage": iterations + 1,
        "side": 2,
    }

    def fit_block(cells: NDArray[Any], *blocks: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        truth, model = (stacked(blocks[k::2], cells.size) for k in (0, 1))
        label = lambda k: grid.name(int(cells.ravel()[k]))  # noqa: E731
        for side, values in (("reference", truth), ("historical run", model)):
            check_complete(values, names, side, label)
        tables = fit_joint(truth, indices[0], model, indices[1], rotations, nodes)
        check_joint(tables.misfit, names, label)
        return tuple(
            a.reshape(cells.shape + a.shape[1:]).astype(np.float32)
            for a in (tables.shift, tables.energy, tables.misfit)
        )

    arrays = [a for pair in pairs.values() for a in _bare(pair, chunks)]
    out = xr.apply_ufunc(
        fit_block,
        grid.numbers(chunks),
        *arrays,
        input_core_dims=[[], *([["time_reference"], ["time"]] * len(names))],
        output_core_dims=[list(d) for d in TABLES.values()],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": sizes},
        output_dtypes=[np.float32] * len(TABLES),
    )
    tables = dict(zip(TABLES, out, strict=True))
    return tables | {"joint_rotation": xr.DataArray(rotations, dims=("rotation", "axis", "axis_turned"))}


def apply_together(
    corrected: Mapping[str, xr.DataArray],
    runs: Mapping[str, xr.DataArray],
    tables: xr.Dataset,
    grouping: Grouping,
    hours: tuple[int, ...],
    nodes: Floats,
    chunks: dict[Hashable, int],
) -> dict[str, xr.DataArray]:
    """Deal the corrected values of all variables out again, lazily.

    Args:
        corrected: after the univariate maps, by variable [space, time].
        runs: before them, by variable [space, time].
        tables: as fitted.
        grouping: as fitted.
        hours: as fitted.
        nodes: as fitted.
        chunks: cells of a block.

    Returns:
        Variables in another order in time [space, time].
    """
    names = tuple(corrected)
    first = runs[names[0]]
    index, grid = grouping.index(first.time, hours), Cells.of(first)
    rotations = np.asarray(tables["joint_rotation"].values, dtype=np.float64)

    def apply_block(
        cells: NDArray[Any], shift: NDArray[Any], *blocks: NDArray[Any]
    ) -> tuple[NDArray[Any], ...]:
        after, before = (stacked(blocks[k::2], cells.size) for k in (0, 1))
        label = lambda k: grid.name(int(cells.ravel()[k]))  # noqa: E731
        check_complete(before, names, "run to correct", label)
        flat = shift.reshape(cells.size, *shift.shape[cells.ndim :]).astype(np.float64)
        dealt = apply_joint(after, before, index, rotations, flat, nodes)
        return tuple(dealt[:, v].reshape(blocks[0].shape).astype(blocks[0].dtype) for v in range(len(names)))

    arrays = [
        a for n in names for a in (corrected[n].drop_vars(corrected[n].coords), by_cells(runs[n], chunks))
    ]
    out = xr.apply_ufunc(
        apply_block,
        grid.numbers(chunks),
        table_blocks(tables["joint_shift"], chunks),
        *arrays,
        input_core_dims=[[], list(TABLES["joint_shift"]), *([["time"]] * len(arrays))],
        output_core_dims=[["time"]] * len(names),
        dask="parallelized",
        output_dtypes=[first.dtype] * len(names),
    )
    return dict(zip(names, out, strict=True))


def stacked(blocks: tuple[NDArray[Any], ...], cells: int) -> Floats:
    """Blocks of several variables [..., time] as [cell, axis, time] in double precision."""
    return np.stack([b.reshape(cells, -1) for b in blocks], axis=1).astype(np.float64)


def _bare(
    pair: tuple[xr.DataArray, xr.DataArray], chunks: dict[Hashable, int]
) -> tuple[xr.DataArray, xr.DataArray]:
    reference, historical = (by_cells(side, chunks) for side in pair)
    return reference.rename(time="time_reference"), historical
