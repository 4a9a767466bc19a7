"""A limit and its reason."""

from __future__ import annotations

from dataclasses import dataclass

STATUSES = ("fail", "waived", "pass", "not applicable")  # what becomes of a limit, worst first


@dataclass(frozen=True)
class Rule:
    """One limit on one check of one variable.

    Attributes:
        variable: canonical name, or time, lat, lon, wind.
        check: the profile's check, which also names the rule.
        low: lowest value that passes; without meaning where texts are allowed.
        high: highest value that passes.
        reason: why the limit is where it is.
        allowed: texts that pass; empty for numbers.
        needed: whether a profile without this check fails; others do not apply to every dataset.
    """

    variable: str
    check: str
    low: float
    high: float
    reason: str
    allowed: tuple[str, ...] = ()
    needed: bool = False

    @property
    def limit(self) -> str:
        """The limit in words."""
        if self.allowed:
            return f"one of {', '.join(self.allowed)}"
        return f"exactly {self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"
