"""The linear-Gaussian model of fine weather.

``x = mean(season, hour) + sum_k z_k(t) EOF_k + r``: joint EOFs of all variables whose series z_k are autoregressions,
and a residual that is white within each band of cosine waves of each variable, with its own autoregression in time,
orthogonal to the EOFs. One object serves three times: as a baseline, as the covariance of the guidance, and as the
Wiener denoiser that the network corrects. All in scaled units (``fields.scaling``); masked cells count as zero.
"""

from functools import partial
from typing import Any

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray
from torch import Tensor, nn

from finescale.fields.axis import step_hours
from finescale.fields.scaling import Scaling
from finescale.prior import autoregression, holdout
from finescale.prior.arrays import TENSORS, Arrays, packed, plain, unpacked
from finescale.prior.bands import Bands
from finescale.prior.climatology import Harmonics, identifiable
from finescale.prior.eofs import Group, groups_of
from finescale.prior.joint import Gain, JointWaves, kept, lag_covariances, lost
from finescale.prior.locality import radii


class GaussianClimate(nn.Module):
    """A fitted linear-Gaussian climate.

    A group is a band of one variable; there are G = C * B, variable by variable.

    Attributes:
        scaling: physical units to the units used here.
        harmonics: basis of the mean.
        step: hours between two frames.
        bands: the transform from fields to their N = H * W cosine waves.
        groups: bands of each variable, with their waves and patterns.
        coefficients: of the mean, ``[P, C, H, W]``.
        patterns: orthonormal patterns in cosine waves, each of one group, ``[M, N]``.
        owner: group of each pattern, ``[M]``.
        edges: where bands begin and end among the waves, ``[B + 1]``.
        rotation: patterns to EOFs, orthogonal, ``[M, K]`` with K = M.
        variance: of each EOF's series, ``[K]``.
        phi: autoregression of each EOF's series, ``[K, p]``.
        residual_variance: per wave of each group that is free of patterns, ``[G]``.
        residual_phi: autoregression of the residual, ``[G, p]``.
        mask: valid cells, ``[C, H, W]``; the state is zero elsewhere.
        cross: covariances between the leading J EOFs at lags 0 to q, ``[q + 1, J, J]``; empty if all are
            independent. The denoiser of more than p + 1 frames and ``autocovariance`` take every EOF on its own.
        trust: how far the leading EOFs are taken together; the law is a mixture of that and of each alone.
        radius: kilometres at which covariances were taken to .61 of what was found; see `locality`.
        season: logarithm of anomalies' variance over that of all the year, ``[1 + 2 n, C]``; see `sizes`.
        wander: standard deviation of the logarithm of their size about it, ``[C]``.
    """

    coefficients: Tensor
    patterns: Tensor
    owner: Tensor
    edges: Tensor
    rotation: Tensor
    variance: Tensor
    phi: Tensor
    residual_variance: Tensor
    residual_phi: Tensor
    mask: Tensor
    cross: Tensor
    trust: Tensor
    radius: Tensor
    season: Tensor
    wander: Tensor

    def __init__(self, scaling: Scaling, harmonics: Harmonics, step: float, tensors: Arrays) -> None:
        super().__init__()
        self.scaling, self.harmonics, self.step = scaling, harmonics, step
        tensors = plain(harmonics, len(scaling.variables)) | tensors
        for name in TENSORS:
            kind = {"owner": torch.int64, "edges": torch.int64, "mask": torch.bool}.get(name, torch.float32)
            # In torch's own memory: sums round by how an array is aligned, and a file's arrays are not.
            value = torch.from_numpy(np.ascontiguousarray(tensors[name]))
            self.register_buffer(name, value.to(kind, copy=True))
        self.bands = Bands(*self.mask.shape[1:])
        edges = [int(e) for e in tensors["edges"]]
        self.groups: list[Group] = groups_of(tensors["owner"], edges, len(scaling.variables))
        self._waves: dict[tuple[int, torch.device], tuple[Tensor, Tensor]] = {}
        self._joint: dict[tuple[int, torch.device], JointWaves] = {}

    @classmethod
    def fit(
        cls,
        ds: xr.Dataset,
        scaling: Scaling,
        *,
        modes: int = 384,
        order: int = 8,
        joint: int = 256,
        harmonics: Harmonics = Harmonics(),
        sketch_every: int = 2,
    ) -> "GaussianClimate":
        """Fit to training data in streaming passes; of short data, days held out correct it: see ``holdout``.

        Args:
            ds: training period, ``[time, lat, lon]`` variables named by the scaling.
            scaling: learned from the same period.
            modes: EOFs kept, over all variables.
            order: p of the autoregressions; lags 0..p are reproduced exactly.
            joint: leading EOFs whose series may depend on one another.
            harmonics: wished basis of the mean; what the period cannot tell apart is dropped.
            sketch_every: frames between two that the search for patterns looks at.
        """
        basis = identifiable(ds, harmonics)
        law = partial(cls, scaling, basis, step_hours(ds["time"]))
        options = {"modes": modes, "order": order, "joint": joint, "sketch_every": sketch_every}
        return law(holdout.checked(law, ds, scaling, basis, radii(ds), **options))

    def again(self, ds: xr.Dataset, sketch_every: int) -> "GaussianClimate":
        """One of the same kind, with the same basis of the mean and the same radius, fitted to other days."""
        law = partial(GaussianClimate, self.scaling, self.harmonics, self.step)
        options = {"modes": len(self.variance), "order": self.phi.shape[1], "joint": self.cross.shape[1]}
        options["sketch_every"], wished = sketch_every, (float(self.radius),)
        return law(holdout.checked(law, ds, self.scaling, self.harmonics, wished, **options))

    def with_tensors(self, tensors: Arrays) -> "GaussianClimate":
        """The same climate with other arrays."""
        return GaussianClimate(self.scaling, self.harmonics, self.step, tensors)

    def apart(self) -> "GaussianClimate":
        """The same climate with every EOF on its own."""
        return self.with_tensors(self.tensors() | {"cross": np.zeros((0, 0, 0))})

    def mean(self, clock: Tensor) -> Tensor:
        """The mean at ``clock [..., 2]``: ``[..., C, H, W]``."""
        basis = self.harmonics(clock).to(self.coefficients.dtype)
        return torch.einsum("...p,pchw->...chw", basis, self.coefficients)

    def size(self, clock: Tensor) -> Tensor:
        """How large anomalies are in a season over those of all the year, at ``clock [..., 2]``: ``[..., C]``."""
        return (self.harmonics.year(clock).to(self.season) @ self.season / 2).exp()

    @property
    def eofs(self) -> Tensor:
        """Joint EOFs, orthonormal over all variables and cells, ``[K, C, H, W]``."""
        return self.reconstruct(torch.eye(len(self.variance)).to(self.rotation))

    def total_variance(self) -> Tensor:
        """Of each variable, mean over its valid cells, ``[C]``."""
        return self._by_variable(self.variance, self.residual_variance)

    def autocovariance(self, lags: int) -> NDArray[np.float64]:
        """Of each EOF's series at lags 0 .. lags - 1 (in steps), ``[K, lags]``."""
        rho = autoregression.correlation(_double(self.phi), lags)
        return rho * _double(self.variance)[:, None]

    def residual_autocovariance(self, lags: int) -> NDArray[np.float64]:
        """Of one free wave of each group at lags 0 .. lags - 1, ``[G, lags]``."""
        rho = autoregression.correlation(_double(self.residual_phi), lags)
        return rho * _double(self.residual_variance)[:, None]

    def lead_covariances(self, lags: int) -> Tensor:
        """Between the leading J EOFs at lags 0 .. lags - 1 ``[lags, J, J]``, double precision."""
        alone = torch.from_numpy(self.autocovariance(lags)[: self.cross.shape[1]].T)
        together = torch.from_numpy(lag_covariances(_double(self.cross), lags))
        return torch.lerp(torch.diag_embed(alone), together, float(self.trust))

    def project(self, a: Tensor) -> Tensor:
        """EOF series of anomalies: ``[..., C, H, W]`` to ``[..., K]``."""
        return self.to_patterns(self.bands(a)) @ self.rotation

    def reconstruct(self, z: Tensor) -> Tensor:
        """Anomalies of EOF series: ``[..., K]`` to ``[..., C, H, W]``."""
        y = z @ self.rotation.T
        parts = [y[..., g.rows] @ self.patterns[g.rows, g.span] for g in self.groups]
        return self.bands.inverse(self.joined(parts))

    def to_patterns(self, waves: Tensor) -> Tensor:
        """Series of the patterns: waves ``[..., C, N]`` to ``[..., M]``."""
        parts = [waves[..., g.variable, g.span] @ self.patterns[g.rows, g.span].T for g in self.groups]
        return torch.cat(parts, dim=-1)

    def joined(self, parts: list[Tensor]) -> Tensor:
        """The waves of all groups side by side ``[..., C, N]``."""
        waves = torch.cat(parts, dim=-1)
        return waves.view(*waves.shape[:-1], len(self.mask), -1)

    def _by_variable(self, modes: Tensor, groups: Tensor) -> Tensor:
        """Variances of EOFs ``[..., K]`` and free waves ``[..., G]`` as mean over valid cells ``[..., C]``."""
        c = len(self.mask)
        own = self.owner // (len(self.groups) // c)
        share = torch.stack([self.rotation[own == i].square().sum(0) for i in range(c)])
        free = torch.tensor([g.free for g in self.groups]).to(groups)
        rest = (groups * free).view(*groups.shape[:-1], c, -1).sum(-1)
        mean: Tensor = (modes @ share.T + rest) / self.mask.sum(dim=(1, 2))
        return mean

    def waves(self, frames: int) -> tuple[Tensor, Tensor]:
        """Principal axes in time of a window of ``frames`` consecutive frames, of the EOFs, then of the residuals.

        Orthogonal matrices ``[K + G, T, T]`` (columns are axes) and variances ``[K + G, T]``.
        """
        device = self.patterns.device
        if (frames, device) not in self._waves:
            rho = np.concatenate([self.autocovariance(frames), self.residual_autocovariance(frames)])
            scale = np.maximum(rho[:, :1], 1e-30)
            values, axes = np.linalg.eigh(autoregression.toeplitz(rho / scale))
            pair = (axes, np.maximum(values, 0) * scale)
            self._waves[frames, device] = tuple(torch.from_numpy(v).float().to(device) for v in pair)  # type: ignore[assignment]
        return self._waves[frames, device]

    def joint_waves(self, frames: int) -> JointWaves | None:
        """Principal axes of the leading EOFs together; None if independent or the window is too long."""
        if not self.cross.shape[1] or frames > self.phi.shape[1] + 1:
            return None
        key = (frames, self.patterns.device)
        if key not in self._joint:
            self._joint[key] = JointWaves.of(self.lead_covariances(frames).to(self.cross), frames)
        return self._joint[key]

    def denoise(self, x_t: Tensor, sigma: Tensor, clock: Tensor) -> Tensor:
        """Exact E[x_0 | x_0 + sigma eps = x_t] of a window under this law.

        Args:
            x_t: ``[B, T, C, H, W]``, consecutive frames.
            sigma: noise level, ``[B]`` or a scalar.
            clock: ``[B, T, 2]`` or ``[1, T, 2]``.
        """
        mean = self.mean(clock)
        return (mean + self.shrink(x_t - mean, sigma)) * self.mask

    def shrink(self, a: Tensor, sigma: Tensor) -> Tensor:
        """The Wiener filter of anomalies ``[B, T, C, H, W]``."""
        return self._filter(a, sigma, kept)

    def hidden(self, eps: Tensor, sigma: Tensor) -> Tensor:
        """Draws of what noise of level sigma hides, of covariance (Sigma^-1 + I / sigma^2)^-1, from white noise."""
        return self._filter(eps, sigma, lost) * self.mask

    def _filter(self, a: Tensor, sigma: Tensor, gain_of: Gain) -> Tensor:
        """Multiply each principal axis of windows ``[B, T, C, H, W]`` by a function of its variance and sigma."""
        axes, variance = self.waves(a.shape[1])
        gain, k = gain_of(variance, sigma.reshape(-1, 1, 1).expand(len(a), 1, 1)), len(self.variance)
        joint = self.joint_waves(a.shape[1])
        rest = torch.einsum("gti,bgi,gsi->gbts", axes[k:], gain[:, k:], axes[k:])
        waves = self.bands(a)
        y = self.to_patterns(waves)
        noisy = y @ self.rotation
        lead = 0 if joint is None else self.cross.shape[1]
        z = torch.einsum("bsk,ksi->bki", noisy[..., lead:], axes[lead:k]) * gain[:, lead:k]
        z = torch.einsum("bki,kti->btk", z, axes[lead:k])
        if joint is not None:
            z = torch.cat([joint.filter(noisy[..., :lead], sigma, gain_of), z], dim=-1)
        y_0 = z @ self.rotation.T
        parts = []
        for number, g in enumerate(self.groups):
            outside = rest[number] @ waves[:, :, g.variable, g.span]
            inside = y_0[..., g.rows] - rest[number] @ y[..., g.rows]
            parts.append(outside + inside @ self.patterns[g.rows, g.span])
        out: Tensor = self.bands.inverse(self.joined(parts))
        return out

    def posterior_variance(self, sigma: Tensor, frames: int) -> Tensor:
        """Error variance of the Wiener denoiser, mean over valid cells, ``[B, T, C]``."""
        axes, variance = self.waves(frames)
        level = sigma.reshape(-1, 1, 1)
        left = torch.einsum("kti,bki->btk", axes**2, kept(variance, level)) * level**2
        joint = self.joint_waves(frames)
        if joint is not None:
            left = torch.cat([joint.posterior(sigma, frames), left[..., self.cross.shape[1] :]], dim=-1)
        return self._by_variable(*left.tensor_split([len(self.variance)], dim=-1))

    def tensors(self) -> Arrays:
        """All fitted arrays by name."""
        return {name: getattr(self, name).cpu().numpy() for name in TENSORS}

    def metadata(self) -> dict[str, Any]:
        """What the arrays do not say, ready for JSON."""
        return {"scaling": self.scaling.to_dict(), **self.harmonics.to_dict(), "step_hours": self.step}

    @classmethod
    def from_parts(cls, metadata: dict[str, Any], tensors: Arrays) -> "GaussianClimate":
        """The inverse of ``metadata`` and ``tensors``."""
        harmonics = Harmonics.from_dict(metadata)
        return cls(Scaling.from_dict(metadata["scaling"]), harmonics, float(metadata["step_hours"]), tensors)

    def to_dataset(self) -> xr.Dataset:
        """Everything as a Dataset, for Zarr or netCDF."""
        return packed(self.metadata(), self.tensors())

    @classmethod
    def from_dataset(cls, ds: xr.Dataset) -> "GaussianClimate":
        """The inverse of ``to_dataset``."""
        return cls.from_parts(*unpacked(ds))


def _double(x: Tensor) -> NDArray[np.float64]:
    return x.detach().cpu().numpy().astype(np.float64)
