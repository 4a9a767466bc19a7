"""A project as small as can be, laid out by hand: two invented models, two scenarios, corrections and a method."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from finescale.bias import correction
from finescale.bias.grouping import Grouping
from finescale.climate import catalogue
from finescale.climate.variables import VARIABLES
from finescale.fields.scaling import Scaling
from finescale.grid.coarsening import Coarsening
from finescale.grid.grid import Grid
from finescale.methods.bcsd import Bcsd
from finescale.methods.gaussian import Gaussian
from finescale.pipeline import store
from finescale.prior.gaussian import GaussianClimate
from finescale.settings import Production

UNITS = {"psl": "Pa", "tas": "K"}
FINE = Grid(tuple(46 + 0.1 * np.arange(8)), tuple(6 + 0.1 * np.arange(8)))
H = Coarsening(FINE, FINE.coarsen(4))
SCENARIOS = {"historical": "2001-01-01", "ssp245": "2015-01-01"}


def weather(start: str, days: int, calendar: str, seed: int) -> xr.Dataset:
    """Red noise in space and time with a cycle of the day, in sound units."""
    rng = np.random.default_rng(seed)
    time = xr.date_range(
        start, periods=24 * days, freq="h", calendar=calendar, use_cftime=calendar != "standard"
    )
    x = rng.standard_normal((24 * days, 2, 8, 8))
    for t in range(1, len(x)):
        x[t] = 0.97 * x[t - 1] + 0.24 * (x[t] + np.roll(x[t], 1, -1) + np.roll(x[t], 1, -2)) / 1.7
    cycle = np.cos(2 * np.pi * np.arange(24 * days) / 24)[:, None, None]
    fields = {"psl": 101_300 + 600 * x[:, 0], "tas": 283 + 3 * x[:, 1] + 2 * cycle}
    data = {n: (("time", "lat", "lon"), v.astype("f4"), VARIABLES[n].attrs) for n, v in fields.items()}
    return xr.Dataset(data, coords={"time": time, **FINE.coords()})


def publish_gcm(folder: Path, name: str, scenario: str, coarse: xr.Dataset) -> list[dict[str, str]]:
    """Write a run as an archive would, one store a variable."""
    source = f"GCM-{name.upper()}"
    rows = []
    for variable in UNITS:
        path = f"{source}/{scenario}/{variable}.zarr"
        attrs = {
            "source_id": source, "experiment_id": scenario, "variant_label": "r1i1p1f1", "institution_id": "NOBODY",
            "license": "CC0 1.0", "tracking_id": f"hdl:21.14100/{source}-{scenario}-{variable}",
            "further_info_url": f"https://furtherinfo.example/{source}.{scenario}",
        }  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        store.save_dataset(coarse[[variable]].assign_attrs(attrs), folder / path)
        rows.append(
            {
                "source_id": source,
                "experiment_id": scenario,
                "member_id": "r1i1p1f1",
                "variable_id": variable,
                "path": path,
            }
        )
    return rows


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project: params.yaml, a catalogue, corrections, the methods `gaussian` and `bcsd`; no stage was run."""
    root = tmp_path_factory.mktemp("production") / "a project"
    reference = weather("2001-01-01", 40, "standard", 0)
    coarse = H.apply(reference)
    rows = []
    for number, (name, calendar) in enumerate((("alpha", "standard"), ("beta", "360_day"))):
        runs = {
            s: H.apply(weather(d, 40, calendar, 10 + 2 * number + (s != "historical")))
            for s, d in SCENARIOS.items()
        }
        for scenario, run in runs.items():
            biased = run.assign(tas=(run["tas"] + 2.0).assign_attrs(run["tas"].attrs))
            rows += publish_gcm(root / "archive", name, scenario, biased)
            runs[scenario] = biased
        fitted = correction.fit(
            coarse,
            runs["historical"],
            method="eqm",
            grouping=Grouping("year", hours=False),
            calendars="year-fraction",
        )
        (root / "data").mkdir(exist_ok=True)
        store.save_dataset(fitted.to_dataset(), root / store.path_of(f"correction-{name}"))
    catalogue.write(root / "archive", rows, id="archive", description="Two invented models.")
    scaling = Scaling.fit(reference, tuple(UNITS))
    climate = GaussianClimate.fit(reference, scaling, modes=12, order=2)
    Gaussian(H, UNITS, climate).save(root / "models" / "gaussian")
    Bcsd.fit(reference, coarse, harmonics=0).save(root / "models" / "bcsd")
    settings = {
        "data": {
            "catalogue": "archive/catalogue.json",
            "variables": list(UNITS),
            "reference": {"files": ["none.nc"]},
            "gcms": {n: {"facets": {"source_id": f"GCM-{n.upper()}"}} for n in ("alpha", "beta")},
        },
        "split": {
            "train": ["2001-01-01", "2001-01-20"],
            "validation": ["2001-01-23", "2001-01-25"],
            "test": ["2001-01-28", "2001-02-05"],
        },
        "coarse": {"factor": 4, "every": 6},
        "correct": {"method": "eqm", "calibration": ["2001-01-01", "2001-02-09"]},
        "downscale": {"methods": ["bcsd"], "period": ["2015-01-10", "2015-01-12"]},
        "registry": {"method": "bcsd"},
    }
    (root / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return root


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., Production]:
    """Make a request whose product lies in the test's own folder."""

    def request(**changes: object) -> Production:
        default = {
            "model": "models/gaussian", "scenarios": ("ssp245", "historical"), "members": 4, "block": 2, "seed": 5,
            "periods": (("2015-01-10", "2015-01-12"), ("2001-01-30", "2001-02-01")), "out": str(tmp_path / "product"),
        }  # fmt: skip
        return Production.model_validate(default | changes)

    return request
