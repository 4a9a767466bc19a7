"""Memory of freed arrays stays with the process."""

import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from finescale.fields.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
x, before = np.ones(2**21), faults()
for _ in range(20):
    y = [x + 1, x + 2]
    del y
print(faults() - before)
"""

GAPS = """
import numpy as np, psutil
from finescale.fields.allocator import hand_back, keep_freed_memory

assert keep_freed_memory()
def held():
    return psutil.Process().memory_info().rss / 2**20
arrays = [np.ones(2**18) for _ in range(200)]
full = held()
arrays = arrays[::50]
between = held()
hand_back()
print(full - between, full - held())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_pages_between_arrays_in_use_are_handed_back():
    told = subprocess.run([sys.executable, "-c", GAPS], capture_output=True, text=True, check=True).stdout
    kept, handed = (float(word) for word in told.split())
    # 196 of 200 arrays of 2 MB are no longer needed.
    assert kept < 300 < handed


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_pages_are_not_asked_for_again():
    default, kept = (
        int(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, word], capture_output=True, text=True, check=True
            ).stdout
        )
        for word in ("default", "keep")
    )
    # Two arrays of 16 MB are 8192 small pages; twenty rounds ask for them once instead of each time.
    assert kept < default / 3
