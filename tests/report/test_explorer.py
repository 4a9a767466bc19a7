"""What the explorer is given can be turned back into the fields."""

import numpy as np
import pytest

from finescale.report.display import shown
from finescale.report.explorer import coastline, pack, unpacked


def test_fields_come_back_within_half_a_step(case, static):
    data = pack([case], default="ours", static=static)["cases"]["perfect"]
    window = case.window(len(data["hours"]))
    for name in ("psl", "tas"):
        packed = data["variables"][name]
        step = (packed["high"] - packed["low"]) / 255
        sources = {"truth": case.truth[name], "ours/3": case.ensembles["ours"][name].isel(member=3)}
        for key, values in sources.items():
            wanted = shown(name).convert(values.isel(time=window).to_numpy())
            found = unpacked(packed["fields"][key], wanted.shape, packed["low"], packed["high"])
            assert np.abs(found - wanted).max() <= 0.5001 * step
    assert data["methods"] == {"ours": 5, "bilinear": 1}
    assert data["hours"][data["storm"]] == "2003-01-08 11:00"


def test_the_stretch_shrinks_to_the_budget(case, static):
    cells = 12 * 16 * 2 * 7
    assert len(pack([case], default="ours", static=static)["cases"]["perfect"]["hours"]) == 72
    small = pack([case], default="ours", static=static, budget=cells * 30)["cases"]["perfect"]
    assert len(small["hours"]) == 30
    assert len(pack([case], default="ours", static=static, budget=1)["cases"]["perfect"]["hours"]) == 24


def test_the_coastline_runs_between_land_and_sea():
    land = np.zeros((3, 4))
    land[1, 2] = 1
    assert sorted(map(tuple, coastline(land))) == [(2, 1, 2, 2), (2, 1, 3, 1), (2, 2, 3, 2), (3, 1, 3, 2)]


@pytest.mark.parametrize("field", ["stamps", "shape"])
def test_the_coarse_input_is_at_its_own_hours(case, static, field):
    data = pack([case], default="ours", static=static)["cases"]["perfect"]
    if field == "shape":
        assert data["coarse"]["shape"] == [3, 4]
    else:
        assert all(data["hours"][s][11:13] in ("00", "06", "12", "18") for s in data["coarse"]["stamps"])
