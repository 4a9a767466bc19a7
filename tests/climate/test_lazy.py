"""A source larger than memory streams through harmonise, H and retrieval; the peak of memory is the kernel's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "lazy_source.py"


@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize(
    ("gigabytes", "limit"),
    [(0.7, 1.0), pytest.param(100, 4.0, marks=pytest.mark.slow)],
    ids=["short", "100GB"],
)
def test_memory_stays_below_its_limit(gigabytes, limit):
    run = subprocess.run([sys.executable, SCRIPT, str(gigabytes)], capture_output=True, text=True, check=True)
    peaks = [float(p) for p in re.findall(r"peak ([\d.]+) GB", run.stdout)]
    assert len(peaks) == 2 and max(peaks) < limit
    error = float(re.search(r"largest error (\S+) K", run.stdout).group(1))
    assert error < 2e-4  # float32 at 273 K, and a mean over 3,200 cells
