"""Who becomes champion: the evidence decides."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Whether a candidate takes the champion's place, and why."""

    better: bool
    reason: str


def judge(candidate: Mapping[str, float], champion: Mapping[str, float] | None) -> Verdict:
    """Compare the CRPS of a candidate with the champion's, variable by variable.

    Args:
        candidate: CRPS by variable on the held-out truth.
        champion: The same of the present champion; None where there is none.
    """
    if not champion:
        return Verdict(True, "there was no champion")
    if set(candidate) != set(champion):
        return Verdict(
            False, f"other variables than the champion: {sorted(candidate)} and {sorted(champion)}"
        )
    worse = [name for name in candidate if candidate[name] > champion[name]]
    if worse:
        shown = ", ".join(f"{name} {candidate[name]:.4g} > {champion[name]:.4g}" for name in sorted(worse))
        return Verdict(False, f"CRPS worse than the champion's: {shown}")
    return Verdict(True, "CRPS no worse than the champion's on any variable")
