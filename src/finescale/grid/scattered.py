"""Bilinear interpolation between the centres of a curvilinear grid."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from finescale.grid.cells import vectors
from finescale.grid.grid import Grid

Floats = NDArray[np.float64]
# Corners of the four quadrilaterals of centres that meet at the nearest centre, relative to it.
QUADS = tuple((dy, dx) for dy in (-1, 0) for dx in (-1, 0))
CORNERS = ((0, 0), (0, 1), (1, 1), (1, 0))


def bilinear_shares(lon: Floats, lat: Floats, target: Grid) -> sp.csr_array:
    """Bilinear weights from centres of cells in two dimensions to the centres of a regular grid.

    Each target point is sought in the quadrilaterals of centres around its nearest one, in the plane that touches
    the globe at the point, where great circles are straight.

    Args:
        lon: longitudes of the source centres [ny, nx], degrees.
        lat: latitudes of the source centres [ny, nx], degrees.
        target: grid of the result.

    Returns:
        Matrix [target cells, source cells]; rows sum to one, or to zero outside the outermost centres.
    """
    ny, nx = lon.shape
    source = vectors(lon, lat).reshape(-1, 3)
    grid_lon, grid_lat = np.meshgrid(target.lon, target.lat)
    points = vectors(grid_lon, grid_lat).reshape(-1, 3)
    known = np.flatnonzero(np.isfinite(source).all(axis=1))
    nearest = known[cKDTree(source[known]).query(points)[1]]
    rows, columns, shares = [], [], []
    open_points = np.arange(len(points))
    for dy, dx in QUADS:
        y, x = nearest[open_points] // nx + dy, nearest[open_points] % nx + dx
        inside = (y >= 0) & (y < ny - 1) & (x >= 0) & (x < nx - 1)
        at, y, x = open_points[inside], y[inside], x[inside]
        corners = np.stack([(y + j) * nx + x + i for j, i in CORNERS], axis=1)
        u, v = _position(points[at], source[corners])
        hit = (np.abs(u - 0.5) <= 0.5 + 1e-9) & (np.abs(v - 0.5) <= 0.5 + 1e-9)
        u, v = np.clip(u[hit], 0, 1), np.clip(v[hit], 0, 1)
        shares.append(np.stack(((1 - u) * (1 - v), u * (1 - v), u * v, (1 - u) * v), axis=1).ravel())
        rows.append(np.repeat(at[hit], 4))
        columns.append(corners[hit].ravel())
        open_points = np.setdiff1d(open_points, at[hit], assume_unique=True)
    entries = (np.concatenate(shares), (np.concatenate(rows), np.concatenate(columns)))
    matrix = sp.csr_array(entries, shape=(len(points), ny * nx))
    # A stored zero would let a NaN through that has no weight.
    matrix.eliminate_zeros()
    return matrix


def _position(points: Floats, corners: Floats) -> tuple[Floats, Floats]:
    """Place of points [n, 3] in their quadrilaterals [n, 4, 3]: (u, v) in [0, 1] inside, by Newton's method."""
    east = np.cross([0.0, 0.0, 1.0], points)
    # At a pole any direction is east.
    east[np.linalg.norm(east, axis=1) < 1e-12] = [1.0, 0.0, 0.0]
    east /= np.linalg.norm(east, axis=1, keepdims=True)
    frame = np.stack((east, np.cross(points, east)), axis=1)
    height = np.einsum("nkd,nd->nk", corners, points)
    # Corners on the far side of the globe have no place in the plane.
    plane = np.einsum("nkd,ned->nke", corners, frame) / np.where(height > 0.1, height, np.nan)[..., None]
    a, b, c, d = np.moveaxis(plane, 1, 0)
    along, up, twist = b - a, d - a, a - b + c - d
    u, v = np.full(len(points), 0.5), np.full(len(points), 0.5)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(8):
            miss = a + along * u[:, None] + up * v[:, None] + twist * (u * v)[:, None]
            du, dv = along + twist * v[:, None], up + twist * u[:, None]
            det = du[:, 0] * dv[:, 1] - du[:, 1] * dv[:, 0]
            u = u - (miss[:, 0] * dv[:, 1] - miss[:, 1] * dv[:, 0]) / det
            v = v - (du[:, 0] * miss[:, 1] - du[:, 1] * miss[:, 0]) / det
    return u, v
