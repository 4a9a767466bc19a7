"""What each run of a stage took is written down, and a failed run is not."""

import csv
import subprocess
import sys
import time

import pytest

from finescale.pipeline import costs


def lines(root):
    with (root / costs.FILE).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_finished_run_is_a_line(tmp_path):
    for name in ("score", "report"):
        with costs.measured(tmp_path, name) as cost:
            time.sleep(0.05)
            end = time.process_time() + 0.05
            while time.process_time() < end:
                pass
        assert cost.wall_s >= 0.1 and 0.05 <= cost.cpu_s <= cost.wall_s
    first, second = lines(tmp_path)
    assert (first["stage"], second["stage"]) == ("score", "report")
    assert float(second["wall_s"]) == cost.wall_s and float(second["cpu_s"]) == cost.cpu_s
    assert float(second["peak_mib"]) > 10


def test_a_failed_run_leaves_no_line(tmp_path):
    with pytest.raises(ValueError, match="broken"), costs.measured(tmp_path, "score"):
        raise ValueError("broken")
    assert not (tmp_path / costs.FILE).exists()


def test_processes_that_it_started_count(tmp_path):
    busy = "import time; end = time.process_time() + 0.5\nwhile time.process_time() < end: pass"
    with costs.measured(tmp_path, "report") as cost:
        subprocess.run([sys.executable, "-c", busy], check=True)
    assert cost.cpu_s >= 0.5
