"""The scorecard as a table: its columns, how tables are joined and written, and why a number is missing."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from finescale.scores.bootstrap import MIN_DAYS
from finescale.scores.metrics import NEEDS_MEMBERS, REASONS, WITHOUT_INTERVAL


class Score(NamedTuple):
    """One line of the table."""

    method: str
    case: str
    variable: str
    region: str
    hours: str
    metric: str
    value: float
    low: float
    high: float


COLUMNS = list(Score._fields)


def lines(table: pd.DataFrame) -> list[Score]:
    """Read a table, typed."""
    columns = [table[name].tolist() for name in COLUMNS]
    return [Score._make(row) for row in zip(*columns, strict=True)]


def concat(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Join scorecards."""
    return pd.concat(tables, ignore_index=True)


def write(table: pd.DataFrame, folder: Path) -> None:
    """Write `scorecard.csv` and `scorecard.parquet`, the same bytes for the same table."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = table[COLUMNS].reset_index(drop=True)
    # The last digits depend on how a machine orders its sums; nobody reads them.
    for column in ("value", "low", "high"):
        plain[column] = [float(f"{v:.9g}") for v in plain[column]]
    plain.to_csv(folder / "scorecard.csv", index=False, lineterminator="\n")
    plain.to_parquet(folder / "scorecard.parquet", index=False)


def unavailable(table: pd.DataFrame) -> pd.DataFrame:
    """Say of every value and interval that is missing why.

    Args:
        table: A scorecard.

    Returns:
        Rows of method, case, metric and reason.
    """
    reason = pd.Series("", index=table.index)
    for metric, least in NEEDS_MEMBERS.items():
        reason[table["value"].isna() & (table["metric"] == metric)] = f"it needs {least} members or more"
    for metric, why in REASONS.items():
        reason[table["value"].isna() & (table["metric"] == metric)] = why
    reason[table["value"].isna() & (reason == "")] = "the truth does not vary"
    open_ended = table["value"].notna() & table["low"].isna()
    reason[open_ended] = f"an interval needs {MIN_DAYS} days or more"
    reason[open_ended & ~_hour_by_hour(table)] = "a climate without paired hours has no interval here"
    reason[open_ended & table["metric"].isin(WITHOUT_INTERVAL)] = (
        "one number for the whole period has no interval"
    )
    found = table[["method", "case", "metric"]].assign(reason=reason)
    return found[reason != ""].drop_duplicates(ignore_index=True)


def _hour_by_hour(table: pd.DataFrame) -> pd.Series:
    """Say of every line whether its method and case have scores of paired hours."""
    side = [table["method"], table["case"]]
    return (table["metric"] == "crps").groupby(side).transform("any")
