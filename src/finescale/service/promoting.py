"""Promotion by evidence, and the way back: one champion at any time, whoever asks at the same time."""

import json
import tempfile
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from finescale.errors import FinescaleError
from finescale.pipeline.project import Project
from finescale.pipeline.tracking import flat
from finescale.registry import aliases, tracking
from finescale.registry.lock import locked
from finescale.registry.promotion import Rules, Verdict, judge
from finescale.service import evidence


@dataclass(frozen=True)
class Decision:
    """What became of a challenger.

    Attributes:
        name: The registered model.
        version: The challenger.
        promoted: Whether it is champion now.
        reason: Why, or why not.
        champion: Number of the champion after the decision.
        proof: One row a variable: both scores, their difference and its interval.
    """

    name: str
    version: str
    promoted: bool
    reason: str
    champion: str
    proof: pd.DataFrame

    @property
    def text(self) -> str:
        """One line for people."""
        what = "champion" if self.promoted else f"stays a candidate (champion is version {self.champion})"
        return f"models:/{self.name} version {self.version}: {what}, {self.reason}"


def promote(
    root: Path,
    challenger: str = "candidate",
    *,
    period: tuple[date, date] | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Decision:
    """Put a version against the champion on the same held-out days; the rules of params.yaml decide.

    Args:
        root: The project.
        challenger: Alias or number of the version.
        period: Other days than the test block: fresh ones.
        tell: Told what takes long.
    """
    project = Project(root.resolve())
    name, seed = project.settings.registry.name, project.settings.seed
    rules = Rules(**project.settings.promotion.model_dump())
    version = aliases.resolve(project.root, name, challenger)
    days = evidence.held_out(project, period)
    mine = evidence.of_version(project.root, name, version, days, tell)
    while True:
        # Scoring may take long and is done without the lock; a champion that changed meanwhile is judged anew.
        present = aliases.holder(project.root, name, aliases.CHAMPION)
        other, apart = None, ""
        if present not in (None, version):
            try:
                other = evidence.of_version(project.root, name, str(present), days, tell)
            except FinescaleError as error:
                apart = (
                    f"the champion, version {present}, cannot answer on these days: {error}; a model of another kind "
                    "wants a registry.name of its own"
                )
        with locked(project.root / "mlruns" / "promotion.lock"):
            if aliases.holder(project.root, name, aliases.CHAMPION) != present:
                continue
            if present == version:
                return Decision(name, version, True, "it is champion already", version, pd.DataFrame())
            if apart:
                verdict = Verdict(False, apart, pd.DataFrame())
            else:
                waived = tracking.tags_of(project.root, name, version).get("waived", "")
                verdict = judge(mine, other, rules, waived=waived.split("; ") if waived else [], seed=seed)
            return _settle(project, name, version, present, verdict, days.key, rules)


def _settle(
    project: Project, name: str, version: str, present: str | None, verdict: Verdict, key: str, rules: Rules
) -> Decision:
    """Move the alias or not, and log the decision with its proof."""
    root = project.root
    if present is not None:
        aliases.challenge(root, name, version)
    if verdict.better:
        aliases.crown(root, name, version, present)
    aliases.decided(root, name, version, promoted=verdict.better, reason=verdict.reason)
    champion = version if verdict.better else str(present or "none")
    with tempfile.TemporaryDirectory() as folder:
        table, said = Path(folder) / "proof.csv", Path(folder) / "decision.json"
        verdict.proof.to_csv(table, index=False, float_format="%.6g", lineterminator="\n")
        body = {
            "challenger": version,
            "champion_before": present,
            "champion_after": champion,
            "promoted": verdict.better,
            "reason": verdict.reason,
            "rules": flat(project.settings.promotion.model_dump(mode="json")),
            "held_out": key,
        }
        said.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
        tracking.record(
            root,
            name=f"promote {name} v{version}",
            params={"rules." + k: v for k, v in vars(rules).items()} | {"challenger": version},
            metrics={
                f"{c}.{r['variable']}": float(r[c])
                for r in verdict.proof.to_dict("records")
                for c in _numbers(r)
            },
            files={"proof": table, "decision": said},
            sources=(),
            tags={
                "stage": "promote",
                "promoted": str(verdict.better).lower(),
                "reason": verdict.reason[:4900],
            },
        )
    return Decision(name, version, verdict.better, verdict.reason, champion, verdict.proof)


def _numbers(row: dict[Hashable, object]) -> list[Hashable]:
    """Columns of a row that hold a finite number."""
    return [key for key, value in row.items() if isinstance(value, float) and abs(value) < float("inf")]


def rollback(root: Path) -> str:
    """Give the champion's place back to the one before; says which."""
    project = Project(root.resolve())
    name = project.settings.registry.name
    with locked(project.root / "mlruns" / "promotion.lock"):
        present, before = aliases.step_back(project.root, name)
        text = f"models:/{name}: version {before} is champion again, version {present} withdrawn"
        tracking.record(
            project.root,
            name=f"rollback {name} to v{before}",
            params={"from": present, "to": before},
            metrics={},
            files={},
            sources=(),
            tags={"stage": "rollback", "reason": text},
        )
    return text
