"""The processor's cores that this process may use: batch systems and containers often give fewer than there are."""

import os


def cores() -> int:
    """Number of cores, one at least."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
