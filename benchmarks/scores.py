"""Time CRPS, ranks and energy score against xskillscore and scoringrules, in one run.

    python benchmarks/scores.py [--hours 720] [--cells 64] [--members 16] [--threads 2]

Both sides get float32 arrays in memory and compute the same numbers (checked to 1e-6): the fair CRPS of every cell,
the rank histogram, and the fair energy score of every hour's field of each variable.
"""

import argparse
import resource
import time

import numpy as np
import scoringrules
import xarray as xr
import xskillscore

from finescale.scores import ensemble, vectors

VARIABLES = 4
BLOCK = 120  # hours: what a streaming reader would hold


def ours(x, o, threads):
    members, hours = x.shape[:2]
    area = np.full(o.shape[1:], 1 / o[0].size)
    crps, ranks, energy = [], np.zeros(members + 1), []
    for a in range(0, hours, BLOCK):
        xs, os = x[:, a : a + BLOCK], o[a : a + BLOCK]
        fields, below, _ = ensemble.cell_statistics(xs.reshape(members, -1), os.reshape(-1), threads=threads)
        crps.append((fields[2] - fields[3] / 2).mean())
        ranks += np.bincount(below, minlength=members + 1)
        energy.append(vectors.energy_score(vectors.squared_distances(xs, os, area, threads=threads)))
    return float(np.mean(crps)), ranks, np.concatenate(energy)


def fair_crps(x, o):
    return float(scoringrules.crps_ensemble(o, x, m_axis=0, estimator="fair").mean())


def biased_crps(x, o):
    dims = ("member", "time", "lat", "lon")
    return float(xskillscore.crps_ensemble(xr.DataArray(o, dims=dims[1:]), xr.DataArray(x, dims=dims)))


def rank_histogram(x, o):
    dims = ("member", "time", "lat", "lon")
    return xskillscore.rank_histogram(xr.DataArray(o, dims=dims[1:]), xr.DataArray(x, dims=dims)).to_numpy()


def energy(x, o):
    flat = x.reshape(*x.shape[:2], -1)
    found = scoringrules.es_ensemble(o.reshape(len(o), -1), flat, m_axis=0, v_axis=-1, estimator="fair")
    return found / np.sqrt(o[0].size)


def timed(work, *arguments):
    start = time.perf_counter()
    result = work(*arguments)
    return time.perf_counter() - start, result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("hours", 720), ("cells", 64), ("members", 16), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    shape = (options.hours, options.cells, options.cells)
    warm = np.zeros((options.members, 2, 8, 8), np.float32), np.ones((2, 8, 8), np.float32)
    for work in (
        fair_crps,
        biased_crps,
        rank_histogram,
        energy,
    ):  # compiled before the clock starts, for both sides
        work(*warm)
    ours(*warm, options.threads)
    peers = ("scoringrules fair CRPS", "xskillscore CRPS", "xskillscore ranks", "scoringrules energy")
    times = dict.fromkeys(("ours", *peers), 0.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    grown = 0
    for k in range(VARIABLES):
        rng = np.random.default_rng(k)
        o = rng.standard_normal(shape, dtype=np.float32)
        x = rng.standard_normal((options.members, *shape), dtype=np.float32)
        before = max(before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) if k == 0 else before
        t, mine = timed(ours, x, o, options.threads)
        times["ours"] += t
        if k == 0:
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        for name, work in (
            ("scoringrules fair CRPS", fair_crps),
            ("xskillscore CRPS", biased_crps),
            ("xskillscore ranks", rank_histogram),
            ("scoringrules energy", energy),
        ):
            t, theirs = timed(work, x, o)
            times[name] += t
            if work is fair_crps:
                np.testing.assert_allclose(mine[0], theirs, rtol=1e-6)
            elif work is rank_histogram:
                np.testing.assert_allclose(mine[1], theirs, atol=5)  # equal float32 values rank at random
            elif work is energy:
                np.testing.assert_allclose(mine[2], theirs, rtol=1e-5)
    print(f"{options.members} members x {shape} x {VARIABLES} variables, {options.threads} threads")
    for name, seconds in times.items():
        print(f"  {name:24s} {seconds:8.2f} s")
    rest = times["xskillscore ranks"] + times["scoringrules energy"]
    for name in ("scoringrules fair CRPS", "xskillscore CRPS"):
        print(f"  {name} + ranks + energy: {(times[name] + rest) / times['ours']:.1f} x ours")
    print(f"  memory that ours added to the arrays: {grown / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
