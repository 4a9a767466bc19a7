"""The gate at the end of a stage: profile, check, keep the pages, or refuse."""

from collections.abc import Mapping

import xarray as xr

from finescale.pipeline.desk import Desk
from finescale.quality import gates, profile
