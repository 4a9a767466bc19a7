"""Stage ``score``: every method in every case against the truth, with the noise floor, into one scorecard."""

import json

import numpy as np
import pandas as pd
import xarray as xr

from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.blocks import block
from finescale.pipeline.stages.coarsen import operator
from finescale.pipeline.stages.downscale import conditions
from finescale.scores import table
from finescale.scores.floor import noise_floor
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
    jobs = [(method, case) for case in truths for method in desk.setting("downscale.methods")]
    tables: list[pd.DataFrame] = []
    for done, (method, case) in enumerate(jobs):
        desk.progress("scores", done, len(jobs))
        ensemble = desk.open(f"ensemble-{method}-{case}")
        truth = truths[case].sel(time=ensemble["time"])
        tables.append(
            judge(ensemble, truth, method=method, case=case, coarse=conditions(desk, case), **common)
        )
    other = block(desk, "reference", "validation")
    tables.append(noise_floor(other, truths["perfect"], case="perfect", **common))
    card = table.concat(tables)
    folder = desk.new("scorecard").parent
    table.write(card, folder)
    (folder / "scorecard.csv").rename(desk.new("scorecard"))
    (folder / "scorecard.parquet").rename(desk.new("scorecard-table"))
    text = json.dumps(_metrics(card), indent=1, sort_keys=True, allow_nan=False)
    desk.new("metrics").write_text(text + "\n", encoding="utf-8")
    _skill(card).to_csv(desk.new("skill"), index=False, float_format="%.6g", lineterminator="\n")


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
