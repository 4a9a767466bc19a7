"""Stages ``correct-<gcm>``: fit the bias correction on the calibration years, apply it to the scenario."""

from finescale.bias import correction, diagnostics
from finescale.pipeline.desk import Desk
from finescale.pipeline.stages.downscale import between
from finescale.pipeline.stages.gate import check
