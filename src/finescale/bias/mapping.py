"""One variable from Datasets to blocks of arrays and back: fitting tables and mapping runs, lazily."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from finescale.bias.blocks import Cells, by_cells
from finescale.bias.compiled import Floats
from finescale.bias.delta import QuantileDeltaMapping
from finescale.bias.detrended import DetrendedQuantileMapping
from finescale.bias.grouping import Grouping, Index
from finescale.bias.guards import check_input, check_output, check_tables
from finescale.bias.identity import Identity
from finescale.bias.quantiles import EmpiricalQuantileMapping
from finescale.bias.sample import Rule, Sample, Univariate
from finescale.bias.scaling import Scaling
from finescale.bias.series import days_since_first, stamps_of
from finescale.bias.structure import check_change, check_order


@dataclass(frozen=True)
class Clock:
    """The time axis of one series, ready for the kernels."""

    index: Index
    days: Floats
    stamps: NDArray[np.int64]

    @classmethod
    def of(cls, time: xr.DataArray, grouping: Grouping, hours: tuple[int, ...]) -> "Clock":
        """Sort a time axis into groups."""
        return cls(grouping.index(time, hours), days_since_first(time), stamps_of(time))

    def sample(self, values: NDArray[Any], cells: NDArray[Any]) -> Sample:
        """A block [..., time] as series of cells [cell, time] in double precision."""
        flat = np.ascontiguousarray(values.reshape(-1, values.shape[-1]), dtype=np.float64)
        return Sample(flat, self.index, self.days, self.stamps, cells.reshape(-1).astype(np.int64))


def method_of(rule: Rule, grouping: Grouping) -> Univariate:
    """The method that a rule names; ``mbcn`` begins with the univariate map of ``qdm``."""
    if rule.method == "dqm":
        return DetrendedQuantileMapping(grouping.window if grouping.season == "dayofyear" else 1)
    simple: dict[str, Univariate] = {
        "identity": Identity(),
        "scaling": Scaling(),
        "eqm": EmpiricalQuantileMapping(),
        "qdm": QuantileDeltaMapping(),
        "mbcn": QuantileDeltaMapping(),
    }
    return simple[rule.method]


def fit_variable(
    reference: xr.DataArray,
    historical: xr.DataArray,
    rule: Rule,
    grouping: Grouping,
    clocks: tuple[Clock, Clock],
    missing: str,
    chunks: dict[Hashable, int],
) -> dict[str, xr.DataArray]:
    """Tables of one variable, lazily.

    Args:
        reference: the truth's climate [time, space].
        historical: the model's, on the same cells [time, space].
        rule: how the variable is mapped.
        grouping: of the time steps.
        clocks: time axes of both sides.
        missing: what happens to missing values.
        chunks: cells of a block.

    Returns:
        Tables by name [space, group, ...].
    """
    method = method_of(rule, grouping)
    if not method.tables:
        return {}
    dtype = np.result_type(reference.dtype, historical.dtype, np.float32)
    names, grid = tuple(method.tables), Cells.of(reference)

    def fit_block(*blocks: NDArray[Any]) -> tuple[NDArray[Any], ...] | NDArray[Any]:
        cells = blocks[2]
        truth, model = (clock.sample(block, cells) for clock, block in zip(clocks, blocks, strict=False))
        check_input(truth, rule, "reference", missing, grid.name)
        check_input(model, rule, "historical run", missing, grid.name)
        tables = method.fit(truth, model, rule)
        check_tables(tables, rule, truth, model, grid.name)
        shaped = tuple(tables[n].reshape(cells.shape + tables[n].shape[1:]).astype(dtype) for n in names)
        return shaped if len(shaped) > 1 else shaped[0]

    sizes = {"group": clocks[0].index.starts.size - 1, "quantile": len(rule.probabilities)}
    out = xr.apply_ufunc(
        fit_block,
        by_cells(reference, chunks).rename(time="time_reference"),
        by_cells(historical, chunks),
        grid.numbers(chunks),
        input_core_dims=[["time_reference"], ["time"], []],
        output_core_dims=[list(method.tables[n]) for n in names],
        dask="parallelized",
        dask_gufunc_kwargs={
            "output_sizes": {d: sizes[d] for d in {d for n in names for d in method.tables[n]}}
        },
        output_dtypes=[dtype] * len(names),
    )
    return dict(zip(names, out if isinstance(out, tuple) else (out,), strict=True))


def table_blocks(table: xr.DataArray, chunks: dict[Hashable, int]) -> xr.DataArray:
    """A fitted table in the blocks of the cells, without coordinates."""
    layout = tuple(chunks.get(d, -1) for d in table.dims)
    if isinstance(table.data, da.Array):
        return xr.DataArray(table.data.rechunk(layout), dims=table.dims)  # type: ignore[no-untyped-call]
    blocks = da.from_array(table.values, chunks=layout, name=False)  # type: ignore[no-untyped-call]
    return xr.DataArray(blocks, dims=table.dims)


def apply_variable(
    simulation: xr.DataArray,
    tables: Mapping[str, xr.DataArray],
    rule: Rule,
    grouping: Grouping,
    clock: Clock,
    missing: str,
    chunks: dict[Hashable, int],
) -> xr.DataArray:
    """Map one variable of a run, lazily [space, time]; arguments as ``fit_variable``, for one run."""
    method = method_of(rule, grouping)
    dtype = np.result_type(simulation.dtype, np.float32)
    names, grid = tuple(method.tables), Cells.of(simulation)

    def apply_block(values: NDArray[Any], cells: NDArray[Any], *arrays: NDArray[Any]) -> NDArray[Any]:
        sample = clock.sample(values, cells)
        check_input(sample, rule, "run to correct", missing, grid.name)
        flat = {
            n: np.ascontiguousarray(a.reshape(-1, *a.shape[cells.ndim :]), dtype=np.float64)
            for n, a in zip(names, arrays, strict=True)
        }
        mapped = method.apply(flat, sample, rule)
        blank = np.zeros(len(sample.values), dtype=bool)
        for table in flat.values() if missing == "mask" else ():
            blank |= np.isnan(table).reshape(len(table), -1).all(axis=1)
        corrected = check_output(sample, mapped, rule, grid.name, blank)
        if method.tables and rule.keep_structure:
            check_order(sample, mapped, rule, grid.name)
            check_change(sample, mapped, flat, rule, grid.name)
        return corrected.reshape(values.shape).astype(dtype)

    out: xr.DataArray = xr.apply_ufunc(
        apply_block,
        by_cells(simulation, chunks),
        grid.numbers(chunks),
        *(table_blocks(tables[n], chunks) for n in names),
        input_core_dims=[["time"], [], *(list(method.tables[n]) for n in names)],
        output_core_dims=[["time"]],
        dask="parallelized",
        output_dtypes=[dtype],
        keep_attrs="drop",
    )
    return out
