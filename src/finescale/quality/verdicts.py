"""What a gate found: a row for each limit, waivers beside it, and the one message when it does not open."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult

from finescale.errors import FinescaleError
from finescale.quality import docs

COLUMNS = (
    "gate", "dataset", "variable", "rule", "status", "period", "member", "value", "limit", "failed", "judged",
    "reason", "waiver",
)  # fmt: skip
ANY = "*"


@dataclass(frozen=True)
class Waiver:
    """A failing limit that somebody accepted, and why.

    Attributes:
        gate: the gate it speaks of.
        variable: the variable, or `*` for every one.
        rule: the rule.
        reason: why the data is good all the same.
    """

    gate: str
    variable: str
    rule: str
    reason: str

    @classmethod
    def read(cls, given: Waiver | Mapping[str, str]) -> Waiver:
        """Make a waiver of an entry of params.yaml."""
        if isinstance(given, Waiver):
            return given
        missing = [key for key in ("gate", "variable", "rule", "reason") if not given.get(key)]
        if missing:
            raise FinescaleError(
                f"a waiver says gate, variable, rule and reason: {', '.join(missing)} missing; add it"
            )
        return cls(given["gate"], given["variable"], given["rule"], given["reason"])

    def covers(self, gate: str, variable: str, rule: str) -> bool:
        """Whether it speaks of this limit."""
        return (self.gate, self.rule) == (gate, rule) and self.variable in (variable, ANY)


@dataclass(frozen=True)
class GateReport:
    """The outcome of one gate.

    Attributes:
        gate: its name.
        dataset: what was judged.
        rows: one row a limit; columns as in `COLUMNS`. `status` is pass, fail, waived or not applicable; `period`,
            `member` and `value` are those of the worst breach or the nearest to one; `failed` of `judged` periods
            broke the limit.
        profile: the table that was judged.
        results: variable -> what Great Expectations found, for the Data Docs.
    """

    gate: str
    dataset: str
    rows: pd.DataFrame
    profile: pd.DataFrame
    results: Mapping[str, ExpectationSuiteValidationResult]

    @property
    def passed(self) -> bool:
        """Whether the gate opens, waivers counted in."""
        return not (self.rows["status"] == "fail").any()

    @property
    def message(self) -> str:
        """One line about the first failure, and how to accept it knowingly; empty when the gate opens."""
        failures = self.rows[self.rows["status"] == "fail"]
        if failures.empty:
            return ""
        worst = failures.iloc[0]
        member = f" ({worst['member']})" if worst["member"] else ""
        more = f"; {len(failures) - 1} more limits fail, see the report" if len(failures) > 1 else ""
        waiver = f"{{gate: {self.gate}, variable: {worst['variable']}, rule: {worst['rule']}, reason: ...}}"
        return (
            f"gate {self.gate} stops {self.dataset}: {worst['variable']}{member} in period {worst['period']} has "
            f"{worst['rule']} {worst['value']}, limit {worst['limit']} ({worst['reason']}); "
            f"mend the data, or accept it knowingly under gates.waivers in params.yaml: {waiver}{more}"
        )

    def save(self, folder: Path) -> Path:
        """Write report.json, report.csv, profile.csv and Data Docs (index.html): same bytes for the same data."""
        folder.mkdir(parents=True, exist_ok=True)
        records = self.rows.to_dict(orient="records")
        text = {"gate": self.gate, "dataset": self.dataset, "passed": self.passed, "limits": records}
        (folder / "report.json").write_text(
            json.dumps(text, indent=1, allow_nan=False) + "\n", encoding="utf-8"
        )
        self.rows.to_csv(folder / "report.csv", index=False, lineterminator="\n")
        self.profile.to_csv(folder / "profile.csv", index=False, lineterminator="\n", float_format="%.9g")
        for name, page in docs.pages(self.gate, self.dataset, self.rows, self.results).items():
            (folder / name).write_text(page, encoding="utf-8")
        return folder


class GateError(FinescaleError):
    """A gate that does not open; `report` holds every limit, to be kept although the stage fails."""

    def __init__(self, report: GateReport) -> None:
        super().__init__(report.message)
        self.report = report


def waiver_for(waivers: Iterable[Waiver], gate: str, variable: str, rule: str) -> Waiver | None:
    """Return the first waiver that covers a limit."""
    return next((w for w in waivers if w.covers(gate, variable, rule)), None)
