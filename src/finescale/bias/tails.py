"""Quantiles in the tail from a generalised Pareto law instead of the few values that are there.

Threshold at the edge probability; the law of the exceedances by L-moments, which are steady for the samples of tens
of values that a window holds: Hosking and Wallis (1987), https://doi.org/10.2307/1269343
"""

import numpy as np

from finescale.bias.compiled import Floats, compiled

# Shapes beyond these come from samples too small, not from weather.
LEAST_SHAPE, GREATEST_SHAPE = -0.5, 0.3
FEWEST = 8
"""Fewest exceedances that a law is fitted to."""

TAIL_SHARES = (0.8, 0.6, 0.4, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02, 0.01)
"""Quantiles that are taken from the law: shares of the tail that lie beyond them."""


@compiled
def pareto_quantile(
    pool: Floats, size: int, edge_value: float, edge: float, probability: float, upper: bool
) -> float:
    """Quantile beyond the edge.

    Args:
        pool: sorted values; the first ``size`` count.
        size: number of values.
        edge_value: quantile of the pool at the edge.
        edge: probability of the edge (of its mirror image when not ``upper``).
        probability: wanted, beyond the edge (of its mirror image when not ``upper``).
        upper: the upper tail, else the lower one.

    Returns:
        The quantile; NaN when too few values lie beyond the edge.
    """
    n = 0
    while n < size and (pool[size - 1 - n] > edge_value if upper else pool[n] < edge_value):
        n += 1
    if n < FEWEST:
        return np.nan
    first, second = 0.0, 0.0
    for i in range(n):
        # The i-th least exceedance.
        excess = pool[size - n + i] - edge_value if upper else edge_value - pool[n - 1 - i]
        first += excess / n
        second += excess * i / (n - 1) / n
    spread = 2.0 * second - first
    shape = min(max(2.0 - first / spread, LEAST_SHAPE), GREATEST_SHAPE) if spread > 0.0 else LEAST_SHAPE
    scale = first * (1.0 - shape)
    share = (1.0 - probability) / (1.0 - edge)
    excess = -scale * np.log(share) if abs(shape) < 1e-9 else scale / shape * (share**-shape - 1.0)
    return float(edge_value + excess if upper else edge_value - excess)
