"""What becomes of the memory of arrays that are no longer needed.

By default glibc hands large arrays back to the system at once, which clears every page when the next array wants it:
where arrays of some megabytes come and go by the thousand, a good part of the processor's time is spent on that.
"""

import ctypes
from contextlib import suppress

# The numbers of glibc's malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
# Arrays beyond this size are rare enough to be handed back.
LARGE = 2**28
# What older releases take at most.
USUAL = 2**25


def keep_freed_memory() -> bool:
    """Let this process use the memory of freed arrays again; tells whether its C library can do so."""
    with suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        asked = mallopt(MMAP_THRESHOLD, LARGE) or mallopt(MMAP_THRESHOLD, USUAL)
        return bool(asked and mallopt(TRIM_THRESHOLD, LARGE))
    return False


def hand_back() -> None:
    """Give free pages back to the system: in a long run, ever more of them lie between arrays that are in use."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
