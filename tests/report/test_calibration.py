"""Rank histograms say which ensembles are too sure, cell by cell and as whole fields."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from finescale.report import fans
from finescale.report.calibration import field_ranks, ranks, reliability
from finescale.report.case import Case
from finescale.report.diagnosis import diagnose
from finescale.report.display import style
from finescale.scores import exceedance


def about(rng, truth, spread, members):
    """Members about a mean that misses the truth by one."""
    tas = truth["tas"].to_numpy()
    drawn = tas + rng.normal(size=tas.shape) + spread * rng.normal(size=(members, *tas.shape))
    values = {"tas": (("member", "time", "lat", "lon"), drawn.astype(np.float32), truth["tas"].attrs)}
    return xr.Dataset(values, coords=truth.coords)


@pytest.fixture(scope="module")
def found(truth, coarsening):
    rng = np.random.default_rng(3)
    truth = truth[["tas"]]
    ensembles = {
        "fair": about(rng, truth, 1.0, 7),
        "sure": about(rng, truth, 0.3, 7),
        "one": about(rng, truth, 1.0, 1),
    }
    case = Case("perfect", truth, coarsening.apply(truth), ensembles)
    return case, {m: {"tas": diagnose(case, m, "tas")} for m in ensembles}


def test_an_ensemble_too_sure_is_a_valley(found):
    case, diagnoses = found
    picture = ranks(case, diagnoses, style(list(diagnoses)))
    assert "fair nearly flat" in picture.alt and "sure a valley" in picture.alt and "one" not in picture.alt


def test_variables_that_slope_either_way_do_not_make_a_flat_histogram(found):
    case, diagnoses = found
    slope = np.linspace(4, 1, 8) / 20
    both = Case("x", case.truth.assign(psl=case.truth["tas"]), case.coarse, {})
    shapes = {
        n: replace(diagnoses["fair"]["tas"], ranks=s) for n, s in (("psl", slope), ("tas", slope[::-1]))
    }
    assert "m sloping." in ranks(both, {"m": shapes}, style(["m"])).alt
    shapes["tas"] = diagnoses["fair"]["tas"]
    assert "m sloping in psl and nearly flat in tas." in ranks(both, {"m": shapes}, style(["m"])).alt


def test_fields_of_an_ensemble_too_sure_lie_outside_the_members(found):
    case, diagnoses = found
    picture = field_ranks(case, diagnoses, style(list(diagnoses)), seed=0)
    assert "sure sloping" in picture.alt and "fair sloping" not in picture.alt
    hours = truths = case.truth.sizes["time"]
    outermost = (diagnoses["sure"]["tas"].depths.argmin(axis=1) == 0).sum()
    assert (
        outermost > 0.9 * hours and (diagnoses["fair"]["tas"].depths.argmin(axis=1) == 0).sum() < 0.3 * truths
    )


def test_a_calibrated_ensemble_lies_on_its_own_line_of_reliability(truth, coarsening):
    """Of seven members above the truth is above less often than always, however well calibrated."""
    rng = np.random.default_rng(4)
    field = truth[["tas"]]
    shape = field["tas"].shape
    signal = 280 + rng.normal(size=shape)
    tas, *drawn = signal + 0.8 * rng.normal(size=(8, *shape))
    o = field.assign(tas=(field["tas"].dims, tas, field["tas"].attrs))
    members = (("member", *field["tas"].dims), np.stack(drawn), field["tas"].attrs)
    x = xr.Dataset({"tas": members}, coords=field.coords)
    sure = x.assign(tas=(x["tas"] * 0.2 + x["tas"].mean("member") * 0.8).assign_attrs(x["tas"].attrs))
    case = Case("perfect", o, coarsening.apply(o), {"fair": x, "sure": sure})
    diagnoses = {method: {"tas": diagnose(case, method, "tas")} for method in case.ensembles}
    found = {}
    for method, by in diagnoses.items():
        counts = by["tas"].reliability
        found[method] = exceedance.calibrated_reliability(counts) - counts[1] / counts[0]
    assert np.abs(found["fair"]).max() < 0.05 < 0.1 < found["sure"][-1]
    counts = diagnoses["fair"]["tas"].reliability
    assert counts[1, -1] / counts[0, -1] < 0.9
    assert "dotted line of the same colour" in reliability(case, diagnoses, style(list(diagnoses))).caption


@pytest.mark.parametrize(
    ("members", "words"), [(3, ("50 %", "50 %")), (7, ("50 %", "75 %")), (19, ("50 %", "90 %"))]
)
def test_the_fan_promises_what_its_members_can_keep(coarsening, truth, members, words):
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(members + 1, 40_000))
    for level, word in zip(fans.LEVELS, words, strict=True):
        sides = [(1 - level) / 2, (1 + level) / 2]
        low, high = np.quantile(drawn[1:], sides, axis=0, method="weibull")
        inside = ((low <= drawn[0]) & (drawn[0] <= high)).mean()
        assert inside == pytest.approx(fans.attained(level, members), abs=0.015)
        assert f"{100 * fans.attained(level, members):.0f} %" == word
    some = about(rng, truth[["tas"]], 1.0, members)
    case = Case("x", truth[["tas"]], coarsening.apply(truth[["tas"]]), {"m": some})
    caption = fans.fans(case, "m", {"middle": (47.5, 7.0)}).caption
    assert all(word in caption for word in (f"{members} members", *words))


def test_one_member_has_no_ranks(found):
    case, diagnoses = found
    assert field_ranks(case, {"one": diagnoses["one"]}, style(["one"]), seed=0) is None
