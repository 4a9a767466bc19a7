"""Scaling against numpy on whole arrays, and what it refuses."""

import numpy as np
import pytest
import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.scaling import Scaling


def dataset(frames=700, seed=0):
    rng = np.random.default_rng(seed)
    time = np.datetime64("2001-01-01", "ns") + np.arange(frames) * np.timedelta64(1, "h")
    psl = 101325 + 900 * rng.standard_normal((frames, 6, 7))
    pr = rng.gamma(0.3, 1e-4, (frames, 6, 7))
    fields = {"psl": psl, "pr": pr}
    return xr.Dataset(
        {name: (("time", "lat", "lon"), v.astype(np.float32)) for name, v in fields.items()},
        coords={"time": time, "lat": np.arange(6.0), "lon": np.arange(7.0)},
    )


def test_mean_and_std_are_those_of_the_whole():
    ds = dataset()
    scaling = Scaling.fit(ds, ["psl", "pr"])
    for i, name in enumerate(("psl", "pr")):
        values = ds[name].values.astype(np.float64)
        assert scaling.centre[i] == pytest.approx(values.mean(), rel=1e-9)
        assert scaling.scale[i] == pytest.approx(values.std(), rel=1e-6)


def test_quantiles_are_those_of_the_whole():
    ds = dataset()
    scaling = Scaling.fit(ds, ["psl", "pr"], "quant95")
    scaled = scaling.apply(np.stack([ds["psl"], ds["pr"]], axis=1))
    for c in range(2):
        np.testing.assert_allclose(np.quantile(scaled[:, c], [0.05, 0.95]), [0, 1], atol=2e-3)


def test_inversion_is_exact_to_rounding_and_the_card_keeps_all():
    ds = dataset()
    scaling = Scaling.from_dict(Scaling.fit(ds, ["psl", "pr"], "quant95").to_dict())
    assert scaling == Scaling.fit(ds, ["psl", "pr"], "quant95")
    x = np.stack([ds["psl"], ds["pr"]], axis=1)
    back = scaling.invert(scaling.apply(x))
    np.testing.assert_allclose(back[:, 0], x[:, 0], rtol=1e-7, atol=0.01)
    np.testing.assert_allclose(back[:, 1], x[:, 1], atol=1e-9)


def test_kelvin_and_celsius_give_the_same_state():
    ds = dataset()
    warm = ds.assign(psl=ds["psl"] - 273.0)
    a = Scaling.fit(ds, ["psl"]).apply(ds["psl"].values[:, None])
    b = Scaling.fit(warm, ["psl"]).apply(warm["psl"].values[:, None])
    np.testing.assert_allclose(a, b, atol=1e-4)


def test_land_only_data_scale_by_their_land():
    ds = dataset()
    ds["psl"] = ds["psl"].where(ds["lat"] > 2)
    scaling = Scaling.fit(ds, ["psl"])
    assert scaling.centre[0] == pytest.approx(float(ds["psl"].mean()), rel=1e-6)


def spoiled(kind):
    ds = dataset()
    if kind == "gap":
        ds["psl"][500, 1, 1] = np.nan
    if kind == "constant":
        ds["psl"][:] = 101325.0
    if kind == "empty":
        ds["psl"][:] = np.nan
    if kind == "infinite":
        ds["psl"][400, 2, 2] = np.inf
    return ds


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("gap", "psl has other gaps at 2001-01-21T20"),
        ("infinite", "psl has other gaps at 2001-01-17T16"),
        ("constant", "psl is 101325 everywhere"),
        ("empty", "psl is missing everywhere"),
    ],
)
def test_bad_data_are_named(kind, message):
    with pytest.raises(FinescaleError, match=message):
        Scaling.fit(spoiled(kind), ["psl"])


def test_unknown_scalings_and_empty_periods_are_refused():
    with pytest.raises(FinescaleError, match="mean-std, quant95: got minmax"):
        Scaling.fit(dataset(), ["psl"], "minmax")
    with pytest.raises(FinescaleError, match="at least one frame"):
        Scaling.fit(dataset().isel(time=slice(0, 0)), ["psl"])
