"""What Prefect's door costs above the command line's where DVC finds nothing to do: the doors themselves.

`python benchmarks/doors.py PROJECT [ROUNDS]` runs both in turn over a project whose pipeline is up to date (after
`make demo`, say), one round more than asked so that DVC has hashed everything, and prints wall and processor seconds,
each door's own server included.
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from finescale.pipeline.project import Project

DOORS = {"command line": ("finescale", "run"), "Prefect": ("flows.build",)}


def main() -> None:
    root, rounds = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else 2
    stages, rows = len(Project(root).stages), []
    for number in range(rounds + 1):
        for door, words in DOORS.items():
            wall, cpu, said = run(root, words)
            ran = sum(said.count(word) for word in ("Completed  ", "Running stage"))
            assert not ran, f"{ran} stages had something to do: run the pipeline first"
            rows.append({"door": door, "wall s": wall, "processor s": cpu, "warm": number > 0})
            print(
                f"{door:12}  {wall:6.1f} s wall  {cpu:6.1f} s processor{'' if number else '  (warming up)'}"
            )
    best = pd.DataFrame(rows).query("warm").groupby("door")[["wall s", "processor s"]].min()
    more = best.loc["Prefect"] - best.loc["command line"]
    print(best.round(1).to_string())
    print(
        f"Prefect's door adds {more['wall s']:.1f} s wall, {more['wall s'] / stages:.2f} s for each of {stages} stages"
    )


def run(root: Path, words: tuple[str, ...]) -> tuple[float, float, str]:
    """Wall and processor seconds of one door, and what it said."""
    env = os.environ | {"PREFECT_HOME": str(root / ".prefect"), "DO_NOT_TRACK": "true"}
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=root, env=env, capture_output=True, text=True, check=False
    )
    wall, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout + done.stderr


if __name__ == "__main__":
    main()
