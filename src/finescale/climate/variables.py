"""The variables finescale speaks of: one name, one unit, one pair of physical limits each, and what others call them.

Names and units follow the CMIP6 tables; aliases are the names of ERA5 (CDS and ARCO), CERRA, COSMO-REA6 (DWD), E-OBS,
NCEP, WRF and Met Office files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal["interval", "ratio"]


@dataclass(frozen=True)
class Limit:
    """A physical limit in canonical units, and why it is where it is."""

    value: float
    reason: str


@dataclass(frozen=True)
class Variable:
    """What one variable is called, measured in, and bounded by.

    Attributes:
        name: the CMIP6 short name, used everywhere inside finescale.
        standard_name: the CF standard name that outputs carry.
        units: canonical units of every output.
        long_name: what axes and tables say.
        lowest: nothing on Earth is lower.
        highest: nothing on Earth is higher.
        kind: `interval` when zero is a convention (errors add), `ratio` when zero is nothing (errors multiply).
        aliases: names of the same quantity in files of others.
        accepts: further CF standard names under which files carry it.
        static: true when it has no time axis.
        by_standard_name: false when the standard name is shared by other quantities, so that a name must decide.
        heights: lowest and highest level above the ground, in metres, at which it is still what its name says.
    """

    name: str
    standard_name: str
    units: str
    long_name: str
    lowest: Limit
    highest: Limit
    kind: Kind = "interval"
    aliases: tuple[str, ...] = ()
    accepts: tuple[str, ...] = ()
    static: bool = False
    by_standard_name: bool = True
    heights: tuple[float, float] | None = None

    @property
    def low(self) -> float:
        """Lowest possible value in canonical units."""
        return self.lowest.value

    @property
    def high(self) -> float:
        """Highest possible value in canonical units."""
        return self.highest.value

    @property
    def standard_names(self) -> tuple[str, ...]:
        """Every CF standard name that may stand on this variable."""
        return (self.standard_name, *self.accepts)

    @property
    def attrs(self) -> dict[str, str]:
        """CF attributes of an output."""
        return {"standard_name": self.standard_name, "long_name": self.long_name, "units": self.units}


_GUST = "the strongest gust ever measured is 113 m s-1 (Barrow Island, 1996)"
_NOT_NEGATIVE = "it cannot be less than nothing; models leave rounding of this size below zero"
_SHARE = "a share lies between none and all; interpolation overshoots by a per mille"
_COLDEST = "the coldest surface seen from space is 175 K (East Antarctica, 2010)"
_HOTTEST_AIR = "the hottest air measured is 330 K (Death Valley, 1913); models run a little hotter"

_SCREEN = (0.9, 10.0)  # thermometers stand at 1.25 to 2 m; models write 1.5, 2 or their lowest level
_MAST = (5.0, 20.0)  # at 100 m wind blows a third harder and up to half in stable air: that is no 10 m wind

_TABLE = (
    Variable(
        "psl",
        "air_pressure_at_mean_sea_level",
        "Pa",
        "Sea level pressure",
        Limit(85000.0, "the deepest cyclone measured had 870 hPa (Tip, 1979)"),
        Limit(110000.0, "the strongest high had 1085 hPa (Tosontsengel, 2001); reduction adds to it"),
        aliases=("msl", "mslp", "slp", "prmsl", "PMSL", "pp", "mean_sea_level_pressure", "P_SEA_LEVEL"),
        accepts=("air_pressure_at_sea_level",),
    ),
    Variable(
        "tas",
        "air_temperature",
        "K",
        "Near-surface air temperature",
        Limit(173.0, _COLDEST),
        Limit(335.0, _HOTTEST_AIR),
        aliases=("t2m", "2t", "T2", "T2m", "t_2m", "T_2M", "tg", "2m_temperature", "air_temperature_2m"),
        heights=_SCREEN,
    ),
    Variable(
        "uas",
        "eastward_wind",
        "m s-1",
        "Eastward near-surface wind",
        Limit(-120.0, _GUST),
        Limit(120.0, _GUST),
        aliases=("u10", "10u", "U10", "u_10m", "U_10M", "10m_u_component_of_wind", "u10m"),
        accepts=("x_wind", "grid_eastward_wind"),
        heights=_MAST,
    ),
    Variable(
        "vas",
        "northward_wind",
        "m s-1",
        "Northward near-surface wind",
        Limit(-120.0, _GUST),
        Limit(120.0, _GUST),
        aliases=("v10", "10v", "V10", "v_10m", "V_10M", "10m_v_component_of_wind", "v10m"),
        accepts=("y_wind", "grid_northward_wind"),
        heights=_MAST,
    ),
    Variable(
        "pr",
        "precipitation_flux",
        "kg m-2 s-1",
        "Precipitation",
        Limit(-1e-7, _NOT_NEGATIVE),
        Limit(0.15, "the wettest hour measured had 305 mm (Holt, 1947): 0.085 kg m-2 s-1"),
        kind="ratio",
        aliases=(
            "tp",
            "rr",
            "prate",
            "RR",
            "TOT_PRECIP",
            "tot_prec",
            "total_precipitation",
            "precip",
            "mtpr",
        ),
        accepts=(
            "lwe_precipitation_rate",
            "rainfall_flux",
            "precipitation_amount",
            "lwe_thickness_of_precipitation_amount",
            "thickness_of_rainfall_amount",
        ),
    ),
    Variable(
        "tasmax",
        "air_temperature",
        "K",
        "Daily maximum near-surface air temperature",
        Limit(173.0, _COLDEST),
        Limit(335.0, _HOTTEST_AIR),
        aliases=("tx", "mx2t", "tmax", "TMAX_2M"),
        by_standard_name=False,
        heights=_SCREEN,
    ),
    Variable(
        "tasmin",
        "air_temperature",
        "K",
        "Daily minimum near-surface air temperature",
        Limit(173.0, _COLDEST),
        Limit(335.0, _HOTTEST_AIR),
        aliases=("tn", "mn2t", "tmin", "TMIN_2M"),
        by_standard_name=False,
        heights=_SCREEN,
    ),
    Variable(
        "ts",
        "surface_temperature",
        "K",
        "Surface temperature",
        Limit(173.0, _COLDEST),
        Limit(360.0, "the hottest ground seen from space is 354 K (Lut desert, 2018)"),
        aliases=("skt", "skin_temperature"),
    ),
    Variable(
        "tdps",
        "dew_point_temperature",
        "K",
        "Near-surface dew point",
        Limit(165.0, "drier and colder than the coldest air by a few kelvin"),
        Limit(312.0, "the highest dew point measured is 308 K (Dhahran, 2003)"),
        aliases=("d2m", "2d", "TD_2M", "td_2m", "2m_dewpoint_temperature"),
        heights=_SCREEN,
    ),
    Variable(
        "ps",
        "surface_air_pressure",
        "Pa",
        "Surface air pressure",
        Limit(30000.0, "the air on the highest mountain has 317 hPa at least"),
        Limit(110000.0, "the strongest high measured had 1085 hPa (Tosontsengel, 2001)"),
        aliases=("sp", "PS", "surface_pressure"),
    ),
    Variable(
        "sfcWind",
        "wind_speed",
        "m s-1",
        "Near-surface wind speed",
        Limit(-1e-6, _NOT_NEGATIVE),
        Limit(120.0, _GUST),
        kind="ratio",
        aliases=("si10", "10si", "ws", "fg", "ff", "WS_010m", "10m_wind_speed"),
        heights=_MAST,
    ),
    Variable(
        "hurs",
        "relative_humidity",
        "%",
        "Near-surface relative humidity",
        Limit(0.0, "humidity is at least nothing"),
        Limit(180.0, "over ice and in drizzle models reach 1.6 times saturation over water"),
        kind="ratio",
        aliases=("r", "hu", "RELHUM_2M", "2m_relative_humidity"),
        heights=_SCREEN,
    ),
    Variable(
        "rsds",
        "surface_downwelling_shortwave_flux_in_air",
        "W m-2",
        "Surface downwelling shortwave radiation",
        Limit(-1.0, _NOT_NEGATIVE),
        Limit(1500.0, "the sun gives 1412 W m-2 outside the air in January; clouds focus a little more"),
        kind="ratio",
        aliases=("dswrf", "ssrd", "qq", "ASWDIR_S"),
    ),
    Variable(
        "prsn",
        "snowfall_flux",
        "kg m-2 s-1",
        "Snowfall",
        Limit(-1e-7, _NOT_NEGATIVE),
        Limit(0.03, "the heaviest snowfall known gave 0.1 m of water in an hour and less"),
        kind="ratio",
        aliases=("sf", "snowfall"),
        accepts=("lwe_snowfall_rate", "snowfall_amount", "lwe_thickness_of_snowfall_amount"),
    ),
    Variable(
        "orog",
        "surface_altitude",
        "m",
        "Surface altitude",
        Limit(-600.0, "the Dead Sea shore lies at -430 m; spectral orographies ripple below"),
        Limit(9000.0, "nothing is higher than Mount Everest"),
        aliases=(
            "z",
            "h",
            "HSURF",
            "HGT",
            "oro",
            "elevation",
            "orography",
            "geopotential_at_surface",
            "topo",
        ),
        accepts=("geopotential", "surface_geopotential", "geopotential_height"),
        static=True,
    ),
    Variable(
        "sftlf",
        "land_area_fraction",
        "1",
        "Share of land",
        Limit(-0.001, _SHARE),
        Limit(1.001, _SHARE),
        kind="ratio",
        aliases=("lsm", "FR_LAND", "LANDMASK", "land_sea_mask", "land_mask"),
        accepts=("land_binary_mask",),
        static=True,
    ),
    Variable(
        "areacella",
        "cell_area",
        "m2",
        "Area of the cell",
        Limit(0.0, "a cell has an area"),
        Limit(5.2e14, "no cell is larger than the Earth"),
        kind="ratio",
        static=True,
    ),
)

VARIABLES: Mapping[str, Variable] = MappingProxyType({v.name: v for v in _TABLE})


def by_name(name: str) -> Variable | None:
    """Return the variable that a name or an alias means; None when it is nobody's."""
    return VARIABLES.get(name) or next((v for v in VARIABLES.values() if name in v.aliases), None)
