"""Two models with known biases: what is left of them in years not seen by the correction, and the warming kept."""

import numpy as np
import pytest
from worlds import UNITS, Bias, climate

from finescale.bias.correction import fit

CALIBRATION = ("1981-01-01", "2000-12-31")
MODELS = {
    "standard": Bias(shift=0.6, spread=1.3, diurnal=1.6),
    "360_day": Bias(shift=-1.0, spread=0.7, diurnal=0.4),
}
PROBABILITIES = (0.05, 0.25, 0.5, 0.75, 0.95)


@pytest.fixture(scope="module", params=MODELS)
def twin(request):
    """Truth and model of the same weather: of the years not seen, and of a warmer future; and the fitted correction."""
    calendar, bias = request.param, MODELS[request.param]
    reference = climate(20, seed=1, calendar="standard")
    runs = {
        "seen": {"seed": 2, "years": 20},
        "unseen": {"seed": 3, "years": 10, "first": 2001},
        "future": {"seed": 4, "years": 20, "first": 2041, "warming": 1.0},
    }
    model = {name: climate(calendar=calendar, bias=bias, **run) for name, run in runs.items()}
    truth = {name: climate(calendar=calendar, **run) for name, run in runs.items()}
    correction = fit(
        reference, model["seen"], method="qdm", calibration=CALIBRATION, calendars="year-fraction"
    )
    return model, truth, {name: correction.apply(run) for name, run in model.items()}


@pytest.mark.parametrize("name", UNITS)
def test_bias_of_mean_and_quantiles_falls_below_a_twentieth(twin, name):
    model, truth, corrected = twin
    mean = [
        abs(float(side["unseen"][name].mean() - truth["unseen"][name].mean())) for side in (corrected, model)
    ]
    assert mean[0] <= 0.05 * mean[1]
    law = [
        np.abs(
            side["unseen"][name].quantile(PROBABILITIES, "time")
            - truth["unseen"][name].quantile(PROBABILITIES, "time")
        )
        for side in (corrected, model)
    ]
    assert float(law[0].mean()) <= 0.05 * float(law[1].mean())
    by_quantile = [side.mean(("lat", "lon")).values for side in law]
    assert (by_quantile[0] <= 0.05 * by_quantile[1].max()).all()


def test_diurnal_cycle_is_mended(twin):
    model, truth, corrected = twin

    def amplitude(ds):
        cycle = ds["unseen"].tas.groupby("time.hour").mean()
        return float((cycle.max("hour") - cycle.min("hour")).mean())

    wrong = abs(amplitude(model) - amplitude(truth))
    assert abs(amplitude(corrected) - amplitude(truth)) <= 0.05 * wrong


def test_true_warming_is_kept_within_a_twentieth(twin):
    _, truth, corrected = twin
    true = float(truth["future"].tas.mean() - truth["seen"].tas.mean())
    kept = float(corrected["future"].tas.mean() - corrected["seen"].tas.mean())
    assert true == pytest.approx(2.5, abs=0.1)
    assert kept == pytest.approx(true, rel=0.05)


def test_change_of_the_raw_model_is_kept_within_a_hundredth(twin):
    model, _, corrected = twin
    for name in ("tas",):
        raw = float(model["future"][name].mean() - model["seen"][name].mean())
        kept = float(corrected["future"][name].mean() - corrected["seen"][name].mean())
        assert kept == pytest.approx(raw, rel=0.01)


def test_calendar_length_and_order_stay_the_models_own(twin):
    model, _, corrected = twin
    for name, run in model.items():
        assert corrected[name].time.identical(run.time)
        assert corrected[name].tas.dims == run.tas.dims
        assert not corrected[name].isnull().any().to_array().any()
