"""Multivariate bias correction: the dependence between variables is mended, each one's own law stays QDM's.

The cloud of points (one axis a variable) is turned by a random rotation, each turned axis is mapped onto the
reference's, and so on; after some twenty rotations the whole joint law agrees. Of the result only the ranks are
used: they say in which order the values that quantile delta mapping gave are dealt out again, within each group of
time steps.

Cannon (2018), Multivariate quantile mapping bias correction: an N-dimensional probability density function transform
for climate model simulations of multiple variables, https://doi.org/10.1007/s00382-017-3580-6; rotations after
Mezzadri (2007).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finescale.bias.compiled import Floats, compiled
from finescale.bias.grouping import Index

ENERGY_POINTS = 120
"""Points of each cloud, evenly taken, between which distances are measured."""


@dataclass(frozen=True)
class JointTables:
    """What the rotations learned.

    Attributes:
        shift: what each quantile of each turned axis moves by [cell, group, rotation, axis, quantile].
        energy: distance between the two clouds before the first and after each rotation [cell, group, rotation + 1].
        misfit: mean error of the correlations between axes, before and after [cell, group, 2].
    """

    shift: Floats
    energy: Floats
    misfit: Floats


def random_rotations(axes: int, count: int, seed: int) -> Floats:
    """Orthogonal matrices, evenly spread over all orientations [rotation, axis, axis]."""
    rng = np.random.default_rng([seed, axes])
    out = np.empty((count, axes, axes))
    for k in range(count):
        q, r = np.linalg.qr(rng.standard_normal((axes, axes)))
        out[k] = q * np.sign(np.diag(r))
    return out


def fit_joint(
    reference: Floats, truth: Index, historical: Floats, model: Index, rotations: Floats, nodes: Floats
) -> JointTables:
    """Learn the shifts of every rotation from the calibration.

    Args:
        reference: the truth's values [cell, axis, time].
        truth: groups of its time steps.
        historical: the model's values [cell, axis, time].
        model: groups of its time steps.
        rotations: orthogonal matrices [rotation, axis, axis].
        nodes: probabilities of the quantiles [quantile].
    """
    cells, axes, _ = historical.shape
    groups = truth.starts.size - 1
    shift = np.zeros((cells, groups, len(rotations), axes, nodes.size))
    energy = np.full((cells, groups, len(rotations) + 1), np.nan)
    misfit = np.full((cells, groups, 2), np.nan)
    for g in range(groups):
        steps = [i.order[i.starts[g] : i.starts[g + 1]] for i in (truth, model)]
        if min(s.size for s in steps) < 2:
            continue
        goal, cloud = standardised(reference[..., steps[0]]), standardised(historical[..., steps[1]])
        energy[:, g, 0], misfit[:, g, 0] = energy_distance(goal, cloud), correlation_error(goal, cloud)
        for k, rotation in enumerate(rotations):
            turned, wanted = rotation @ cloud, np.sort(rotation @ goal, axis=-1)
            order = np.argsort(turned, axis=-1, kind="stable")
            ranked = np.take_along_axis(turned, order, axis=-1)
            shift[:, g, k] = at_nodes(wanted, nodes) - at_nodes(ranked, nodes)
            cloud = rotation.T @ moved(ranked, order, shift[:, g, k], nodes)
            energy[:, g, k + 1] = energy_distance(goal, cloud)
        misfit[:, g, 1] = correlation_error(goal, cloud)
    return JointTables(shift, energy, misfit)


def apply_joint(
    corrected: Floats, run: Floats, index: Index, rotations: Floats, shift: Floats, nodes: Floats
) -> Floats:
    """Deal the corrected values out in the order that the joint law asks for.

    Args:
        corrected: values after the univariate maps [cell, axis, time].
        run: values before them [cell, axis, time].
        index: groups of the time steps.
        rotations: as they were fitted [rotation, axis, axis].
        shift: as it was fitted [cell, group, rotation, axis, quantile].
        nodes: probabilities of the quantiles [quantile].

    Returns:
        The same values in each group and on each axis, in another order [cell, axis, time].
    """
    out = corrected.copy()
    for g in range(index.starts.size - 1):
        steps = index.order[index.starts[g] : index.starts[g + 1]]
        if steps.size < 2:
            continue
        cloud = standardised(run[..., steps])
        for k, rotation in enumerate(rotations):
            turned = rotation @ cloud
            order = np.argsort(turned, axis=-1, kind="stable")
            ranked = np.take_along_axis(turned, order, axis=-1)
            cloud = rotation.T @ moved(ranked, order, shift[:, g, k], nodes)
        order = np.argsort(cloud, axis=-1, kind="stable")
        dealt = np.empty_like(cloud)
        np.put_along_axis(dealt, order, np.sort(corrected[..., steps], axis=-1), axis=-1)
        out[..., steps] = dealt
    return out


def standardised(values: Floats) -> Floats:
    """Values about their mean in standard deviations, along the last axis; zeros where they are all the same."""
    spread = values.std(axis=-1, keepdims=True)
    return np.asarray((values - values.mean(axis=-1, keepdims=True)) / np.where(spread > 0.0, spread, 1.0))


def at_nodes(ranked: Floats, nodes: Floats) -> Floats:
    """Quantiles (type 7) of values sorted along the last axis [..., quantile]."""
    low, weight = _between(nodes * (ranked.shape[-1] - 1), ranked.shape[-1])
    return np.asarray(ranked[..., low] + (ranked[..., low + 1] - ranked[..., low]) * weight)


def moved(ranked: Floats, order: NDArray[np.intp], shift: Floats, nodes: Floats) -> Floats:
    """Sorted values moved by the shift of their rank and put back in their own order [..., time]."""
    ranks = np.linspace(0.0, 1.0, ranked.shape[-1])
    if nodes.size > 1:
        low, weight = _between(np.interp(ranks, nodes, np.arange(nodes.size)), nodes.size)
        shift = shift[..., low] + (shift[..., low + 1] - shift[..., low]) * weight
    out = np.empty_like(ranked)
    np.put_along_axis(out, order, ranked + shift, axis=-1)
    return out


def _between(position: Floats, size: int) -> tuple[NDArray[np.intp], Floats]:
    low = np.clip(position.astype(np.intp), 0, size - 2)
    return low, position - low


def correlation_error(first: Floats, second: Floats) -> Floats:
    """Mean absolute difference of the correlations between axes [cell]; clouds [cell, axis, point]."""
    a, b = (x @ x.swapaxes(-1, -2) / x.shape[-1] for x in (standardised(first), standardised(second)))
    pairs = np.triu_indices(first.shape[1], 1)
    return np.asarray(np.abs(a - b)[:, pairs[0], pairs[1]].mean(axis=1))


def energy_distance(first: Floats, second: Floats) -> Floats:
    """Energy distance between two clouds of points, the root of Szekely and Rizzo's statistic [cell].

    Args:
        first: [cell, axis, point].
        second: [cell, axis, point].
    """
    a, b = (x[..., :: max(1, x.shape[-1] // ENERGY_POINTS)] for x in (first, second))
    between, within_a, within_b = mean_distance(a, b), mean_distance(a, a), mean_distance(b, b)
    return np.asarray(np.sqrt(np.maximum(2.0 * between - within_a - within_b, 0.0)))


@compiled
def mean_distance(first: Floats, second: Floats) -> Floats:
    """Mean Euclidean distance between the points of two clouds [cell]."""
    out = np.zeros(first.shape[0])
    for c in range(first.shape[0]):
        for i in range(first.shape[2]):
            for j in range(second.shape[2]):
                square = 0.0
                for axis in range(first.shape[1]):
                    square += (first[c, axis, i] - second[c, axis, j]) ** 2
                out[c] += np.sqrt(square)
    out /= first.shape[2] * second.shape[2]
    return out
