"""What the heat equation says of a temperature field: the balance of fluxes of a block, and the residual of transport.

Both take numpy arrays or torch tensors, so that training, guidance and scores mean the same by them.
"""

from finescale.grid.calculus import Calculus, Values

# Gradients below a tenth of a kelvin in a thousand kilometres count as none.
FLAT = 1e-7


def flux_balance(
    field: Values,
    calculus: Calculus,
    block: tuple[int, int],
    within: tuple[slice, slice] = (slice(None), slice(None)),
) -> Values:
    """Ratio of the two fluxes through the rim of each block: advective over diffusive, per length of the block.

    With steady advection and diffusion, ``alpha T n.g = kappa |grad T|`` on the rim, where ``g`` is the direction of
    the gradient and ``n`` the outward normal, so ``R = mean(T g.n) / mean(|grad T|)`` is kappa over alpha, and a fine
    and a coarse view of the same air agree on it. After Jiang et al. (2025), arXiv 2510.23866, with T as the anomaly
    from its block's mean (their R depends on the zero of the scale), with real distances, and with the values
    continued from the cell centres to the rim, so that blocks of equal size in metres agree whatever the number of
    their cells: a field of constant gradient has R = 1/4 for a square block.

    Args:
        field: temperature ``[..., H, W]``; rows and columns beyond the last whole block are left out.
        calculus: of its grid.
        block: rows and columns of cells of a block.
        within: rows and columns that are divided into blocks; the others only lend their values to derivatives.

    Returns:
        R ``[..., blocks down, blocks across]``, without unit; zero where the field is constant.
    """
    east, north = calculus.gradient(field)
    steep = (east**2 + north**2 + FLAT**2) ** 0.5
    high, wide = block
    tall, broad = calculus.cell
    t, gx, gy, g = (_blocks(values[(..., *within)], block) for values in (field, east, north, steep))
    anomaly = t - t.mean((-3, -1))[..., :, None, :, None]
    advective = diffusive = 0.0
    # Each side: its cells, the gradient along the outward normal, and metres of rim that a cell stands for.
    for rows, columns, normal, half, weight in (
        (high - 1, slice(None), gy, tall / 2, broad),
        (0, slice(None), -gy, tall / 2, broad),
        (slice(None), wide - 1, gx, broad / 2, tall),
        (slice(None), 0, -gx, broad / 2, tall),
    ):
        at = (..., rows, slice(None), columns)
        outward, size = normal[at], g[at]
        axis = -1 if isinstance(rows, int) else -2
        advective = advective + ((anomaly[at] + half * outward) * outward / size).sum(axis) * weight
        diffusive = diffusive + size.sum(axis) * weight
    length = ((high * tall) * (wide * broad)) ** 0.5
    return advective / diffusive / length


def transport(
    before: Values, after: Values, wind: tuple[Values, Values], calculus: Calculus, seconds: float = 3600.0
) -> tuple[Values, Values]:
    """The parts of ``dT/dt + u.grad T = kappa lap T + Q`` between two moments.

    Args:
        before: temperature ``[..., H, W]`` in kelvin.
        after: the same later.
        wind: eastward and northward wind at the middle ``[..., H, W]``, m s-1.
        calculus: of the grid.
        seconds: between the two.

    Returns:
        The left-hand side in K s-1, and the Laplacian of the mean temperature in K m-2.
    """
    middle = (before + after) / 2
    east, north = calculus.gradient(middle)
    return (after - before) / seconds + wind[0] * east + wind[1] * north, calculus.laplacian(middle)


def _blocks(x: Values, block: tuple[int, int]) -> Values:
    """``[..., H, W]`` to ``[..., blocks, rows, blocks, columns]``."""
    down, across = x.shape[-2] // block[0], x.shape[-1] // block[1]
    whole = x[..., : down * block[0], : across * block[1]]
    return whole.reshape(*x.shape[:-2], down, block[0], across, block[1])
