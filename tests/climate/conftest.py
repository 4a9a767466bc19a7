"""Small CMIP6-shaped data with values that tell where they come from."""

import numpy as np
import pytest
import xarray as xr

UNITS = {"tas": "K", "psl": "Pa", "uas": "m s-1", "vas": "m s-1", "pr": "kg m-2 s-1"}
STANDARD = {
    "tas": "air_temperature",
    "psl": "air_pressure_at_mean_sea_level",
    "uas": "eastward_wind",
    "vas": "northward_wind",
    "pr": "precipitation_flux",
}


@pytest.fixture
def cmip():
    """A builder of one variable on a regular grid, every value distinct."""

    def build(
        name="tas", start="2001-01-01", steps=8, freq="6h", calendar="standard", lat=None, lon=None, **attrs
    ):
        time = xr.date_range(
            start, periods=steps, freq=freq, calendar=calendar, use_cftime=calendar != "standard"
        )
        lat = np.array([40.0, 42.0, 44.0]) if lat is None else np.asarray(lat, float)
        lon = np.array([0.0, 2.0, 4.0, 6.0]) if lon is None else np.asarray(lon, float)
        shape = (steps, lat.size, lon.size)
        values = 280.0 + np.arange(np.prod(shape)).reshape(shape) / 1024
        ds = xr.Dataset(
            {name: (("time", "lat", "lon"), values.astype("float32"))},
            coords={"time": time, "lat": lat, "lon": lon},
            attrs={"tracking_id": f"hdl:{name}", "source_id": "M", **attrs},
        )
        ds["lat"].attrs = {"standard_name": "latitude", "units": "degrees_north"}
        ds["lon"].attrs = {"standard_name": "longitude", "units": "degrees_east"}
        ds[name].attrs = {"units": UNITS.get(name, "1"), "standard_name": STANDARD.get(name, name)}
        return ds

    return build
