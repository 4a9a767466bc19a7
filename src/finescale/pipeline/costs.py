"""What each run of a stage took, for people: a line in reports/costs.csv.

No two runs take as long, so this file lies beside what DVC versions and not among it.
"""

import csv
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

FILE = "reports/costs.csv"


@dataclass
class Cost:
    """What one run of a stage took.

    Attributes:
        stage: Its name.
        ended: When it ended, UTC.
        wall_s: Seconds from start to end.
        cpu_s: Seconds of all its cores together.
        peak_mib: Most memory that the process ever held, MiB.
    """

    stage: str
    ended: str = ""
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mib: float = 0.0


@contextmanager
def measured(root: Path, stage: str) -> Iterator[Cost]:
    """Measure what is done inside, and write it down if it ends well; known when the block has ended."""
    cost = Cost(stage)
    wall, cpu = time.monotonic(), _cpu()
    yield cost
    cost.ended = datetime.now(UTC).isoformat(timespec="seconds")
    cost.wall_s = round(time.monotonic() - wall, 2)
    cost.cpu_s = round(_cpu() - cpu, 2)
    scale = 2**20 if sys.platform == "darwin" else 2**10  # the one counts in bytes, the other in KiB
    cost.peak_mib = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale, 1)
    _append(root / FILE, cost)


def _cpu() -> float:
    """Seconds of this process and of those that it started and that have ended."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _append(path: Path, cost: Cost) -> None:
    """Add a line; stages that run side by side write into the same file, each a whole line at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [f.name for f in fields(Cost)], lineterminator="\n")
        if file.tell() == 0:
            table.writeheader()
        table.writerow(vars(cost))
