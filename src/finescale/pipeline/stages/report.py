"""Stage ``report``: the page that people look at."""

import pandas as pd

from finescale import __version__
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.downscale import conditions
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
    )
    (folder / "index.html").rename(desk.new("page"))
    (folder / "figures").rename(desk.new("figures"))
    folder.rmdir()


def _gates(desk: Desk) -> list[pd.DataFrame]:
    """Every gate's table of limits."""
    folders = (desk.path(name) for name in desk.stage.reads if name.startswith("gates-"))
    return [
        pd.read_csv(table, keep_default_na=False) for f in folders for table in sorted(f.glob("*/report.csv"))
    ]


def _provenance(desk: Desk) -> dict[str, object]:
    """What the numbers come from: data and their hashes, periods, seed, version."""
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
        },
        **sources,
        "content hashes": {
            name: desk.digest(name) for name in desk.stage.reads if not name.startswith("gates-")
        },
    }
