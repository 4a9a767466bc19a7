"""The page: one file that opens anywhere, with its figures beside it as files as well."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
import xarray as xr

from finescale.errors import FinescaleError
from finescale.report import explorer, tables, verdict
from finescale.report.case import Case
from finescale.report.gallery import Gallery, films
from finescale.scores.table import lines


def write_page(
    folder: Path,
    scorecard: pd.DataFrame,
    *,
    cases: Sequence[Case],
    static: xr.Dataset | None,
    default: str,
    baselines: Sequence[str] = ("bilinear", "bcsd", "gaussian"),
    gates: Sequence[pd.DataFrame] = (),
    bias: pd.DataFrame | None = None,
    provenance: Mapping[str, object] | None = None,
    title: str = "finescale: is it good?",
    seed: int = 0,
    processes: int = 1,
) -> Path:
    """Write `index.html` and `figures/*.png` and `*.gif`; the same inputs give the same bytes.

    Args:
        folder: Where the page goes; made when missing.
        scorecard: The long table.
        cases: Truth, coarse input and ensembles of each case, lazy.
        static: `orog` and `sftlf` on the fine grid.
        default: The method that is judged.
        baselines: The methods it must beat.
        gates: One table of limits a gate, with a column `status`.
        bias: Diagnostics of the bias correction, before and after.
        provenance: What the numbers come from; nested mappings become groups.
        title: Heading of the page.
        seed: Seed of broken ties between ranks.
        processes: Cases that are drawn side by side.

    Returns:
        The page.
    """
    if scorecard.empty:
        raise FinescaleError("a report is about scores: the scorecard is empty; run the stage score first")
    methods = _ordered(scorecard, default, baselines)
    gallery = Gallery.draw(
        cases,
        scorecard,
        methods,
        default=default,
        baselines=baselines,
        static=static,
        bias=bias,
        seed=seed,
        processes=processes,
    )
    shelf = folder / "figures"
    shelf.mkdir(parents=True, exist_ok=True)
    for picture in gallery.pictures():
        picture.write(shelf)
    content = _scores(scorecard, methods, default, baselines) | {
        "title": title,
        "skill": gallery.skill,
        "sections": gallery.sections(),
        "mended": gallery.mended,
        "storms": films(cases, default, shelf),
        "explorer": _script(explorer.pack(cases, default=default, static=static)) if cases else "",
        "gates": _gates(gates),
        "bias": bias,
        "provenance": _groups(provenance or {}),
    }
    page = folder / "index.html"
    page.write_text(_render(content), encoding="utf-8", newline="\n")
    return page


def _scores(
    scorecard: pd.DataFrame, methods: Sequence[str], default: str, baselines: Sequence[str]
) -> dict[str, object]:
    """What the page says of the scores: the verdict, the tables, and the numbers behind the choices."""
    card = lines(scorecard)
    return {
        "default": default,
        "verdict": verdict.judge(scorecard, default=default, baselines=baselines),
        "tables": [
            (c, tables.skill_table(card, c, methods=methods))
            for c in dict.fromkeys(x.case for x in card if x.metric == "crps")
        ],
        "scores": _script(tables.compact(scorecard)),
        "goals": tables.GOAL_WORDS,
        "crps": tables.METRICS["crps"][0],
    }


def _ordered(scorecard: pd.DataFrame, default: str, baselines: Sequence[str]) -> list[str]:
    """Put the default first, other methods next, baselines and the noise floor last."""
    present = list(dict.fromkeys(scorecard["method"]))
    last = [m for m in (*baselines, verdict.FLOOR) if m in present and m != default]
    return [m for m in [default] if m in present] + [m for m in present if m not in {default, *last}] + last


def _gates(reports: Sequence[pd.DataFrame]) -> list[dict[str, Any]]:
    """Count the limits of each gate and keep those that did not simply pass."""
    summary = []
    for report in reports:
        status = report["status"].astype(str)
        summary.append(
            {
                "gate": " ".join(
                    str(report[c].iloc[0]) for c in ("gate", "dataset") if c in report and len(report)
                ),
                "counts": status.value_counts(sort=False).to_dict(),
                "open": report[status.isin(["fail", "waived"])].to_dict("records"),
            }
        )
    return summary


def _groups(provenance: Mapping[str, object]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Sort provenance into titled groups of lines."""
    plain = [(str(k), str(v)) for k, v in provenance.items() if not isinstance(v, Mapping)]
    nested = [
        (str(k), [(str(a), str(b)) for a, b in v.items()])
        for k, v in provenance.items()
        if isinstance(v, Mapping) and v
    ]
    return ([("this report", plain)] if plain else []) + nested


def _script(content: object) -> str:
    """Write JSON that cannot end the script element it stands in."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _render(content: Mapping[str, object]) -> str:
    assets = files("finescale.report") / "assets"
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (assets / name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data"] = lambda picture: (
        "data:image/png;base64," + base64.b64encode(picture.png).decode()
    )
    parts = {
        name: (assets / name).read_text(encoding="utf-8")
        for name in ("style.css", "scores.js", "explorer.js")
    }
    return environment.get_template("page.html").render(
        **content, style=parts["style.css"], scores_js=parts["scores.js"], explorer_js=parts["explorer.js"]
    )
