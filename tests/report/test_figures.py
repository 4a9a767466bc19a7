"""What single figures say, in numbers that their words carry; the storm's film; many methods at once."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib import colormaps
from PIL import Image

from finescale.report import animation, figures, maps, motion, tracks
from finescale.report.canvas import FEW, blank, key
from finescale.report.case import Case
from finescale.report.display import shown, style
from finescale.report.mending import mending

METHODS = [
    "ours", "sda", "sda-tuned", "zssd", "dps", "ddrm", "unet", "ldm", "pde-ldm", "ours-b", "bilinear",
    "gaussian", "bcsd",
]  # fmt: skip


def lows(truth, column, shift=0, row=5):
    """A low that wanders for ten hours; `column` is where it starts."""
    psl = np.full(truth["psl"].shape, 101_000.0)
    for t in range(40, 50):
        psl[t, row, column + (t - 40) // 2 + shift] = 96_000.0 + 10 * abs(t - 45)
    return truth.assign(psl=(truth["psl"].dims, psl))


def test_a_moved_storm_is_as_far_off_as_it_was_moved(truth, coarsening):
    """The ensemble has the low four columns farther east, or on the rim where nobody knows its centre."""
    here = lows(truth, 3)
    members = {"same": here, "east": lows(truth, 3, 4), "rim": lows(truth, 3, row=0)}
    case = Case("perfect", here, coarsening.apply(here), members)
    assert case.storm_hour == 45 and case.moment == "The hour at which the storm is deepest"
    alt = tracks.tracks(case, style(list(members)), None).alt
    found = dict(re.findall(r"(same|east) (\d+) km in 100 %", alt))
    degrees = 4 * 0.15 * np.cos(np.deg2rad(truth["lat"].values[5]))
    assert found["same"] == "0"
    assert float(found["east"]) == pytest.approx(degrees * 111.2, abs=1.0)
    assert "rim nowhere in 0 %" in alt


def test_a_case_without_a_storm_says_so(truth, coarsening):
    calm = lows(truth, 3, row=0)
    case = Case("calm", calm, coarsening.apply(calm), {"ours": truth})
    assert tracks.tracks(case, style(["ours"]), None).startswith(
        "No storm crosses the domain in the case calm"
    )
    assert case.storm_hour == 45  # the lowest pressure all the same
    assert case.moment == "The hour of the lowest pressure; the low it belongs to lies outside"


def test_no_pressure_no_track(case):
    dry = Case("x", case.truth[["tas"]], case.coarse[["tas"]], {"ours": case.ensembles["ours"][["tas"]]})
    assert tracks.tracks(dry, style(["ours"]), None) is None
    caption = maps.hour_maps(dry, "tas", "ours", other=None, static=None).caption
    assert caption.startswith("The hour of the largest value of temperature at 2 m. Members")


def test_a_method_twice_as_lively_has_four_times_the_power(case):
    double = case.truth.map(lambda v: 2 * v, keep_attrs=True)
    made = Case("x", case.truth, case.coarse, {"double": double, "same": case.truth})
    picture = motion.motion(made, ["double", "same"])
    assert "double 4.00, same 1.00" in picture.alt
    assert (
        "Small and fast is to the upper right" in picture.caption
    )  # short waves right, short periods on top
    short = Case("x", case.truth.isel(time=slice(0, 47)), case.coarse, {"same": case.truth})
    assert motion.motion(short, ["same"]) is None


def test_what_is_left_of_a_bias_is_told():
    rows = [
        ("raw", "gcm-a", "tas", "mean_error", 2.0), ("qdm", "gcm-a", "tas", "mean_error", 0.1),
        ("raw", "gcm-a", "tas", "p99_error", 1.0), ("qdm", "gcm-a", "tas", "p99_error", 1.5),
        ("raw", "gcm-a", "tas", "mean_change", 1.61), ("qdm", "gcm-a", "tas", "mean_change", 1.59),
        ("raw", "gcm-b", "psl", "mean_error", 100.0), ("qdm", "gcm-b", "psl", "mean_error", 30.0),
    ]  # fmt: skip
    a, b = mending(pd.DataFrame(rows, columns=["method", "case", "variable", "metric", "value"]))
    assert "Largest: 1.50, 99th percentile of tas." in a.alt
    assert "tas 1.61 to 1.59" in a.caption
    assert "Largest: 0.30, mean of psl." in b.alt
    assert mending(pd.DataFrame({"before": [1.0]})) == []


def test_the_film_runs_through_the_storm_and_is_the_same_every_time(case, tmp_path):
    films = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        films.append(animation.animate(case, "ours", tmp_path / name))
    assert films[0].read_bytes() == films[1].read_bytes()
    with Image.open(films[0]) as film:
        assert film.n_frames == animation.HOURS
        first = np.asarray(film.convert("RGB")).copy()
        film.seek(animation.HOURS // 2)
        assert not np.array_equal(first, np.asarray(film.convert("RGB")))


def test_a_colour_of_the_film_means_the_same_in_every_hour(truth, coarsening, tmp_path):
    """The middle of the film is cold; its first and last hours are ten degrees warmer and colder."""
    hours = np.arange(truth.sizes["time"])
    level = 10 * np.sin(2 * np.pi * (hours - 9) / 24)[:, None, None] + 280 + np.zeros(truth["tas"].shape)
    level[0, 0], level[-1, 0] = 260.0, 300.0
    data = {"tas": (truth["tas"].dims, level.astype(np.float32), {"units": "K"})}
    made = xr.Dataset(data, coords=truth.coords)
    case = Case("x", made, coarsening.apply(made), {"ours": made})
    window, show = case.window(animation.HOURS), shown("tas")
    shades = np.asarray(colormaps["viridis"](np.linspace(0, 1, 1000))[:, :3] * 255)
    true = show.convert(made["tas"].isel(time=window).to_numpy())
    low, high = show.scale([true])
    with Image.open(animation.animate(case, "ours", tmp_path)) as film:
        for t in range(film.n_frames):
            film.seek(t)
            pixel = np.asarray(film.convert("RGB"), dtype=float)[2 * animation.BAND + 60, 100]
            value = low + (high - low) * np.abs(shades - pixel).sum(axis=1).argmin() / 999
            assert value == pytest.approx(true[t, 5, 8], abs=0.01 * (high - low))


def test_thirteen_methods_keep_apart_and_their_names_leave_the_lines_free(case):
    looks = [tuple(look.values()) for look in style(METHODS).values()]
    assert len(set(looks)) == len(METHODS)
    for count, inside in ((FEW, True), (FEW + 1, False)):
        figure = blank(6, 3)
        axis = figure.subplots()
        for method in METHODS[:count]:
            axis.plot([0, 1], label=method)
        key(figure, axis)
        assert (axis.get_legend() is not None) == inside
        assert (len(figure.legends) == 1) != inside


def test_every_figure_is_drawn_with_thirteen_methods_one_of_them_deterministic(case):
    few = {m: case.ensembles["ours"].isel(member=slice(0, 2)) for m in METHODS}
    small = {m: ds.isel(time=slice(0, 72)) for m, ds in few.items()}
    small["bcsd"] = small["bcsd"].isel(member=0)
    made = Case("perfect", case.truth.isel(time=slice(0, 72)), case.coarse, small)
    drawn = figures.law_figures(made, methods=METHODS, static=None)
    close = figures.close_figures(made, default="ours", baseline="bilinear", methods=METHODS, static=None)
    assert all(pictures for half in (drawn, close) for pictures in half.values())
    widest = max(p.width for half in (drawn, close) for pictures in half.values() for p in pictures)
    assert widest < 1600
    for method in METHODS:
        assert method in drawn["spectra"][0].alt
        assert method in close["tracks"][0].alt
