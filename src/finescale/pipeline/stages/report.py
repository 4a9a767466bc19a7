"""Stage ``report``: the page that people look at."""

import json

import pandas as pd

from finescale import __version__
from finescale.fields.cores import cores
from finescale.methods.card import FILE
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.cases import conditions, standard_errors
from finescale.pipeline.stages.score import truth_by_case
from finescale.report.case import Case
from finescale.report.page import write_page


def report(desk: Desk) -> None:
    """Write ``index.html`` and its figures."""
    methods = desk.setting("downscale.methods")
    cases = []
    for case, truth in truth_by_case(desk).items():
        ensembles = {method: desk.open(f"ensemble-{method}-{case}") for method in methods}
        # Figures set all methods side by side: one that serves some variables only is in the tables alone.
        ensembles = {
            m: ds for m, ds in ensembles.items() if set(truth.data_vars) <= set(ds.data_vars)
        } or ensembles
        methods = list(ensembles)
        times = ensembles[methods[0]]["time"]
        cases.append(Case(case, truth.sel(time=times), conditions(desk, case), ensembles))
    bias = [pd.read_csv(desk.path(name)) for name in desk.stage.reads if name.startswith("bias-")]
    folder = desk.new("page").parent / "pages"
    write_page(
        folder,
        pd.read_csv(desk.path("scorecard")),
        cases=cases,
        static=desk.optional("static"),
        default=desk.setting("registry.method"),
        gates=_gates(desk),
        bias=pd.concat(bias, ignore_index=True) if bias else None,
        provenance=_provenance(desk),
        seed=desk.setting("seed"),
        processes=cores(),
    )
    (folder / "index.html").rename(desk.new("page"))
    (folder / "figures").rename(desk.new("figures"))
    folder.rmdir()


def _errors(desk: Desk) -> dict[str, str]:
    """How far each climate model's corrected fields may lie from the truth that they stand for."""
    units = {
        str(name): field.attrs["units"] for name, field in desk.open("coarse-reference").data_vars.items()
    }
    return {
        case: ", ".join(f"{name} {value:.3g} {units[name]}" for name, value in found.items())
        for case, found in standard_errors(desk).items()
    }


def _searches(desk: Desk) -> dict[str, str]:
    """What each search chose, and its scores before and after on hours that it had not seen."""
    lines = {}
    for name in desk.stage.reads:
        if name.startswith("search-"):
            found = json.loads(desk.path(name).read_text(encoding="utf-8"))
            chosen = json.dumps(found["chosen"], sort_keys=True) if found["chosen"] else "nothing better"
            scores = "; ".join(
                f"{when}: CRPS {_numbers(found[when]['crps'])}, spread-skill {_numbers(found[when]['spread_skill'])}"
                for when in ("before", "after")
            )
            lines[name.removeprefix("search-")] = f"{chosen}; {scores}"
    return lines


def _spread(desk: Desk) -> dict[str, str]:
    """Spread over error of the default on the validation block, before and after it was mended."""
    method = desk.setting("registry.method")
    body = json.loads((desk.path(f"model-{method}") / FILE).read_text(encoding="utf-8"))
    if "spread" not in body:
        return {}
    found = body["spread"]
    told = (f"{when} {_numbers(found[when])}" for when in ("before", "after"))
    return {method: f"{found['days']:.0f} days: {'; '.join(told)}"}


def _numbers(values: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in sorted(values.items()))


def _gates(desk: Desk) -> list[pd.DataFrame]:
    """Every gate's table of limits."""
    folders = (desk.path(name) for name in desk.stage.reads if name.startswith("gates-"))
    return [
        pd.read_csv(table, keep_default_na=False) for f in folders for table in sorted(f.glob("*/report.csv"))
    ]


def _provenance(desk: Desk) -> dict[str, object]:
    """What the numbers come from: data and their hashes, settings and code, periods, seed, version."""
    reference = desk.open("reference")
    wanted = ("source_id", "institution_id", "tracking_id", "license", "further_info_url")
    sources = {"reference": {key: str(reference.attrs[key]) for key in wanted if key in reference.attrs}}
    for name in desk.stage.reads:
        if name.startswith("corrected-"):
            attrs = desk.open(name).attrs
            sources[name.removeprefix("corrected-")] = {
                key: str(attrs[key]) for key in wanted if key in attrs
            }
    split = desk.setting("split")
    return {
        "settings": {
            "seed": desk.setting("seed"),
            "members": desk.setting("downscale.members"),
            "train": split.words("train"),
            "test": split.words("test"),
            "finescale": __version__,
            **desk.recipe(),
        },
        **sources,
        "standard error of the coarse data (R)": {"perfect": "0, coarsened here", **_errors(desk)},
        "constants chosen on the validation block": _searches(desk),
        "spread over error on the validation block": _spread(desk),
        "content hashes": {
            name: desk.digest(name) for name in desk.stage.reads if not name.startswith("gates-")
        },
    }
