"""Methods behind the default: paired days tell what separate intervals cannot."""

import numpy as np
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.scores import scorecard
from finescale.scores.duels import behind
from finescale.scores.evidence import gather


@pytest.fixture
def sides(fields):
    """A truth whose days differ a lot, and members that miss it by a share of what the day is like."""
    truth = fields(0, names=("tas", "psl"))
    day = truth["time"].dt.dayofyear - truth["time"].dt.dayofyear[0]

    def off(by, names=("tas", "psl")):
        found = xr.concat([truth + by * (1 + day), truth + by * (1 + day) + 0.1], "member")
        return found.transpose("member", "time", "lat", "lon")[list(names)]

    return truth, off


def rows(found, truth, **given):
    evidence = {name: gather(x, truth, seed=0) for name, x in found.items()}
    return behind(evidence, **({"default": "own", "case": "perfect", "resamples": 200, "seed": 0} | given))


def test_the_difference_is_that_of_the_scores_and_paired_days_are_surer(sides, coarsening):
    truth, off = sides
    found = {"own": off(1.0), "near": off(1.1)}
    table = rows(found, truth).set_index("variable")
    assert set(table["method"]) == {"near"} and set(table["metric"]) == {"crps_behind"}
    cards = {
        name: scorecard.score(x, truth, method=name, case="perfect", static=None, coarsening=coarsening)
        for name, x in found.items()
    }
    for name in ("tas", "psl"):
        crps = {}
        for method, card in cards.items():
            crps[method] = card.set_index(["variable", "region", "hours", "metric"]).loc[
                (name, "all", "all", "crps")
            ]
        expected = crps["near"]["value"] - crps["own"]["value"]
        assert table.loc[name, "value"] == pytest.approx(expected, rel=1e-6)
        assert table.loc[name, "low"] > 0
        assert crps["near"]["low"] < crps["own"]["high"]


def test_other_days_are_refused(sides):
    """Six days against eight, or eight of which one lacks hours, are not paired."""
    truth, off = sides
    for other in (truth.isel(time=slice(0, 24 * 6)), truth.isel(time=slice(0, 24 * 8 - 3))):
        evidence = {
            "own": gather(off(1.0), truth, seed=0),
            "m": gather(off(1.0).sel(time=other["time"]), other, seed=0),
        }
        with pytest.raises(
            FinescaleError, match=r"on the same days: psl has [68] days of .* and 8 days of 192 hours"
        ):
            behind(evidence, default="own", case="perfect", resamples=50, seed=0)


def test_only_shared_variables_are_compared(sides):
    truth, off = sides
    table = rows({"own": off(1.0, ("tas",)), "other": off(0.5), "alien": off(2.0, ("psl",))}, truth)
    assert table[["method", "variable"]].to_numpy().tolist() == [["other", "tas"]]
    assert (table["high"] < 0).all()


def test_without_the_default_there_is_nothing_to_say(sides):
    truth, off = sides
    assert rows({"other": off(0.5)}, truth).empty
    assert np.isfinite(rows({"own": off(1.0), "other": off(0.5)}, truth)["value"]).all()
