"""Exact overlap of four-sided cells with the cells of a regular grid, on the sphere.

In the plane of longitude and sin(latitude) areas are true and the target cells are rectangles. A source cell is
a closed polyline there. By Green's theorem its overlap with the rectangle [a, b] x [c, d] is the contour integral
of clamp(x, a, b) - a over the parts of the polyline with c < s < d, taken along s; so the sides are cut at the
lines of the target grid and every piece adds to the cells at and left of it. Nothing is clipped or triangulated;
cells that share a side share its rounding; concave cells, the date line and a cell that holds a pole are no
special cases but for two sides more.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from finescale.errors import FinescaleError
from finescale.grid.cells import Cells, vectors
from finescale.grid.grid import Grid

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
# Pieces of sides handled at a time: bounds the memory to some hundred MB whatever the size of the grid.
BATCH = 1_000_000
# Longest piece of a side, degrees: its chord then strays from it by less than a thousandth of its length.
PIECE = 0.1


def overlap_shares(cells: Cells, target: Grid) -> sp.csr_array:
    """Share of each target cell that lies in each source cell.

    Returns:
        Matrix [target cells, source cells]; a row sums to the share of the target cell that the source covers.
    """
    columns, rows = target.lon_edges, np.sin(np.deg2rad(target.lat_edges))
    near, pieces = _near(cells, target)
    size = (target.shape[0] * target.shape[1], len(cells.corners))
    areas = sp.csr_array(size)
    step = BATCH // (4 * pieces)
    for begin in range(0, near.size, step):
        which = near[begin : begin + step]
        lon, lat = cells.outline(pieces, which)
        owner, sides, first = _sides(lon, np.sin(np.deg2rad(lat)), columns)
        for turn in (0.0, 360.0):
            moved = sides + np.array([turn, 0.0, turn, 0.0])
            cell, where, area = _integrate(owner, moved, first + turn, columns, rows)
            areas = areas + sp.csr_array((area, (where, which[cell])), shape=size)
    whole = np.outer(np.diff(rows), np.diff(columns)).ravel()
    shares = sp.csr_array(sp.diags_array(1 / whole) @ areas)
    shares.data[shares.data < 1e-12] = 0.0  # Rounding along sides that only touch the target cell.
    shares.eliminate_zeros()
    most = float(shares.sum(axis=1).max())
    if most > 1 + 1e-3:
        raise FinescaleError(
            f"source cells lie side by side: they cover a target cell {most:.3g} times; "
            "drop the doubled rows or columns (halo) of the source"
        )
    return shares


def _near(cells: Cells, target: Grid) -> tuple[Ints, int]:
    """Cells [n] that may touch the target, and the number of pieces their sides need."""
    everything = np.flatnonzero(np.isfinite(cells.corners).all(axis=(1, 2)))
    lon, lat = cells.outline(1, everything)
    v = vectors(lon, lat)
    side = 2 * np.rad2deg(np.arcsin(np.clip(np.linalg.norm(np.roll(v, -1, axis=1) - v, axis=-1) / 2, 0, 1)))
    reach = side.max(axis=1)
    south, north, west, east = *target.lat_edges[[0, -1]], *target.lon_edges[[0, -1]]
    tall = (lat.max(axis=1) + reach > south) & (lat.min(axis=1) - reach < north)
    away = np.abs((lon - (west + east) / 2 + 180) % 360 - 180).min(axis=1) - (east - west) / 2
    poleward = np.minimum(np.abs(lat).max(axis=1) + reach, 90.0)
    wide = away * np.cos(np.deg2rad(poleward)) < reach
    chosen = np.flatnonzero(tall & wide)
    if not chosen.size:
        return everything[chosen], 2
    # Near a pole a straight side is much bent in longitude and sin(latitude).
    narrow = max(float(np.cos(np.deg2rad(poleward[chosen].max()))), 0.1)
    pieces = int(np.ceil(side[chosen].max() / (PIECE * narrow)))
    return everything[chosen], int(np.clip(pieces + pieces % 2, 2, 64))


def _sides(lon: Floats, s: Floats, columns: Floats) -> tuple[Ints, Floats, Floats]:
    """Unwrap closed polylines into directed sides.

    Args:
        lon: longitudes [n, k] of the vertices, degrees, wrapped anyhow.
        s: sines of their latitudes [n, k].
        columns: edges of the target columns.

    Returns:
        The polyline of each side [m]; the sides [m, 4] as x, s, x, s of begin and end, counter-clockwise and
        beginning within one turn west of the target; the westernmost x of each polyline [n].
    """
    n, k = lon.shape
    pole = np.abs(s) > 1 - 1e-13
    # A vertex at a pole has any longitude: it takes that of the vertex before it.
    last = np.maximum.accumulate(np.where(pole, -1, np.arange(k)), axis=1)
    x = np.take_along_axis(lon, np.where(last < 0, last[:, -1:], last), axis=1)
    step = (np.roll(x, -1, axis=1) - x + 180.0) % 360.0 - 180.0
    begin = x[:, :1] + np.concatenate((np.zeros((n, 1)), np.cumsum(step[:, :-1], axis=1)), axis=1)
    end = begin + step
    sides = np.stack((np.where(pole, end, begin), s, end, np.roll(s, -1, axis=1)), axis=-1)
    owner = np.repeat(np.arange(n), k)
    flat = sides.reshape(-1, 4)
    around = np.flatnonzero(np.abs(end[:, -1] - begin[:, 0]) > 180.0)
    if around.size:
        # Round a pole the polyline ends a turn away from where it began: it is closed along the pole.
        top = np.sign(s[around].mean(axis=1))
        up = np.stack((end[around, -1], s[around, 0], end[around, -1], top), axis=1)
        down = np.stack((begin[around, 0], top, begin[around, 0], s[around, 0]), axis=1)
        flat, owner = np.concatenate((flat, up, down)), np.concatenate((owner, around, around))
    area = np.bincount(owner, (flat[:, 0] + flat[:, 2]) / 2 * (flat[:, 3] - flat[:, 1]), minlength=n)
    clockwise = (area < 0)[owner]
    flat[clockwise] = flat[clockwise][:, [2, 3, 0, 1]]
    west = np.minimum(begin.min(axis=1), end.min(axis=1))
    turn = 360.0 * np.ceil((columns[0] - 360.0 - west) / 360.0)
    flat[:, [0, 2]] += turn[owner][:, None]
    return owner, flat, west + turn


def _integrate(
    owner: Ints, sides: Floats, west: Floats, columns: Floats, rows: Floats
) -> tuple[Ints, Ints, Floats]:
    """Contour integrals as entries to be summed: polyline, flat target cell, area in degrees x sin(latitude)."""
    nx, ny = columns.size - 1, rows.size - 1
    lo, hi = np.minimum(sides[:, 1], sides[:, 3]), np.maximum(sides[:, 1], sides[:, 3])
    reach = np.bincount(owner, (sides[:, [0, 2]].max(axis=1) > columns[0]), minlength=west.size) > 0
    keep = reach[owner] & (west[owner] < columns[-1]) & (hi > rows[0]) & (lo < rows[-1]) & (hi > lo)
    owner, sides = owner[keep], sides[keep]
    for along, lines in ((1, rows), (0, columns)):
        which, sides = _cut(sides, along, lines)
        owner = owner[which]
    row = np.searchsorted(rows, (sides[:, 1] + sides[:, 3]) / 2, side="right") - 1
    x, rise = (sides[:, 0] + sides[:, 2]) / 2, sides[:, 3] - sides[:, 1]
    column = np.searchsorted(columns, x, side="right") - 1
    inside = (row >= 0) & (row < ny) & (column >= 0)
    owner, row, column, x, rise = owner[inside], row[inside], column[inside], x[inside], rise[inside]
    here = np.flatnonzero(column < nx)
    local = (x[here] - columns[column[here]]) * rise[here]
    # Left of a piece the clamp has its full width; west of its polyline all pieces cancel and are left out.
    leftmost = np.maximum(np.searchsorted(columns, west[owner], side="right") - 1, 0)
    count = np.maximum(column - leftmost, 0)
    piece = np.repeat(np.arange(count.size), count)
    left = leftmost[piece] + np.arange(piece.size) - np.repeat(np.cumsum(count) - count, count)
    full = (columns[left + 1] - columns[left]) * rise[piece]
    return (
        np.concatenate((owner[here], owner[piece])),
        np.concatenate((row[here] * nx + column[here], row[piece] * nx + left)),
        np.concatenate((local, full)),
    )


def _cut(sides: Floats, along: int, lines: Floats) -> tuple[Ints, Floats]:
    """Cut sides [m, 4] where their x (along 0) or s (along 1) crosses lines; pieces keep the direction.

    Returns:
        The side of each piece [p] and the pieces [p, 4].
    """
    lo, hi = np.sort(sides[:, [along, along + 2]], axis=1).T
    first = np.searchsorted(lines, lo, side="right")
    cuts = np.maximum(np.searchsorted(lines, hi, side="left") - first, 0)
    whole, crossing = np.flatnonzero(cuts == 0), np.flatnonzero(cuts)
    which = np.repeat(crossing, cuts[crossing] + 1)
    order = np.arange(which.size) - np.repeat(
        np.cumsum(cuts[crossing] + 1) - cuts[crossing] - 1, cuts[crossing] + 1
    )
    line = first[which] + order
    lower = np.where(order == 0, lo[which], lines[np.maximum(line - 1, 0)])
    upper = np.where(order == cuts[which], hi[which], lines[np.minimum(line, lines.size - 1)])
    begin, end = sides[which, :2], sides[which, 2:]
    a, span = begin[:, along], (end - begin)[:, along]
    t = np.sort(np.stack((lower - a, upper - a)) / span, axis=0)[..., None]
    pieces = np.concatenate((begin + t[0] * (end - begin), begin + t[1] * (end - begin)), axis=1)
    return np.concatenate((whole, which)), np.concatenate((sides[whole], pieces))
