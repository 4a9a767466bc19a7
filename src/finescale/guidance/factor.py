"""Cholesky factors of covariances, some of which are singular but for rounding."""

import torch
from torch import Tensor

from finescale.errors import FinescaleError

TRIES = 5


def factored(matrix: Tensor, jitter: float) -> Tensor:
    """The factor of a covariance ``[n, n]``, which is changed in place.

    Very smooth weather foretells itself, and rounding may leave its covariance a little less than positive: then its
    diagonal is raised by `jitter`, and by ten times as much again.

    Args:
        matrix: symmetric; only its lower half is read.
        jitter: what the diagonal may be raised by without harm.
    """
    factor: Tensor
    factor, fault = torch.linalg.cholesky_ex(matrix)
    for power in range(TRIES):
        if not bool(fault):
            break
        matrix.diagonal().add_(jitter * 10**power)
        factor, fault = torch.linalg.cholesky_ex(matrix)
    if bool(fault) or not bool(torch.isfinite(factor.diagonal()).all()):
        raise FinescaleError(
            "what is observed has a covariance that can be factored: that of the fitted climate cannot, with its "
            f"diagonal raised by {jitter * 10 ** (TRIES - 1):.2g}; fit it to a longer period or lower climate.order"
        )
    return factor
