"""The verdict in words: does the default beat the baselines, where does it fail, what is not to be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from finescale.report.display import number
from finescale.scores.duels import BEHIND
from finescale.scores.metrics import WITHOUT_INTERVAL
from finescale.scores.table import Score, lines, unavailable

LEAST_IS_BEST = ("crps", "mae", "rmse", "melr", "p99_rmse", "p99_mae", "coarse_misfit", "pit_reliability")
FLOOR = "noise-floor"
CALIBRATED = (0.8, 1.25)  # spread over error: beyond, the spread misleads
LOOSE = 0.1  # a misfit of a tenth of the standard deviation of the coarse input is visible on a map
MET = 1e-3  # a misfit that nobody can see; what is left of it is rounding
DOUBTED = 1.25  # input in doubt is left by about its standard error, no more
FAR = 3.0  # spectra so many times farther from the truth than another period of the truth is


@dataclass(frozen=True)
class Duel:
    """The default against one baseline in one case, over variables.

    Attributes:
        case: The case.
        baseline: The baseline.
        better: Variables whose CRPS is lower, beyond chance.
        level: Variables where chance may decide.
        worse: Variables whose CRPS is higher, beyond chance.
        gain: Mean share of the baseline's CRPS that is gone.
    """

    case: str
    baseline: str
    better: tuple[str, ...]
    level: tuple[str, ...]
    worse: tuple[str, ...]
    gain: float


@dataclass(frozen=True)
class Verdict:
    """What the page says first.

    Attributes:
        answer: One sentence.
        won: Whether the default beats every baseline everywhere.
        duels: One a case and baseline.
        failures: Where a baseline is better.
        cautions: What is not to be trusted.
    """

    answer: str
    won: bool
    duels: tuple[Duel, ...]
    failures: tuple[str, ...]
    cautions: tuple[str, ...]


def judge(scorecard: pd.DataFrame, *, default: str, baselines: Sequence[str]) -> Verdict:
    """Read the verdict off the scorecard.

    Args:
        scorecard: The long table.
        default: The method that is judged.
        baselines: The methods it must beat.
    """
    card = lines(scorecard)
    present = {line.method for line in card}
    rivals = [b for b in baselines if b != default and b in present]
    found = [
        _duel(card, case, default, rival) for case in _distinct(x.case for x in card) for rival in rivals
    ]
    duels = tuple(duel for duel in found if duel is not None)
    won, level, lost = (sum(len(getattr(d, side)) for d in duels) for side in ("better", "level", "worse"))
    tried = won + level + lost
    return Verdict(
        answer=_answer(default, _listed(rivals) or "any baseline", won, lost, tried),
        won=bool(tried) and won == tried,
        duels=duels,
        failures=tuple(_failures(card, default, rivals)),
        cautions=(*_cautions(card, default), *_missing(scorecard, default)),
    )


def _answer(default: str, names: str, won: int, lost: int, tried: int) -> str:
    if not tried:
        return f"Nothing can be said: {default} was not scored beside {names}."
    if won == tried:
        return f"Yes: {default} has a lower CRPS than {names} in all {tried} comparisons, beyond chance."
    word = "Mostly" if won > tried / 2 else "Hardly" if won else "No"
    return (
        f"{word}: {default} has a lower CRPS than {names} in {won} of {tried} comparisons, a higher one in "
        f"{lost or 'none'}; in the other {tried - won - lost} chance may decide."
    )


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def _duel(card: Sequence[Score], case: str, default: str, rival: str) -> Duel | None:
    whole = [x for x in card if (x.case, x.region, x.hours) == (case, "all", "all")]
    own = {x.variable: x for x in whole if (x.method, x.metric) == (default, "crps")}
    other = {x.variable: x for x in whole if (x.method, x.metric) == (rival, "crps")}
    behind = {x.variable: x for x in whole if (x.method, x.metric) == (rival, BEHIND)}
    sides: dict[str, list[str]] = {"better": [], "level": [], "worse": []}
    gains = []
    for name in [n for n in own if n in other]:
        sides[_side(own[name], other[name], behind.get(name))].append(name)
        if other[name].value > 0:
            gains.append(1 - own[name].value / other[name].value)
    if not gains:
        return None
    better, level, worse = (tuple(names) for names in sides.values())
    return Duel(case, rival, better, level, worse, float(np.mean(gains)))


def _side(own: Score, other: Score, behind: Score | None) -> str:
    """Tell how one variable stands: by the difference on the same days where it is known, else by the intervals."""
    if behind is not None and np.isfinite(behind.low):
        return "better" if behind.low > 0 else "worse" if behind.high < 0 else "level"
    return "better" if _above(other, own) else "worse" if _above(own, other) else "level"


def _above(a: Score, b: Score) -> bool:
    """Tell whether a is larger than b by more than the intervals; without intervals the values decide."""
    low = a.low if np.isfinite(a.low) else a.value
    high = b.high if np.isfinite(b.high) else b.value
    return low > high


def _failures(card: Sequence[Score], default: str, rivals: Sequence[str]) -> list[str]:
    """Say by case and score where the best baseline is better, the worst first."""
    best: dict[tuple[str, ...], Score] = {}
    for line in card:
        if line.method in rivals and line.metric in LEAST_IS_BEST and np.isfinite(line.value):
            key = line[1:6]
            if key not in best or line.value < best[key].value:
                best[key] = line
    lost: dict[tuple[str, str], list[tuple[Score, Score]]] = {}
    allowed = _allowed(card, default)
    for line in card:
        rival = best.get(line[1:6])
        if line.metric == "coarse_misfit" and (line.value <= MET or (line.case, line.variable) in allowed):
            continue
        if line.method == default and rival is not None and _above(line, rival):
            lost.setdefault((line.case, line.metric), []).append((line, rival))
    texts = []
    for (case, metric), pairs in lost.items():
        worst, rival = max(pairs, key=lambda pair: pair[0].value / pair[1].value if pair[1].value else np.inf)
        ratio = worst.value / rival.value if rival.value else np.inf
        texts.append(
            (
                -ratio,
                f"{case}, {metric}: {rival.method} is better for {_words(p[0].variable for p in pairs)} "
                f"({_places([p[0] for p in pairs])}); at worst {number(worst.value)} against "
                f"{number(rival.value)} ({worst.variable}, {_where(worst)})",
            )
        )
    return [text for _, text in sorted(texts)]


def _allowed(card: Sequence[Score], default: str) -> set[tuple[str, str]]:
    """Cases and variables whose coarse input is in doubt, and is left no further than that."""
    return {
        (x.case, x.variable)
        for x in card
        if (x.method, x.metric) == (default, "misfit_over_error") and x.value <= DOUBTED
    }


def _cautions(card: Sequence[Score], default: str) -> list[str]:
    whole = [x for x in card if x.region == "all" and np.isfinite(x.value)]
    own = [x for x in whole if x.method == default]
    floor, allowed = {x[1:6]: x.value for x in whole if x.method == FLOOR}, _allowed(card, default)
    texts = []
    for case in _distinct(x.case for x in own):
        here = [x for x in own if x.case == case and (x.hours == "all" or x.metric == "coarse_misfit")]
        spread = [x for x in here if x.metric == "spread_skill"]
        for word, off in (
            ("narrow", [x for x in spread if x.value < CALIBRATED[0]]),
            ("wide", [x for x in spread if x.value > CALIBRATED[1]]),
        ):
            if off:
                texts.append(
                    f"{case}: the spread of {_words(x.variable for x in off)} is too {word} ({_range(off)} of its "
                    "error); do not read it as the uncertainty."
                )
        loose = [
            x
            for x in here
            if x.metric == "coarse_misfit" and x.value > LOOSE and (x.case, x.variable) not in allowed
        ]
        if loose:
            texts.append(
                f"{case}: the members of {_words(x.variable for x in loose)} leave the coarse input by "
                f"{_range(loose)} of its standard deviation."
            )
        blind = [x for x in here if x.metric == "crps" and x.value >= floor.get(x[1:6], np.inf)]
        if blind:
            texts.append(
                f"{case}: hour by hour, {_words(x.variable for x in blind)} is no better than the truth of another "
                "period."
            )
        off = [x for x in here if x.metric == "melr" and x.value > FAR * floor.get(x[1:6], np.inf)]
        if off:
            texts.append(
                f"{case}: the spectra of {_words(x.variable for x in off)} are off by {_range(off)} (mean log ratio), "
                f"over {FAR:.0f} times what another period of the truth is."
            )
    return texts


def _missing(scorecard: pd.DataFrame, default: str) -> list[str]:
    lost = unavailable(scorecard[scorecard["method"] == default])
    lost = lost[~lost["metric"].isin(WITHOUT_INTERVAL)]  # that they have no interval makes them no worse
    return [
        f"Not available for {default} in {_words(rows['case'])}: {_words(rows['metric'])}; {reason}."
        for reason, rows in lost.groupby("reason", sort=False)
    ]


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _words(words: Iterable[str]) -> str:
    return ", ".join(_distinct(map(str, words)))


def _range(found: Sequence[Score]) -> str:
    low, high = (number(f(x.value for x in found), 2) for f in (min, max))
    return low if low == high else f"{low} to {high}"


def _places(found: Sequence[Score]) -> str:
    """Say in which regions and hours, not every combination."""
    regions = _words("everywhere" if x.region == "all" else x.region for x in found)
    return f"{regions}; {_words(x.hours for x in found)} hours"


def _where(line: Score) -> str:
    words = {"all": "all hours", "observed": "observed hours", "between": "hours between"}
    return words[line.hours] if line.region == "all" else f"{line.region}, {words[line.hours]}"
