"""Years times cells that do not fit: the peak of memory must not follow the number of cells."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "bias_memory.py"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_four_times_the_cells_take_hardly_more_memory():
    run = subprocess.run([sys.executable, SCRIPT, "10"], capture_output=True, text=True, check=True)
    found = [
        tuple(map(float, x))
        for x in re.findall(r"data (\d+) MB, peak (\d+) MB, mean error left ([\d.]+)", run.stdout)
    ]
    (small, low, _), (large, high, _) = found
    assert high - low < 0.25 * (large - small)
    assert max(error for *_, error in found) < 0.1
