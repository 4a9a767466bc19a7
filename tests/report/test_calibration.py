"""Rank histograms say which ensembles are too sure, cell by cell and as whole fields."""

import numpy as np
import pytest
import xarray as xr

from finescale.report.calibration import field_ranks, ranks
from finescale.report.case import Case
from finescale.report.diagnosis import diagnose
from finescale.report.display import style


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


def test_fields_of_an_ensemble_too_sure_lie_outside_the_members(found):
    case, diagnoses = found
    picture = field_ranks(case, diagnoses, style(list(diagnoses)), seed=0)
    assert "sure sloping" in picture.alt and "fair sloping" not in picture.alt
    hours = truths = case.truth.sizes["time"]
    outermost = (diagnoses["sure"]["tas"].depths.argmin(axis=1) == 0).sum()
    assert (
        outermost > 0.9 * hours and (diagnoses["fair"]["tas"].depths.argmin(axis=1) == 0).sum() < 0.3 * truths
    )


def test_one_member_has_no_ranks(found):
    case, diagnoses = found
    assert field_ranks(case, {"one": diagnoses["one"]}, style(["one"]), seed=0) is None
