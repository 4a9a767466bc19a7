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
