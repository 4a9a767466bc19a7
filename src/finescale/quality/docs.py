"""Data Docs that can be read offline and are the same bytes for the same data.

Great Expectations renders a page for each variable. Its pages load styles and scripts from five other hosts and a logo
that reports the reader, and carry the time of the run and random element names; all of that is taken out here, and a
style of our own goes in. An index of our own tells the verdicts in words.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Mapping

import pandas as pd
from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
from great_expectations.render.view.view import DefaultJinjaPageView

from finescale.quality.rule import STATUSES

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;width:100%;font-size:.9em}td,th{border:1px solid #ccc;padding:.3em .6em;text-align:left;
vertical-align:top}th{background:#f2f2f2}.fail{background:#fbdcd8}.waived{background:#fdf1cc}.not{color:#777}
pre{white-space:pre-wrap}
.fa-check-circle::before{content:"pass"}.fa-times::before{content:"fail"}
a{color:#145a9c}.badge{border:1px solid #bbb;border-radius:3px;padding:0 .3em}
@media(prefers-color-scheme:dark){body{background:#1b1b1b;color:#ddd}th{background:#333}.fail{background:#5a2420}
.waived{background:#51431a}a{color:#8cc4ff}}
"""
_GONE = (
    re.compile(r"<script\b.*?</script>", re.DOTALL),
    re.compile(r"<style\b.*?</style>", re.DOTALL),
    re.compile(r"<link\b[^>]*>"),
    re.compile(r"<img\b[^>]*>"),
    re.compile(r"<nav\b.*?</nav>", re.DOTALL),
    re.compile(r"<footer\b.*?</footer>", re.DOTALL),
    re.compile(r"<title></title>"),
    re.compile(r"^[ \t]*\n", re.MULTILINE),
)
_ELSEWHERE = re.compile(r'<a\b[^>]*href="\.\./[^>]*>(.*?)</a>', re.DOTALL)
_RANDOM = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_COLUMNS = (
    "variable",
    "rule",
    "status",
    "value",
    "limit",
    "period",
    "member",
    "failed",
    "judged",
    "reason",
    "waiver",
)


def pages(
    gate: str, dataset: str, rows: pd.DataFrame, results: Mapping[str, ExpectationSuiteValidationResult]
) -> dict[str, str]:
    """Render an index and one page a variable.

    Args:
        gate: the gate's name.
        dataset: what was judged.
        rows: one row a limit, as in a `GateReport`.
        results: variable -> validation result of Great Expectations.

    Returns:
        File name -> HTML that asks no other host for anything.
    """
    view = DefaultJinjaPageView()
    made = {
        f"{name}.html": _page(view, result, f"{gate}: {name} of {dataset}")
        for name, result in results.items()
    }
    return {"index.html": _index(gate, dataset, rows, list(results)), **made}


def _index(gate: str, dataset: str, rows: pd.DataFrame, variables: list[str]) -> str:
    counts = Counter(map(str, rows["status"]))
    verdict = "stops" if counts["fail"] else "lets pass"
    summary = ", ".join(f"{counts[status]} {status}" for status in STATUSES if counts[status])
    links = " ".join(f'<a href="{v}.html">{v}</a>' for v in map(html.escape, variables))
    head = "".join(f"<th>{name}</th>" for name in _COLUMNS)
    body = "\n".join(
        f'<tr class="{str(row["status"]).split()[0]}">'
        + "".join(f"<td>{html.escape(str(row[name]))}</td>" for name in _COLUMNS)
        + "</tr>"
        for row in rows.to_dict(orient="records")
    )
    content = (
        f"<h1>Gate {html.escape(gate)} {verdict} {html.escape(dataset)}</h1>\n<p>{summary}. "
        f"A period and value are those of the worst breach, or the nearest to one.</p>\n"
        f"<p>Great Expectations, variable by variable: {links}</p>\n"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
    )
    return _document(f"{gate}: {dataset}", content)


def _page(view: DefaultJinjaPageView, result: ExpectationSuiteValidationResult, title: str) -> str:
    result.meta.get("batch_markers", {}).pop("ge_load_time", None)
    document = ValidationResultsPageRenderer(run_info_at_end=True).render(result)
    rendered = str(view.render(document))  # type: ignore[no-untyped-call]
    body = rendered[rendered.index("<body>") + len("<body>") : rendered.rindex("</body>")]
    for pattern in _GONE:
        body = pattern.sub("", body)
    body = _ELSEWHERE.sub(r"\1", body)
    body = body[body.index('<div id="section-1"') :]
    numbers = {name: f"part-{i}" for i, name in enumerate(dict.fromkeys(_RANDOM.findall(body)))}
    body = _RANDOM.sub(lambda found: numbers[found.group()], body)
    head = f'<p><a href="index.html">All limits</a></p>\n<h1>{html.escape(title)}</h1>\n'
    return _document(title, head + body)


def _document(title: str, content: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n{content}\n</body></html>\n"
    )
