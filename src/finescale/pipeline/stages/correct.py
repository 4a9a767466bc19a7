"""Stages ``correct-<gcm>``: fit the bias correction on the calibration years, apply it to the scenario."""

import pandas as pd
import xarray as xr

from finescale.bias import correction, diagnostics, observation_error
from finescale.bias.grouping import Grouping
from finescale.bias.plan import Options
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
    after = fitted.apply(historical).compute()
    if desk.setting(f"data.gcms.{gcm}").same_days:
        error = observation_error.paired(*xr.align(reference, after, join="inner", exclude=("lat", "lon")))
    else:
        error = observation_error.unpaired(reference, historical, **how)
    desk.save(f"error-{gcm}", error)
    mapped = fitted.apply(scenario)
    desk.save(f"corrected-{gcm}", mapped)
    runs = {"raw": historical.compute(), wanted.method: after}
    changes = {"raw": (historical, scenario), wanted.method: (after, mapped)}
    case = f"gcm-{gcm}"
    rows = [diagnostics.table(reference, runs, case=case), diagnostics.change_table(changes, case=case)]
    table = pd.concat(rows, ignore_index=True)
    table.to_csv(desk.new(f"bias-{gcm}"), index=False, float_format="%.9g", lineterminator="\n")
    check(desk, "corrected", [f"corrected-{gcm}"], f"gates-corrected-{gcm}")
