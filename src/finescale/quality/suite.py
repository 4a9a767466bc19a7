"""Great Expectations: limits become a suite, a suite judges a frame."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import great_expectations as gx
import numpy as np
import pandas as pd
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.core.expect_column_values_to_be_between import (
    ExpectColumnValuesToBeBetween,
)
from great_expectations.expectations.core.expect_column_values_to_be_in_set import ExpectColumnValuesToBeInSet
from great_expectations.expectations.core.expect_table_row_count_to_be_between import (
    ExpectTableRowCountToBeBetween,
)
from great_expectations.expectations.expectation import Expectation

from finescale.quality.rule import Rule

INDEX = ["period", "member"]
_EMPTY = "an empty profile proves nothing"  # Great Expectations passes anything over an empty frame

# It advises on projects kept in files, which ours is not.
logging.getLogger("great_expectations").setLevel(logging.ERROR)


class Judge:
    """An in-memory Great Expectations context that judges one frame after another."""

    def __init__(self) -> None:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        asset = context.data_sources.add_pandas("profile").add_dataframe_asset("periods")
        self._definition: BatchDefinition[Any] = asset.add_batch_definition_whole_dataframe("all")

    def judge(
        self, frame: pd.DataFrame, limits: Sequence[Rule], gate: str
    ) -> ExpectationSuiteValidationResult:
        """Run the suite of some limits.

        Args:
            frame: one row a period and member, one column a check of one variable.
            limits: what the columns must meet.
            gate: the suite's name.
        """
        count = ExpectTableRowCountToBeBetween(min_value=1, notes=_EMPTY)
        suite = gx.ExpectationSuite(name=gate, expectations=[count, *map(_expectation, limits)])
        # It passes missing values as well; an infinite one meets no limit.
        needed = [rule.check for rule in limits if rule.needed and rule.check in frame]
        batch = self._definition.get_batch({"dataframe": frame.assign(**frame[needed].fillna(np.inf))})
        wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": INDEX}
        return batch.validate(suite, result_format=wanted)


def breaches(
    result: ExpectationSuiteValidationResult, frame: pd.DataFrame
) -> dict[str, list[tuple[str, str]]]:
    """Check -> the (period, member) rows that broke its limit; all rows when it could not be judged."""
    everywhere = [(str(p), str(m)) for p, m in zip(frame["period"], frame["member"], strict=True)]
    found: dict[str, list[tuple[str, str]]] = {}
    for one in result.results:
        meta = one.expectation_config.meta if one.expectation_config else None
        rule = meta.get("rule") if meta else None
        if one.success or rule is None:
            continue
        index = one.result.get("unexpected_index_list")
        rows = [(str(i["period"]), str(i["member"])) for i in index] if index else everywhere
        found.setdefault(str(rule), []).extend(rows)
    return found


def _expectation(rule: Rule) -> Expectation:
    meta = {"rule": rule.check}
    if rule.allowed:
        return ExpectColumnValuesToBeInSet(
            column=rule.check, value_set=list(rule.allowed), notes=rule.reason, meta=meta
        )
    return ExpectColumnValuesToBeBetween(
        column=rule.check, min_value=rule.low, max_value=rule.high, notes=rule.reason, meta=meta
    )
