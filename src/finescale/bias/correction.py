"""Fit a bias correction and apply it: Datasets outside, blocks of plain arrays inside.

A correction is fitted once, from the coarsened reference and the model's historical run over the calibration years,
and then maps any run of that model. Distributions are compared, never dates: the two sides may have different
calendars, and what is mapped keeps its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import xarray as xr

from finescale.bias import series
from finescale.bias.blocks import block_chunks, space_of
from finescale.bias.grouping import Grouping, calendar
from finescale.bias.joint import apply_together, fit_together
from finescale.bias.mapping import Clock, apply_variable, fit_variable, method_of
from finescale.bias.plan import Options, Plan, make_rule
from finescale.bias.sample import Rule
from finescale.errors import FinescaleError

PLAN = "finescale_bias_correction"


class BiasCorrection(Protocol):
    """A fitted map from a model's climate to the reference's."""

    def apply(self, ds: xr.Dataset) -> xr.Dataset:
        """Map a run of the model: same times, same cells, corrected variables; lazily when the run is lazy."""

    def to_dataset(self) -> xr.Dataset:
        """All there is to know: plain arrays, and the settings as JSON in one attribute."""


@dataclass(frozen=True)
class FittedCorrection:
    """A plan and the tables fitted by it.

    Attributes:
        plan: the settings.
        tables: ``<variable>_<table>`` [space, group, ...], with the coordinates of the grid.
    """

    plan: Plan
    tables: xr.Dataset

    def apply(self, ds: xr.Dataset) -> xr.Dataset:
        """Map a run of the model (see ``BiasCorrection``); variables that were not fitted pass through."""
        plan, runs = self.plan, {rule.name: self._run(ds, rule) for rule in self.plan.rules}
        first = next(iter(runs.values()))
        chunks = block_chunks(first, first.sizes["time"])
        clock = Clock.of(first.time, plan.grouping, plan.hours)
        corrected = {
            rule.name: apply_variable(
                runs[rule.name], self._tables_of(rule), rule, plan.grouping, clock, plan.missing, chunks
            )
            for rule in plan.rules
        }
        if together := {rule.name: corrected[rule.name] for rule in plan.rules if rule.method == "mbcn"}:
            nodes, joint = plan.rules[0].nodes, plan.joint_grouping
            corrected |= apply_together(together, runs, self.tables, joint, plan.hours, nodes, chunks)
        for rule in plan.rules:
            given = ds[rule.name]
            mapped = corrected[rule.name].transpose(*given.dims).assign_coords(given.coords)
            corrected[rule.name] = mapped.assign_attrs(
                runs[rule.name].attrs | {"bias_correction": rule.method}
            )
        if not any(ds[name].chunks for name in corrected):
            return ds.assign(xr.Dataset(corrected).compute().data_vars)
        return ds.assign(corrected)

    def to_dataset(self) -> xr.Dataset:
        """Tables and plan (see ``BiasCorrection``)."""
        return self.tables.assign_attrs({PLAN: self.plan.to_json()})

    def _run(self, ds: xr.Dataset, rule: Rule) -> xr.DataArray:
        """One variable of a run in the units and on the cells of the fit [space, time]."""
        if rule.name not in ds.data_vars:
            has = ", ".join(str(v) for v in ds.data_vars) or "nothing"
            raise FinescaleError(
                f"a run has every variable that was fitted: {rule.name} is missing among {has}; provide it"
            )
        run = series.in_units(ds[rule.name], rule.name, self.plan.units[rule.name], "run to correct")
        coords = {d: self.tables[d] for d in self.plan.space if d in self.tables.coords}
        grid = xr.DataArray(np.empty(self.plan.sizes, dtype=bool), dims=self.plan.space, coords=coords)
        series.check_grid(grid, run, "run to correct")
        return run.transpose(*self.plan.space, "time")

    def _tables_of(self, rule: Rule) -> dict[str, xr.DataArray]:
        return {t: self.tables[f"{rule.name}_{t}"] for t in method_of(rule, self.plan.grouping).tables}


def fit(
    reference: xr.Dataset,
    historical: xr.Dataset,
    *,
    method: str | Mapping[str, str] = "qdm",
    variables: Sequence[str] | None = None,
    grouping: Grouping | None = None,
    options: Options | None = None,
    calibration: tuple[str, str] | None = None,
    calendars: str | None = None,
    compute: bool = True,
) -> FittedCorrection:
    """Fit a correction of a model's climate to the reference's.

    Args:
        reference: the coarsened truth [time, lat, lon].
        historical: the model's historical run on the same cells [time, lat, lon].
        method: ``identity``, ``scaling``, ``eqm``, ``dqm``, ``qdm`` or ``mbcn``, for all variables or by variable.
        variables: which to correct; all of the historical run with a time axis when None.
        grouping: which time steps share a map.
        options: how quantiles are taken and used.
        calibration: first and last day (or year) of the calibration; everything when None.
        calendars: ``year-fraction`` to compare days of two calendars by the fraction of their year; None to refuse two.
        compute: False leaves the tables lazy, for grids whose tables do not fit in memory.

    Returns:
        The fitted correction.
    """
    grouping, options = grouping or Grouping(), options or Options()
    names = series.pick_variables(reference, historical, variables)
    rules = tuple(make_rule(name, method, options) for name in names)
    pairs = {n: _pair(reference, historical, n, calibration, calendars) for n in names}
    truth, model = pairs[names[0]]
    hours = grouping.hour_classes(model.time)
    chunks = block_chunks(model, max(truth.sizes["time"], model.sizes["time"]))
    clocks = (Clock.of(truth.time, grouping, hours), Clock.of(model.time, grouping, hours))
    tables = {
        f"{rule.name}_{table}": values
        for rule in rules
        for table, values in fit_variable(
            *pairs[rule.name], rule, grouping, clocks, options.missing, chunks
        ).items()
    }
    if together := {rule.name: pairs[rule.name] for rule in rules if rule.method == "mbcn"}:
        nodes, count = rules[0].nodes, options.iterations
        tables |= fit_together(together, options.joint_grouping, hours, nodes, count, options.seed, chunks)
    plan = Plan(
        rules=rules,
        units={name: str(pairs[name][0].attrs["units"]) for name in names},
        grouping=grouping,
        joint_grouping=options.joint_grouping,
        hours=hours,
        missing=options.missing,
        space=space_of(model),
        sizes=tuple(model.sizes[d] for d in space_of(model)),
        reference_period=series.period_of(truth.time),
        historical_period=series.period_of(model.time),
        reference_calendar=calendar(truth.time),
        historical_calendar=calendar(model.time),
    )
    coords = {d: model[d] for d in plan.space if d in model.coords}
    fitted = xr.Dataset(tables, coords=coords | {"quantile": list(rules[0].probabilities)})
    return FittedCorrection(plan, fitted.compute() if compute else fitted)


def _pair(
    reference: xr.Dataset,
    historical: xr.Dataset,
    name: str,
    calibration: tuple[str, str] | None,
    calendars: str | None,
) -> tuple[xr.DataArray, xr.DataArray]:
    """Both sides of one variable, in the same units, on the same cells, over the calibration [space, time]."""
    truth = series.in_units(reference[name], name, None, "reference")
    model = series.in_units(historical[name], name, str(truth.attrs["units"]), "historical run")
    series.check_grid(truth, model, "historical run")
    series.check_calendars(truth, model, calendars)
    truth = series.select_period(truth, calibration, "reference")
    model = series.select_period(model, calibration, "historical run")
    series.check_overlap(truth, model)
    space = space_of(model)
    return truth.transpose(*space, "time"), model.transpose(*space, "time")


def from_dataset(ds: xr.Dataset) -> FittedCorrection:
    """The correction that ``to_dataset`` described."""
    if PLAN not in ds.attrs:
        raise FinescaleError(
            f"a bias correction carries its plan: the dataset has no attribute {PLAN}; save it with to_dataset()"
        )
    return FittedCorrection(Plan.from_json(ds.attrs[PLAN]), ds.drop_attrs(deep=False))
