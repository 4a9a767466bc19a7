"""How an archive of climate models names, files and describes what the invented world holds (CMIP6)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr

from finescale.climate.twin.modes import Real
from finescale.climate.twin.world import Clock
from finescale.climate.variables import VARIABLES
from finescale.grid.grid import Grid

INSTITUTION = "FINESCALE"
VERSION = "v20250101"
_UNITS = {"sftlf": "%"}  # CMIP6 counts land in percent
_HEIGHT = {"tas": 2.0, "uas": 10.0, "vas": 10.0}
_EXPERIMENT = {"historical": "CMIP", "ssp245": "ScenarioMIP", "reanalysis": "obs4MIPs"}
_FREQUENCY = {"6hrPlevPt": "6hrPt", "E1hr": "1hr", "fx": "fx"}


@dataclass(frozen=True)
class Source:
    """One experiment of one source, as the archive files it.

    Attributes:
        source_id: name of the model, reanalysis or truth.
        experiment_id: historical, ssp245 or reanalysis.
        grid: its grid.
        degrees_east: True when its files count longitude from 0 to 360.
    """

    source_id: str
    experiment_id: str
    grid: Grid
    degrees_east: bool

    def row(self, table: str, name: str, path: str, form: str, time_range: str) -> dict[str, Any]:
        """Return the row of the catalogue for one asset."""
        return {
            "activity_id": _EXPERIMENT[self.experiment_id],
            "institution_id": INSTITUTION,
            "source_id": self.source_id,
            "experiment_id": self.experiment_id,
            "member_id": "r1i1p1f1",
            "table_id": table,
            "variable_id": name,
            "grid_label": "gn",
            "version": VERSION,
            "time_range": time_range,
            "format": form,
            "path": path,
        }

    def folder(self, table: str, name: str) -> str:
        """Return the folder of one variable in the archive (the CMIP6 data reference syntax)."""
        activity = _EXPERIMENT[self.experiment_id]
        head = f"CMIP6/{activity}/{INSTITUTION}/{self.source_id}/{self.experiment_id}"
        return f"{head}/r1i1p1f1/{table}/{name}/gn/{VERSION}"

    def attrs(self, table: str, name: str, piece: str, calendar: str | None) -> dict[str, str]:
        """Return the global attributes of one file."""
        place = self.folder(table, name)
        attrs = {
            "Conventions": "CF-1.7 CMIP-6.2",
            "mip_era": "CMIP6",
            "activity_id": _EXPERIMENT[self.experiment_id],
            "institution_id": INSTITUTION,
            "institution": "finescale: an invented world for trying out downscaling",
            "source_id": self.source_id,
            "source": f"{self.source_id} (2025): invented weather, not a simulation of the Earth",
            "experiment_id": self.experiment_id,
            "variant_label": "r1i1p1f1",
            "sub_experiment_id": "none",
            "table_id": table,
            "frequency": _FREQUENCY[table],
            "variable_id": name,
            "grid_label": "gn",
            "grid": f"regular latitude-longitude, {self.grid.shape[0]} x {self.grid.shape[1]} cells",
            "realm": "atmos",
            "product": "model-output",
            "creation_date": "2025-01-01T00:00:00Z",
            "further_info_url": "https://furtherinfo.es-doc.org/CMIP6."
            f"{INSTITUTION}.{self.source_id}.{self.experiment_id}.none.r1i1p1f1",
            "license": "CC0 1.0: invented data, free for any use (https://creativecommons.org/publicdomain/zero/1.0/)",
            "tracking_id": f"hdl:21.14100/{uuid.uuid5(uuid.NAMESPACE_URL, f'{place}/{piece}')}",
        }
        return attrs if calendar is None else attrs | {"calendar": calendar}


def frame(source: Source, name: str, values: Real | da.Array, clock: Clock | None) -> xr.Dataset:
    """Return one variable [time, lat, lon] or [lat, lon] with coordinates and bounds as CMIP6 writes them."""
    variable = VARIABLES[name]
    coords = source.grid.coords()
    edges = {"lat": source.grid.lat_edges, "lon": source.grid.lon_edges}
    if source.degrees_east:
        coords["lon"] = coords["lon"].copy(data=coords["lon"].values % 360)
        edges["lon"] = edges["lon"] % 360
    bounds = {}
    for axis in ("lat", "lon"):
        coords[axis].attrs["bounds"] = f"{axis}_bnds"
        bounds[f"{axis}_bnds"] = ((axis, "bnds"), np.stack([edges[axis][:-1], edges[axis][1:]], axis=1))
    if name in _HEIGHT:
        coords["height"] = xr.DataArray(
            _HEIGHT[name],
            attrs={
                "standard_name": "height",
                "long_name": "height",
                "units": "m",
                "axis": "Z",
                "positive": "up",
            },
        )
    dims: tuple[str, ...] = ("lat", "lon")
    methods = "area: mean"
    if clock is not None:
        coords["time"] = clock.time.assign_attrs(standard_name="time", long_name="time", axis="T")
        dims, methods = ("time", *dims), "area: mean time: point"
    attrs = {
        **variable.attrs,
        "units": _UNITS.get(name, variable.units),
        "cell_methods": methods,
        "cell_measures": "area: areacella",
    }
    return xr.Dataset({name: (dims, values, attrs), **bounds}, coords=coords)
