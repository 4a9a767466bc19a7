"""The Gaussian climate against dense linear algebra, against the law it was fitted to, and through a file."""

import tracemalloc

import dask.array as da
import numpy as np
import pytest
import torch
import xarray as xr
from red_world import drifting_waves
from scipy.fft import dctn, idctn
from simulation import draw

from finescale.errors import FinescaleError
from finescale.fields.context import clock
from finescale.fields.scaling import Scaling
from finescale.prior import eofs, joint
from finescale.prior.autoregression import toeplitz
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.joint import kept

WINDOW = 3


@pytest.fixture(scope="module")
def climate(world) -> GaussianClimate:
    ds = world.dataset(3000, seed=1)
    return GaussianClimate.fit(ds, Scaling.fit(ds, ["a", "b"]), modes=80, order=4, joint=0)


def dense(climate: GaussianClimate) -> np.ndarray:
    """The covariance of a window, written out."""
    eof = climate.eofs.double().flatten(1).numpy()
    size, cells = eof.shape[1], climate.mask[0].numel()
    full = np.einsum("kts,kn,km->tnsm", toeplitz(climate.autocovariance(WINDOW)), eof, eof, optimize=True)
    unit = torch.eye(cells).view(cells, *climate.mask.shape[1:])
    waves = climate.bands(unit).double().numpy()
    for g, rho in zip(climate.groups, climate.residual_autocovariance(WINDOW), strict=True):
        own = climate.patterns[g.rows, g.span].double().numpy()
        basis = waves[:, g.span]
        free = np.zeros((size, size))
        place = slice(g.variable * cells, (g.variable + 1) * cells)
        free[place, place] = basis @ (np.eye(own.shape[1]) - own.T @ own) @ basis.T
        full += np.einsum("ts,nm->tnsm", toeplitz(rho[None])[0], free)
    return full.reshape(size * WINDOW, size * WINDOW)


def test_eofs_are_orthonormal(climate):
    eof = climate.eofs.flatten(1)
    assert torch.allclose(eof @ eof.T, torch.eye(len(eof)), atol=1e-5)


@pytest.mark.parametrize("sigma", [0.05, 0.5, 5.0])
def test_denoiser_is_the_dense_wiener_filter(climate, world, sigma):
    ds = world.dataset(WINDOW, seed=5)
    when = torch.from_numpy(clock(ds["time"])).float()[None]
    generator = torch.Generator().manual_seed(0)
    x_t = torch.randn(2, WINDOW, 2, 12, 12, generator=generator)
    got = climate.denoise(x_t, torch.tensor(sigma), when)
    mean = climate.mean(when).double().flatten().numpy()
    cov = dense(climate)
    for b in range(2):
        a = x_t[b].double().flatten().numpy() - mean
        wanted = mean + cov @ np.linalg.solve(cov + sigma**2 * np.eye(len(cov)), a)
        np.testing.assert_allclose(got[b].flatten().numpy(), wanted, atol=2e-5)


def test_posterior_variance_is_the_dense_one(climate):
    sigma = torch.tensor([0.1, 1.0])
    got = climate.posterior_variance(sigma, WINDOW).numpy()
    cov = dense(climate)
    for i, s in enumerate(sigma.tolist()):
        posterior = cov - cov @ np.linalg.solve(cov + s**2 * np.eye(len(cov)), cov)
        wanted = np.diag(posterior).reshape(WINDOW, 2, -1).mean(axis=-1)
        np.testing.assert_allclose(got[i], wanted, rtol=1e-3)


@pytest.mark.parametrize("joint", [0, 12])
def test_what_noise_hides_and_what_is_seen_make_the_whole_law(climate, world, joint):
    """Denoised draws and draws of what the noise hides: the variance of each is known, and that of the sum."""
    ds = world.dataset(600, seed=3)
    climate = (
        climate if not joint else GaussianClimate.fit(ds, climate.scaling, modes=40, order=4, joint=joint)
    )
    white, shape = torch.Generator().manual_seed(2), (2000, WINDOW, *climate.mask.shape)
    all_, sigma = torch.tensor(1e4), torch.tensor(0.4)
    eps = [torch.randn(shape, generator=white) for _ in range(3)]
    x, hidden = climate.hidden(eps[0], all_), climate.hidden(eps[1], sigma)
    again = climate.shrink(x + sigma * eps[2], sigma) + hidden
    expected = climate.posterior_variance(sigma, WINDOW).mean(dim=(0, 1))
    np.testing.assert_allclose(hidden.square().mean(dim=(0, 1, 3, 4)), expected, rtol=0.03)
    np.testing.assert_allclose(x.square().mean(dim=(0, 1, 3, 4)), climate.total_variance(), rtol=0.05)
    np.testing.assert_allclose(again.var(0).mean(), x.var(0).mean(), rtol=0.03)


def test_each_noise_level_of_a_batch_is_its_own(climate, world):
    when = torch.from_numpy(clock(world.dataset(WINDOW, seed=5)["time"])).float()[None]
    x_t = torch.randn(2, WINDOW, 2, 12, 12, generator=torch.Generator().manual_seed(1))
    both = climate.denoise(x_t, torch.tensor([0.2, 3.0]), when)
    apart = [climate.denoise(x_t[i : i + 1], torch.tensor(s), when) for i, s in enumerate((0.2, 3.0))]
    assert torch.allclose(both, torch.cat(apart), atol=1e-6)


def test_fit_finds_the_law_it_was_drawn_from(climate, world):
    """Error of the fitted filter within 10 % of the exact one's on new data."""
    ds = world.dataset(600, seed=9)
    x = torch.from_numpy(climate.scaling.apply(np.stack([ds["a"], ds["b"]], axis=1))).unfold(0, WINDOW, 6)
    x = x.permute(0, 4, 1, 2, 3)
    when = torch.from_numpy(clock(ds["time"])).float()[None, :WINDOW]
    scale = torch.tensor(climate.scaling.scale)[:, None, None]
    centre = torch.tensor(climate.scaling.centre)[:, None, None]
    exact = world.exact(WINDOW)
    for sigma in (0.3, 3.0):
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
        ours = climate.denoise(x + sigma * noise, torch.tensor(sigma), when)
        physical = exact((x + sigma * noise) * scale + centre, torch.tensor(sigma * float(scale.mean())))
        best = ((physical - centre) / scale - x).square().mean()
        assert (ours - x).square().mean() < 1.1 * best


def test_draws_have_the_fitted_covariance(climate):
    when = torch.zeros(6, 2)
    draws = draw(climate, 4000, when, torch.Generator().manual_seed(3))
    a = draws - climate.mean(when)
    z = climate.project(a)[..., 0].double().numpy()
    for lag in range(6):
        wanted = climate.autocovariance(6)[0, lag]
        got = (z[:, 5] * z[:, 5 - lag]).mean()
        assert abs(got - wanted) < 5 * climate.variance[0].item() * np.sqrt(2 / 4000)
    cov = dense(climate)
    spread = np.sqrt(np.diag(cov)[: 2 * 144]).reshape(2, 12, 12)
    np.testing.assert_allclose(a[:, 0].std(0).numpy(), spread, rtol=5 / np.sqrt(2 * 4000))


def test_joint_law_is_the_dense_one_and_knows_that_weather_moves(tmp_path):
    ds, new = drifting_waves(), drifting_waves(400, seed=1)
    scaling = Scaling.fit(ds, ["a"])
    alone, joint = (GaussianClimate.fit(ds, scaling, modes=8, order=4, joint=n) for n in (0, 6))
    x = torch.from_numpy(scaling.apply(new["a"].values[:, None])).unfold(0, 5, 5).permute(0, 4, 1, 2, 3)
    noisy = x + torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    when = torch.from_numpy(clock(new["time"])).float()[None, :5]
    errors = [(g.denoise(noisy, torch.tensor(1.0), when) - x).square().mean() for g in (alone, joint)]
    assert errors[1] < 0.7 * errors[0]
    expected = joint.posterior_variance(torch.tensor(1.0), 5).mean()
    assert errors[1] == pytest.approx(expected.item(), rel=0.1)

    lead, cross = 6, joint.lead_covariances(5).numpy()
    full = np.zeros((5, lead, 5, lead))
    for i, j in np.ndindex(5, 5):
        full[i, :, j] = cross[i - j] if i >= j else cross[j - i].T
    full = full.reshape(5 * lead, -1)
    z = torch.randn(1, 5, lead, generator=torch.Generator().manual_seed(1))
    wanted = full @ np.linalg.solve(full + 0.25 * np.eye(len(full)), z.double().flatten().numpy())
    waves = joint.joint_waves(5)
    np.testing.assert_allclose(waves.filter(z, torch.tensor(0.5), kept).flatten().numpy(), wanted, atol=1e-4)
    assert joint.joint_waves(6) is None
    joint.to_dataset().to_netcdf(tmp_path / "joint.nc")
    with xr.open_dataset(tmp_path / "joint.nc") as stored:
        again = GaussianClimate.from_dataset(stored.load())
    assert torch.equal(again.cross, joint.cross)


def test_what_no_eof_explains_keeps_its_spectrum():
    """Red fields with many more directions than patterns: the smallest scales keep their power within 30 %."""
    rng = np.random.default_rng(0)
    wave = np.hypot(np.arange(24)[:, None], np.arange(24)[None, :])
    x = idctn(rng.standard_normal((2000, 24, 24)) / (1 + wave) ** 3, axes=(1, 2), norm="ortho")
    time = np.datetime64("2001-01-01", "ns") + np.arange(2000) * np.timedelta64(1, "h")
    coords = {"time": time, "lat": np.arange(24.0), "lon": np.arange(24.0)}
    ds = xr.Dataset({"a": (("time", "lat", "lon"), x.astype(np.float32))}, coords=coords)
    climate = GaussianClimate.fit(ds, Scaling("mean-std", ("a",), (0.0,), (1.0,)), modes=40, order=2)
    drawn = draw(climate, 400, torch.zeros(1, 2), torch.Generator().manual_seed(0))[:, 0, 0].numpy()
    power = [(dctn(v, axes=(1, 2), norm="ortho") ** 2).mean(0) for v in (drawn, x)]
    for low in (4, 8, 12, 16, 20, 24):
        ring = (wave >= low) & (wave < low + 4)
        assert power[0][ring].mean() == pytest.approx(power[1][ring].mean(), rel=0.3)


def test_survives_a_file(climate, tmp_path):
    climate.to_dataset().to_netcdf(tmp_path / "climate.nc")
    with xr.open_dataset(tmp_path / "climate.nc") as ds:
        again = GaussianClimate.from_dataset(ds.load())
    x_t = torch.randn(1, WINDOW, 2, 12, 12, generator=torch.Generator().manual_seed(4))
    when = torch.rand(1, WINDOW, 2, generator=torch.Generator().manual_seed(5))
    assert torch.equal(
        again.denoise(x_t, torch.tensor(1.0), when), climate.denoise(x_t, torch.tensor(1.0), when)
    )
    assert again.scaling == climate.scaling


def test_masked_cells_stay_empty_and_disturb_nothing(world):
    ds = world.dataset(1000, seed=1)
    ds["b"] = ds["b"].where(ds["lat"] > 47)
    climate = GaussianClimate.fit(ds, Scaling.fit(ds, ["a", "b"]), modes=60, order=2)
    x_t = torch.randn(1, WINDOW, 2, 12, 12, generator=torch.Generator().manual_seed(4))
    when = torch.rand(1, WINDOW, 2, generator=torch.Generator().manual_seed(5))
    out = climate.denoise(x_t, torch.tensor(0.5), when)
    assert torch.isfinite(out).all()
    assert (out[:, :, ~climate.mask] == 0).all()
    stirred = torch.where(climate.mask, x_t, x_t + 100.0)
    inside = climate.shrink((x_t - climate.mean(when)) * climate.mask, torch.tensor(0.5))
    again = climate.shrink((stirred - climate.mean(when)) * climate.mask, torch.tensor(0.5))
    assert torch.equal(inside, again)


def test_streaming_patterns_are_those_of_a_plain_svd_of_each_band():
    rng = np.random.default_rng(0)
    mix = np.linalg.qr(rng.standard_normal((30, 30)))[0]
    a = (rng.standard_normal((500, 30)) * 3 * 0.7 ** np.arange(30)) @ mix
    a = a.astype(np.float32)[:, None]

    def anomalies(every):
        for start in range(0, 500, 64):
            yield a[start : start + 64 : every]

    found = eofs.find_patterns(anomalies, 1, (0, 20, 30), 8)
    assert len(found.owner) == 8
    for group in eofs.groups_of(found.owner, found.edges, 1):
        mine = found.fields[group.rows]
        assert (np.delete(mine, np.r_[group.span], axis=1) == 0).all()
        _, _, right = np.linalg.svd(a[:, 0, group.span], full_matrices=False)
        angles = np.linalg.svd(mine[:, group.span] @ right[: len(mine)].T, compute_uv=False)
        assert angles.min() > 0.999


def test_lagged_sums_do_not_cross_gaps():
    """Two unbroken halves give the mean of what each gives alone."""
    rng = np.random.default_rng(0)
    a = np.cumsum(rng.standard_normal((200, 1, 8)), axis=0).astype(np.float32)
    patterns = eofs.Patterns(np.eye(8, dtype=np.float32)[:3], np.zeros(3, dtype=np.int64), (0, 4, 8))

    def stream(part, block=32):
        return lambda every: (part[s : s + block : every] for s in range(0, len(part), block))

    joined = eofs.measure(stream(a), patterns, 1, 3, np.repeat([0, 1], 100))
    apart = [eofs.measure(stream(half), patterns, 1, 3, np.zeros(100, int)) for half in (a[:100], a[100:])]
    np.testing.assert_allclose(joined.residual, np.mean([m.residual for m in apart], axis=0), rtol=1e-5)


def test_gaps_do_not_make_smooth_weather_rough():
    """A slow wave seen in stretches of 12 hours: dividing by all frames would triple its hourly increments."""
    t = np.arange(2400)
    series = np.stack([np.cos(t / 40), np.sin(t / 40)], axis=1)
    a = np.concatenate([series, 0.5 * series], axis=1).astype(np.float32)[:, None]
    patterns = eofs.Patterns(np.eye(4, dtype=np.float32)[:2], np.zeros(2, dtype=np.int64), (0, 4))
    moments = eofs.measure(lambda every: iter([a[::every]]), patterns, 1, 2, t // 12)
    for found, size in ((moments.autocovariance.sum(0), 1.0), (moments.residual[0], 0.25)):
        np.testing.assert_allclose(found[0] - found, size * (1 - np.cos(np.arange(3) / 40)), rtol=0.01)

    turned = moments.lagged[1]  # of a pair that turns by a fortieth an hour, whatever its axes
    np.testing.assert_allclose(np.trace(turned), np.cos(1 / 40), rtol=1e-3)
    np.testing.assert_allclose(abs(turned[0, 1] - turned[1, 0]), np.sin(1 / 40), rtol=0.05)
    assert np.trace(moments.sure[1]) < 0.95


def test_impossible_covariances_go_towards_possible_ones_as_far_as_they_must():
    sure = np.stack([np.eye(2) * 0.6**h for h in range(4)])
    good, bad = sure.copy(), sure.copy()
    good[1:] += 0.05 * np.array([[0, 1], [-1, 0]])
    bad[1, 0, 0], bad[2, 0, 0] = 0.99, 0.5  # what hardly moves in one hour does not move so far in two
    np.testing.assert_array_equal(joint.possible(good, sure), good)
    found = joint.possible(bad, sure)
    assert sure[1, 0, 0] < found[1, 0, 0] < bad[1, 0, 0]
    four = joint.between(torch.from_numpy(found), range(4), range(4))
    assert float(torch.linalg.eigvalsh(four)[0]) > 0
    assert float(torch.linalg.eigvalsh(joint.between(torch.from_numpy(bad), range(4), range(4)))[0]) < 0


def test_memory_does_not_grow_with_the_series():
    def peak(frames: int) -> int:
        lazy = da.random.default_rng(0).standard_normal((frames, 16, 16), chunks=(256, 16, 16))
        time = np.datetime64("2001-01-01", "ns") + np.arange(frames) * np.timedelta64(1, "h")
        coords = {"time": time, "lat": np.arange(16.0), "lon": np.arange(16.0)}
        ds = xr.Dataset({"a": (("time", "lat", "lon"), lazy)}, coords=coords)
        tracemalloc.start()
        GaussianClimate.fit(ds, Scaling("mean-std", ("a",), (0.0,), (1.0,)), modes=8, order=2)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    short, whole = peak(2048), 8192 * 16 * 16 * 8
    assert peak(8192) < 1.3 * short < whole


def test_too_short_a_period_is_refused(world):
    ds = world.dataset(20, seed=0)
    with pytest.raises(FinescaleError, match="needs 36 frames"):
        GaussianClimate.fit(ds, Scaling.fit(ds, ["a", "b"]), modes=4, order=8)
