"""The scorecard as a table: its columns, how tables are joined and written, and why a number is missing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from finescale.scores.bootstrap import MIN_DAYS

COLUMNS = ["method", "case", "variable", "region", "hours", "metric", "value", "low", "high"]
NEEDS_MEMBERS = {"spread_skill": 2, "pit_reliability": 2}


def concat(tables: list[pd.DataFrame]) -> pd.DataFrame:
    """Join scorecards, keeping the reasons of what is not available."""
    reasons = [reason for table in tables for reason in table.attrs.get("unavailable", [])]
    bare = [pd.DataFrame(table) for table in tables]
    for table in bare:
        table.attrs = {}
    joined = pd.concat(bare, ignore_index=True)
    joined.attrs["unavailable"] = reasons
    return joined


def write(table: pd.DataFrame, folder: Path) -> None:
    """Write `scorecard.csv` and `scorecard.parquet`, the same bytes for the same table."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = table[COLUMNS].reset_index(drop=True)
    plain.attrs = {}
    # The last digits depend on how a machine orders its sums; nobody reads them.
    for column in ("value", "low", "high"):
        plain[column] = [float(f"{v:.9g}") for v in plain[column]]
    plain.to_csv(folder / "scorecard.csv", index=False, lineterminator="\n")
    plain.to_parquet(folder / "scorecard.parquet", index=False)


def reasons(table: pd.DataFrame, members: int, days: int) -> list[dict[str, str]]:
    """Say why a value or an interval of this table is missing."""
    found = []
    key = {"method": str(table["method"].iloc[0]), "case": str(table["case"].iloc[0])}
    for metric, least in NEEDS_MEMBERS.items():
        if members < least:
            found.append({**key, "metric": metric, "reason": f"needs {least} members, {members} given"})
    if days < MIN_DAYS:
        found.append(
            {**key, "metric": "low, high", "reason": f"resampling needs {MIN_DAYS} days, {days} given"}
        )
    return found
