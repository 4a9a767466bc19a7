"""The one place where Python becomes machine code: loops over cells that no array expression says well."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile a loop over arrays; it releases the interpreter lock, so dask's threads run it side by side."""
    return cast(F, numba.njit(cache=True, nogil=True)(function))
