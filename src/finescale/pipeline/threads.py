"""How many stages run side by side, and how many threads the libraries take."""

import os

from finescale.fields.cores import cores

# Stages that run side by side.
AT_ONCE = 2


def settle() -> None:
    """A stage's share of the cores, unless the user has said otherwise; to be called before the libraries are loaded.

    Stages run side by side, and so do two groups of members (`fields.lanes`): threads of both that wait for one
    another would spin on the same cores. The same at every door, because sums round by the number of threads.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // AT_ONCE)))
