"""Stages ``correct-<gcm>``: fit the bias correction on the calibration years, apply it to the scenario."""

import pandas as pd
import xarray as xr

from finescale.bias import correction, diagnostics, observation_error
from finescale.bias.grouping import Grouping
from finescale.bias.plan import Options
from finescale.bias.series import select_period
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.gate import check


def correct(desk: Desk, gcm: str) -> None:
    """Write the fitted correction, the corrected scenario, and what the correction did."""
    wanted = desk.setting("correct")
    reference = desk.open("coarse-reference")
    historical, scenario = desk.open(f"historical-{gcm}"), desk.open(f"scenario-{gcm}")
    how = {
        "method": wanted.method,
        "grouping": Grouping(wanted.season, window=wanted.window, hours=wanted.hours),
        "options": Options(quantiles=wanted.quantiles, tails=wanted.tails, seed=desk.setting("seed")),
        "calibration": (str(wanted.calibration[0]), str(wanted.calibration[1])),
        "calendars": "year-fraction",
    }
    fitted = correction.fit(reference, historical, **how)
    desk.save(f"correction-{gcm}", fitted.to_dataset())
    mapped = fitted.apply(scenario)
    desk.save(f"corrected-{gcm}", mapped)
    # Both sides over the same years: seasons that one has once more than the other would count as an error.
    truth, model = (select_period(side, how["calibration"], "data") for side in (reference, historical))
    after = fitted.apply(model).compute()
    runs = {"raw": model.compute(), wanted.method: after}
    if desk.setting(f"data.gcms.{gcm}").same_days:
        product = fitted.apply(historical).compute()
        error = observation_error.paired(*xr.align(reference, product, join="inner", exclude=("lat", "lon")))
    else:
        error = observation_error.unpaired(reference, historical, **how)
    desk.save(f"error-{gcm}", error)
    changes = {"raw": (model, scenario), wanted.method: (after, mapped)}
    case = f"gcm-{gcm}"
    rows = [diagnostics.table(truth, runs, case=case), diagnostics.change_table(changes, case=case)]
    table = pd.concat(rows, ignore_index=True)
    table.to_csv(desk.new(f"bias-{gcm}"), index=False, float_format="%.9g", lineterminator="\n")
    check(desk, "corrected", [f"corrected-{gcm}"], f"gates-corrected-{gcm}")
