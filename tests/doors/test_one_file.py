"""A scientist with one file of her own: no catalogue, no climate model, no static fields."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter
from typer.testing import CliRunner

from finescale.cli import app

SETTINGS = """\
data:
  variables: [tas]
  reference:
    files: [mine.nc]
    preset: era5
split:
  train: ["2019-03-01", "2019-03-14"]
  validation: ["2019-03-16", "2019-03-18"]
  test: ["2019-03-20", "2019-03-22"]
coarse: {factor: 4}
climate: {modes: 24, joint: 8, sketch_every: 1}
downscale:
  methods: [bilinear, bcsd, gaussian]
  members: 8
  bcsd: {harmonics: 0}
score: {resamples: 20}
registry: {method: gaussian}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with settings and a file as a reanalysis centre writes it: its names, north first, degrees Celsius."""
    hours = 22 * 24
    noise = np.random.default_rng(1).standard_normal((hours, 24, 24))
    weather = gaussian_filter(noise, (6, 2.5, 2.5), mode=("nearest", "wrap", "wrap"))
    day = 3 * np.cos(2 * np.pi * (np.arange(hours) - 14) / 24)
    values = 8 + 2.5 * weather / weather.std() + day[:, None, None]
    ds = xr.Dataset(
        {"t2m": (("time", "latitude", "longitude"), values.astype("float32"), {"units": "degC"})},
        {
            "time": pd.date_range("2019-03-01", periods=hours, freq="h"),
            "latitude": ("latitude", 56 - 0.25 * np.arange(24), {"units": "degrees_north"}),
            "longitude": ("longitude", -8 + 0.25 * np.arange(24), {"units": "degrees_east"}),
        },
    )
    ds.to_netcdf(tmp_path / "mine.nc")
    (tmp_path / "params.yaml").write_text(SETTINGS, encoding="utf-8")
    return tmp_path


def test_one_file_is_enough_for_a_scorecard_and_a_page(project: Path) -> None:
    result = CliRunner().invoke(app, ["run", "--direct", "--root", str(project)])
    assert result.exit_code == 0, result.output
    card = pd.read_csv(project / "reports" / "scorecard.csv")
    crps = card[(card.metric == "crps") & (card.hours == "all") & (card.region == "all")]
    by = crps[crps.case == "perfect"].set_index("method")["value"]
    assert by["gaussian"] < by["bcsd"]
    assert by["gaussian"] < by["bilinear"]
    assert "<title>" in (project / "reports" / "index.html").read_text(encoding="utf-8")
