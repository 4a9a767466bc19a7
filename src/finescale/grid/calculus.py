"""Derivatives of fields on a grid, in metres, as small matrices: one calculus for arrays of any library.

A derivative along an axis is a matrix, so numpy arrays and torch tensors (with their gradients) share the same numbers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finescale.grid.grid import Grid

EARTH_RADIUS = 6.371e6  # m

Values = Any  # a numpy array or a torch tensor; functions give back what they are given
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Calculus:
    """Derivative matrices of one grid.

    Attributes:
        east: first derivative along a row where `shrink` is one ``[W, W]``, per metre.
        north: along a column ``[H, H]``, per metre.
        east_twice: second derivative along a row ``[W, W]``.
        north_twice: of the Laplacian along a column ``[H, H]``.
        shrink: metres along a row over those at the equator ``[H, 1]``.
        cell: metres along the sides of a cell at the middle of the grid, north and east.
    """

    east: Values
    north: Values
    east_twice: Values
    north_twice: Values
    shrink: Values
    cell: tuple[float, float]

    @classmethod
    def of(cls, grid: Grid) -> "Calculus":
        """On the sphere."""
        lat, lon = np.deg2rad(np.asarray(grid.lat)), np.deg2rad(np.asarray(grid.lon))
        return cls._on(EARTH_RADIUS * lat, EARTH_RADIUS * lon, np.cos(lat))

    @classmethod
    def plane(cls, y: Matrix, x: Matrix) -> "Calculus":
        """On a plane.

        Args:
            y: northward positions of the rows ``[H]``, metres.
            x: eastward positions of the columns ``[W]``, metres.
        """
        return cls._on(y, x, np.ones(len(y)))

    @classmethod
    def _on(cls, y: Matrix, x: Matrix, shrink: Matrix) -> "Calculus":
        middle = float(shrink[len(shrink) // 2])
        sides = (abs(y[-1] - y[0]) / (len(y) - 1), abs(x[-1] - x[0]) / (len(x) - 1) * middle)
        return cls(_first(x), _first(y), _second(x), _second(y, shrink), shrink[:, None], sides)

    def convert(self, to: Any) -> "Calculus":  # noqa: ANN401 - any library's constructor
        """The same matrices in another library.

        Args:
            to: makes its arrays from numpy's.
        """
        parts = (self.east, self.north, self.east_twice, self.north_twice, self.shrink)
        east, north, east_twice, north_twice, shrink = (to(part) for part in parts)
        return Calculus(east, north, east_twice, north_twice, shrink, self.cell)

    def crops(self, rows: Values, columns: Values) -> "Calculus":
        """On rectangles of the grid, a different one for each of a batch of fields ``[B, T, h, w]``.

        A rectangle's rim has lost its neighbours: derivatives are right one cell inside. The size of a cell stays that
        of the whole grid, so that blocks mean the same wherever a rectangle lies.

        Args:
            rows: their numbers ``[B, h]``.
            columns: their numbers ``[B, w]``.
        """
        down, across = ((n[:, None, :, None], n[:, None, None, :]) for n in (rows, columns))
        return Calculus(
            self.east[across],
            self.north[down],
            self.east_twice[across],
            self.north_twice[down],
            self.shrink[rows][:, None],
            self.cell,
        )

    def gradient(self, field: Values) -> tuple[Values, Values]:
        """Eastward and northward derivatives of fields ``[..., H, W]``, per metre; one-sided at the rim."""
        return field @ self.east.mT / self.shrink, self.north @ field

    def laplacian(self, field: Values) -> Values:
        """Five-point Laplacian of fields ``[..., H, W]``, per square metre; rows and columns of the rim lack a part."""
        return field @ self.east_twice.mT / self.shrink**2 + self.north_twice @ field


def _first(x: Matrix) -> Matrix:
    return np.asarray(np.gradient(np.eye(len(x)), x, axis=0))


def _second(x: Matrix, weight: Matrix | None = None) -> Matrix:
    """``(w f')' / w`` by fluxes between neighbours; zero at both ends."""
    n = len(x)
    w = np.ones(n) if weight is None else weight
    step, between = np.diff(x), (w[1:] + w[:-1]) / 2
    flux = np.zeros((n - 1, n))
    at = np.arange(n - 1)
    flux[at, at], flux[at, at + 1] = -between / step, between / step
    out = np.zeros((n, n))
    out[1:-1] = np.diff(flux, axis=0) / ((step[1:] + step[:-1]) / 2 * w[1:-1])[:, None]
    return out
