"""Who becomes champion: the evidence decides."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from finescale.scores.evidence import Evidence, compare


@dataclass(frozen=True)
class Rules:
    """When a challenger takes the champion's place.

    Attributes:
        gain: Share of the champion's CRPS to be gained on every variable, beyond noise.
        calibration: How much larger the distance of the spread from the error may be, as a logarithm.
        reliability: How much more uneven the histogram of ranks may be.
        waived: Whether gates may have been waived.
        resamples: Draws of days behind the intervals.
    """

    gain: float = 0.0
    calibration: float = 0.05
    reliability: float = 0.05
    waived: bool = False
    resamples: int = 1000


@dataclass(frozen=True)
class Verdict:
    """Whether a challenger takes the champion's place, why, and the table that proves it."""

    better: bool
    reason: str
    proof: pd.DataFrame


def judge(
    challenger: Evidence,
    champion: Evidence | None,
    rules: Rules,
    *,
    waived: Sequence[str] = (),
    seed: int = 0,
) -> Verdict:
    """Compare a challenger with the champion on the same held-out days.

    Args:
        challenger: What it did.
        champion: The same of the present champion; None where there is none.
        rules: What is asked for.
        waived: Gates of the challenger that were waived.
        seed: Of the resampling.
    """
    refused = [f"gates were waived: {', '.join(waived)}"] if waived and not rules.waived else []
    if champion is None:
        table = compare(challenger, challenger, resamples=rules.resamples, seed=seed)
        kept = table[["variable", *(c for c in table.columns if c.endswith("_challenger"))]]
        return Verdict(not refused, "; ".join(refused) or "there was no champion", kept)
    table = compare(challenger, champion, resamples=rules.resamples, seed=seed)
    faults = [[*_crps(row, rules), *_calibration(row, rules)] for _, row in table.iterrows()]
    proof = table.assign(verdict=["; ".join(f) or "better" for f in faults])
    refused += [
        f"{name}: {fault}" for name, found in zip(table["variable"], faults, strict=True) for fault in found
    ]
    return Verdict(
        not refused, "; ".join(refused) or "better CRPS on every variable, calibration no worse", proof
    )


def _crps(row: pd.Series, rules: Rules) -> list[str]:
    """Whether the CRPS is lower by more than the wanted gain and the noise."""
    wanted = -rules.gain * row["crps_champion"]
    said = f"CRPS {row['crps_challenger']:.4g} against {row['crps_champion']:.4g}"
    interval = f"difference {row['difference']:.3g}, 95 % {row['low']:.3g} .. {row['high']:.3g}"
    if not np.isfinite(row["high"]):
        return [f"{said}: too few days for an interval"]
    if row["difference"] > 0:
        return [f"{said} is worse ({interval})"]
    if row["high"] >= wanted:
        asked = f"a gain of {rules.gain:.0%}" if rules.gain else "noise"
        return [f"{said} is not better by more than {asked} ({interval})"]
    return []


def _calibration(row: pd.Series, rules: Rules) -> list[str]:
    """Whether spread and ranks are as sound as the champion's; a champion of one member has neither."""
    faults = []
    for metric, limit in (("spread_skill", rules.calibration), ("pit_reliability", rules.reliability)):
        mine, other = float(row[f"{metric}_challenger"]), float(row[f"{metric}_champion"])
        if np.isnan(other):
            continue
        if np.isnan(mine):
            faults.append(f"no {metric}: it has one member, the champion an ensemble")
        elif _distance(metric, mine) > _distance(metric, other) + limit:
            faults.append(f"{metric} {mine:.3g} is worse than {other:.3g}")
    return faults


def _distance(metric: str, value: float) -> float:
    """How far a value is from that of a calibrated ensemble."""
    return abs(math.log(value)) if metric == "spread_skill" and value > 0 else value
