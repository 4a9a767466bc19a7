"""The gates: a profile meets the limits of its place in the flow; what breaks one stops, or is knowingly let pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd
from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult

from finescale.errors import FinescaleError
from finescale.quality import rules
from finescale.quality.profile import WHOLE
from finescale.quality.rule import STATUSES, Rule
from finescale.quality.suite import INDEX, Judge, breaches
from finescale.quality.verdicts import COLUMNS, GateError, GateReport, Waiver, waiver_for

NOT_MEASURED = "not measured"


def check(
    profile: pd.DataFrame,
    gate: str,
    *,
    waivers: Iterable[Waiver | Mapping[str, str]] = (),
    masked: Mapping[str, float] = MappingProxyType({}),
) -> GateReport:
    """Judge a profile; the report tells of every limit, also when all pass.

    Args:
        profile: as `finescale.quality.profile.profile` makes it.
        gate: source, reference, gcm, harmonised, corrected or ensemble.
        waivers: entries of `gates.waivers` in params.yaml; those of other gates are passed over.
        masked: share of the cells of a variable that the reference has no values of; none for a whole one.

    Raises:
        GateError: a limit fails that no waiver covers; it carries the report.
        FinescaleError: no such gate, an empty profile, or a waiver of a rule that its variable does not have.
    """
    limits = rules.rules(gate, profile, masked)
    accepted = [w for w in map(Waiver.read, waivers) if w.gate == gate]
    _check_waivers(accepted, limits)
    dataset = str(profile["dataset"].iloc[0])
    judge, results = Judge(), dict[str, ExpectationSuiteValidationResult]()
    rows: list[dict[str, Any]] = []
    for variable in dict.fromkeys(rule.variable for rule in limits):
        frame = _frame(profile, variable)
        mine = [rule for rule in limits if rule.variable == variable]
        active = [rule for rule in mine if rule.needed or rule.check in frame]
        results[variable] = judge.judge(frame, active, gate)
        broken = breaches(results[variable], frame)
        judged = frame.set_index(INDEX)
        for rule in mine:
            row = _row(rule, judged, broken.get(rule.check, []), accepted, gate)
            rows.append({"gate": gate, "dataset": dataset, **row})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = table["status"].map(STATUSES.index)
    table = table.loc[order.sort_values(kind="stable").index].reset_index(drop=True)
    report = GateReport(gate, dataset, table, profile, results)
    if not report.passed:
        raise GateError(report)
    return report


def _check_waivers(waivers: Iterable[Waiver], limits: Sequence[Rule]) -> None:
    known: dict[str, list[str]] = {}
    for rule in limits:
        known.setdefault(rule.variable, []).append(rule.check)
    for waiver in waivers:
        if waiver.variable in known and waiver.rule not in known[waiver.variable]:
            raise FinescaleError(
                f"a waiver names a rule of its gate: {waiver.gate} has no rule {waiver.rule} for {waiver.variable}; "
                f"choose one of {', '.join(known[waiver.variable])}"
            )


def _frame(profile: pd.DataFrame, variable: str) -> pd.DataFrame:
    """One row a period and member, one column a check; what concerns all periods stands in every row."""
    mine = profile[profile["variable"] == variable]
    content = mine["value"].astype(object).where(mine["text"] == "", mine["text"])
    table = mine.assign(content=content)
    whole = table[table["period"] == WHOLE]
    timed = table[table["period"] != WHOLE]
    if timed.empty:
        frame = pd.DataFrame({"period": [WHOLE], "member": [""]})
    else:
        frame = timed.set_index([*INDEX, "check"])["content"].unstack("check").reset_index()  # noqa: PD010
        frame.columns.name = None
    said = {
        str(check): [value] * len(frame)
        for check, value in zip(whole["check"], whole["content"], strict=True)
    }
    return pd.concat([frame, pd.DataFrame(said, index=frame.index)], axis=1).infer_objects()


def _row(
    rule: Rule, frame: pd.DataFrame, failed: Sequence[tuple[str, str]], waivers: Iterable[Waiver], gate: str
) -> dict[str, Any]:
    judged = frame[rule.check].dropna() if rule.check in frame else pd.Series(dtype=float)
    waiver = waiver_for(waivers, gate, rule.variable, rule.check)
    status = ("waived" if waiver else "fail") if failed else ("pass" if len(judged) else "not applicable")
    period, member, value = _worst(rule, judged, failed)
    return {
        "variable": rule.variable,
        "rule": rule.check,
        "status": status,
        "period": period,
        "member": member,
        "value": value,
        "limit": rule.limit,
        "failed": len(set(failed)),
        "judged": len(judged),
        "reason": rule.reason,
        "waiver": waiver.reason if waiver else "",
    }


def _worst(rule: Rule, judged: pd.Series, failed: Sequence[tuple[str, str]]) -> tuple[str, str, str]:
    """Where a limit is broken most, or nearest to being broken, and the value there."""
    lost = [at for at in failed if at not in judged.index]
    if lost or judged.empty:
        return (*(lost[0] if lost else (WHOLE, "")), NOT_MEASURED)
    among = judged[judged.index.isin(failed)] if failed else judged
    if rule.allowed:
        (period, member), value = among.index[0], str(among.iloc[0])
    else:
        numbers = among.astype(float)
        at = int(pd.concat([numbers - rule.high, rule.low - numbers], axis=1).max(axis=1).argmax())
        (period, member), value = numbers.index[at], f"{numbers.iloc[at]:.6g}"
    return str(period), str(member), value
