"""Stage ``score``: every method in every case against the truth, with the noise floor, into one scorecard."""

import json
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from finescale.fields.cores import cores
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.blocks import block, outside
from finescale.pipeline.stages.cases import conditions, standard_errors
from finescale.pipeline.stages.coarsen import operator
from finescale.scores import table
from finescale.scores.change import Change
from finescale.scores.climate import score_climate
from finescale.scores.duels import behind
from finescale.scores.evidence import Evidence, gather
from finescale.scores.floor import noise_floor
from finescale.scores.hourly import held
from finescale.scores.scorecard import score as judge


def score(desk: Desk) -> None:
    """Write the scorecard, its Parquet twin, the metrics that DVC compares, and the CSV behind its plot."""
    reference, static = desk.open("reference"), desk.optional("static")
    common = {
        "static": static,
        "coarsening": operator(desk, reference),
        "seed": desk.setting("seed"),
        "resamples": desk.setting("score").resamples,
    }
    truths = truth_by_case(desk)
    # Another period of the truth, of any season: the floor takes the stretch nearest in the year.
    other, coarse = (outside(desk, name, "test") for name in ("reference", "coarse-reference"))
    methods = desk.setting("downscale.methods")
    cases = ["perfect", *(f"gcm-{gcm}" for gcm in desk.setting("data.gcms"))]
    tables: list[pd.DataFrame] = []
    for done, (case, method) in enumerate(product(cases, methods)):
        desk.progress("scores", done, len(cases) * len(methods))
        if method == methods[0]:
            given = conditions(desk, case)
            change = Change.since(other, coarse, given, common["coarsening"])
            truth = held(truths[case]) if case in truths else None
            found: dict[str, Evidence] = {}
        named = {"method": method, "case": case}
        tables += _scored(desk, truth, other, found, coarse=given, change=change, named=named, common=common)
        if found and method == methods[-1]:
            options = {key: common[key] for key in ("resamples", "seed")}
            tables.append(behind(found, default=desk.setting("registry.method"), case=case, **options))
    tables.append(noise_floor(other, truths["perfect"], case="perfect", **common))
    card = table.concat(tables)
    folder = desk.new("scorecard").parent
    table.write(card, folder)
    (folder / "scorecard.csv").rename(desk.new("scorecard"))
    (folder / "scorecard.parquet").rename(desk.new("scorecard-table"))
    text = json.dumps(_metrics(card), indent=1, sort_keys=True, allow_nan=False)
    desk.new("metrics").write_text(text + "\n", encoding="utf-8")
    _skill(card).to_csv(desk.new("skill"), index=False, float_format="%.6g", lineterminator="\n")


def _scored(
    desk: Desk,
    truth: xr.Dataset | None,
    other: xr.Dataset,
    found: dict[str, Evidence],
    *,
    coarse: xr.Dataset,
    change: Change,
    named: dict[str, Any],
    common: dict[str, Any],
) -> Iterator[pd.DataFrame]:
    """Score one method in one case: hour by hour where there is a truth, with evidence beside, and as a climate."""
    ensemble = held(desk.open(f"ensemble-{named['method']}-{named['case']}"))
    climate = other if truth is None else truth.sel(time=ensemble["time"])
    if truth is not None:
        errors = standard_errors(desk).get(named["case"], {})
        yield judge(ensemble, climate, coarse=coarse, errors=errors, **named, **common)
        found[named["method"]] = gather(ensemble, climate, seed=common["seed"], threads=cores())
    free = {key: value for key, value in common.items() if key != "resamples"}
    yield score_climate(ensemble, climate, paired=truth is not None, change=change, **named, **free)


def truth_by_case(desk: Desk) -> dict[str, xr.Dataset]:
    """The fine truth of each case that has one, over the period that was downscaled."""
    truths = {"perfect": block(desk, "reference", "test")}
    for name in desk.stage.reads:
        if name.startswith("truth-"):
            truths[f"gcm-{name.removeprefix('truth-')}"] = desk.open(name)
    return truths


def _metrics(card: pd.DataFrame) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Case, method, variable, metric: the scores over all hours and cells, for `dvc metrics`."""
    plain = card[(card["hours"] == "all") & (card["region"] == "all") & np.isfinite(card["value"])]
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for row in plain.itertuples():
        place = found.setdefault(row.case, {}).setdefault(row.method, {}).setdefault(row.variable, {})
        place[row.metric] = float(f"{row.value:.6g}")
    return found


def _skill(card: pd.DataFrame) -> pd.DataFrame:
    """CRPS by method, case and variable, for `dvc plots`."""
    plain = card[(card["hours"] == "all") & (card["region"] == "all") & (card["metric"] == "crps")]
    return plain[["case", "variable", "method", "value"]].rename(columns={"value": "crps"})
