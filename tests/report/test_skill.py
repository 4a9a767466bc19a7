"""Bars of all methods."""

import pandas as pd

from finescale.report.skill import bars
from finescale.report.verdict import FLOOR


def test_methods_are_not_dwarfed_by_the_truth_of_another_period(card):
    methods = sorted(set(card["method"]) - {FLOOR})
    plain = card[card["method"] != FLOOR]
    floor = plain[plain["method"] == methods[0]].assign(method=FLOOR)
    floor[["value", "low", "high"]] *= 1000
    both = bars(pd.concat([plain, floor], ignore_index=True), [*methods, FLOOR])
    assert both.png == bars(plain, methods).png
