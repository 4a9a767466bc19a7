"""Steps from cell to cell: how rough the fields are, and whether the coarse cells show through as seams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from finescale.scores.bootstrap import Means


def seam_masks(
    rows: int, columns: int, shape: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which steps cross from one coarse cell to the next.

    Args:
        rows: Rows of the fine grid.
        columns: Columns of the fine grid.
        shape: Rows and columns of the coarse grid, which nests in the fine one.

    Returns:
        Masks of the steps between rows [rows - 1] and between columns [columns - 1].
    """
    return (
        np.arange(1, rows) % (rows // shape[0]) == 0,
        np.arange(1, columns) % (columns // shape[1]) == 0,
    )


def hourly_steps(
    x: NDArray[np.floating], o: NDArray[np.floating], seams: tuple[NDArray[np.bool_], NDArray[np.bool_]]
) -> Means:
    """Give the mean square of the steps from cell to cell, hour by hour.

    Args:
        x: Members [M, T, lat, lon].
        o: Truth [T, lat, lon].
        seams: As `seam_masks` gives them.

    Returns:
        `gradient` (steps within coarse cells), `seam` (steps across their edges), `true_gradient` and `true_seam` [T].
    """
    found = {key: np.zeros(o.shape[0]) for key in ("gradient", "seam")}
    for member in x:
        for key, values in _steps(member, seams).items():
            found[key] += values / len(x)
    return found | {f"true_{key}": values for key, values in _steps(o, seams).items()}


def _steps(fields: NDArray[np.floating], seams: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> Means:
    north = np.square(np.diff(fields, axis=1), dtype=np.float64).mean(axis=2)
    east = np.square(np.diff(fields, axis=2), dtype=np.float64).mean(axis=1)
    found = {}
    for key, (a, b) in {"gradient": (~seams[0], ~seams[1]), "seam": seams}.items():
        count = a.sum() + b.sum()
        total = north[:, a].sum(axis=1) + east[:, b].sum(axis=1)
        found[key] = total / count if count else np.full(len(fields), np.nan)
    return found
