"""Evidence decides who becomes champion."""

import numpy as np
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.registry.promotion import Rules, judge
from finescale.scores.evidence import Evidence, gather

DAYS, CELLS = 30, 6


def weather(seed: int = 0) -> xr.Dataset:
    rng = np.random.default_rng(seed)
    time = np.datetime64("2003-01-01", "ns") + np.arange(DAYS * 24) * np.timedelta64(1, "h")
    # Days differ in how hard they are.
    hard = np.repeat(rng.uniform(0.3, 3.0, DAYS), 24)[:, None, None]
    coords = {"time": time, "lat": np.arange(CELLS) + 45.0, "lon": np.arange(CELLS) + 5.0}
    fields = {
        name: (
            ("time", "lat", "lon"),
            (hard * rng.standard_normal((DAYS * 24, CELLS, CELLS))).astype("f4"),
            {"units": u},
        )
        for name, u in (("psl", "Pa"), ("tas", "K"))
    }
    return xr.Dataset(fields, coords=coords)


TRUTH = weather()


def evidence(
    *, error: float, spread: float | None = None, members: int = 8, seed: int = 1, names=("psl", "tas")
) -> Evidence:
    """An ensemble whose mean is off by `error` and whose members scatter by `spread` (calibrated: the same)."""
    rng = np.random.default_rng(seed)
    scatter = error if spread is None else spread
    off = error * rng.standard_normal((1, DAYS * 24, CELLS, CELLS))
    draws = scatter * rng.standard_normal((members, DAYS * 24, CELLS, CELLS))
    dims = ("member", "time", "lat", "lon")
    fields = {n: (dims, (TRUTH[n].values + off + draws).astype("f4"), TRUTH[n].attrs) for n in names}
    found = xr.Dataset(fields, coords={"member": np.arange(members), **TRUTH.coords})
    return gather(found, TRUTH, seed=0)


GOOD, BAD = evidence(error=1.0), evidence(error=1.3, seed=2)
RULES = Rules(resamples=200)


def test_the_first_candidate_wins_unless_a_gate_was_waived() -> None:
    assert judge(GOOD, None, RULES).reason == "there was no champion"
    refused = judge(GOOD, None, RULES, waived=["ensemble/a/tas/max"])
    assert not refused.better
    assert "gates were waived: ensemble/a/tas/max" in refused.reason
    assert judge(GOOD, None, Rules(waived=True, resamples=200), waived=["x"]).better


def test_better_on_every_variable_wins_and_the_proof_says_by_how_much() -> None:
    verdict = judge(GOOD, BAD, RULES)
    assert verdict.better
    assert (verdict.proof["high"] < 0).all()
    # CRPS of a calibrated Gaussian forecast of standard deviation s is s / sqrt(pi), fair in the members.
    assert verdict.proof["crps_challenger"].to_numpy() == pytest.approx(np.sqrt(1 / np.pi), rel=0.02)
    assert verdict.proof["crps_champion"].to_numpy() == pytest.approx(1.3 * np.sqrt(1 / np.pi), rel=0.02)
    assert not judge(GOOD, BAD, Rules(gain=0.5, resamples=200)).better


def test_worse_loses_and_the_reason_has_the_numbers() -> None:
    verdict = judge(BAD, GOOD, RULES)
    assert not verdict.better
    assert "psl: CRPS 0.7" in verdict.reason
    assert "is worse (difference" in verdict.reason


def test_a_difference_within_noise_loses() -> None:
    verdict = judge(evidence(error=1.0, seed=5), evidence(error=1.0, seed=6), Rules(resamples=1000))
    assert not verdict.better
    assert "noise" in verdict.reason or "worse" in verdict.reason
    assert not judge(GOOD, GOOD, RULES).better


def test_pairs_of_days_see_what_unpaired_intervals_do_not() -> None:
    slightly = evidence(error=1.02)
    assert judge(GOOD, slightly, RULES).better
    table = judge(GOOD, slightly, RULES).proof
    assert ((table["high"] - table["low"]) < 0.05 * table["crps_champion"]).all()


def test_a_sharper_but_overconfident_challenger_is_refused() -> None:
    verdict = judge(evidence(error=0.9, spread=0.3, seed=3), BAD, RULES)
    assert (verdict.proof["high"] < 0).all(), "its CRPS alone would win"
    assert not verdict.better
    assert "spread_skill" in verdict.reason
    assert "pit_reliability" in verdict.reason


def test_one_member_does_not_follow_an_ensemble_and_an_ensemble_may_follow_one_member() -> None:
    single = evidence(error=0.2, spread=0.0, members=1, seed=4)
    assert "it has one member" in judge(single, BAD, RULES).reason
    assert judge(GOOD, evidence(error=1.3, spread=0.0, members=1, seed=4), RULES).better


def test_other_variables_cannot_be_compared() -> None:
    with pytest.raises(FinescaleError, match="the same variables"):
        judge(evidence(error=1.0, names=("tas",)), GOOD, RULES)
