"""How many threads the libraries take at every door."""

import os
import subprocess
import sys

import pytest

from finescale.pipeline import threads


def test_half_of_the_cores_unless_the_user_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for cores, taken in ((1, "1"), (2, "1"), (9, "4")):
        monkeypatch.setattr(threads, "cores", lambda cores=cores: cores)
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
        threads.settle()
        assert os.environ["OMP_NUM_THREADS"] == taken
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    threads.settle()
    assert os.environ["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize("door", ["import flows.pieces", "from finescale.cli import app, main; main()"])
def test_doors_settle_it_before_torch_is_loaded(door: str) -> None:
    script = f"""
import os, sys
sys.argv = ["finescale", "--help"]
try:
    {door}
except SystemExit:
    pass
assert "torch" not in sys.modules
print(os.environ["OMP_NUM_THREADS"])
"""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    found = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert found.stdout.splitlines()[-1] == str(max(1, threads.cores() // 2)), found.stderr
