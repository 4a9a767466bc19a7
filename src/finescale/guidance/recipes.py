"""Names to guidances: what the settings may ask for."""

from dataclasses import dataclass
from typing import Literal

from finescale.errors import FinescaleError
from finescale.fields.scaling import Scaling
from finescale.grid.grid import Grid
from finescale.guidance.conditions import Conditions
from finescale.guidance.covariance import ClimateCovariance
from finescale.guidance.ddrm import Ddrm
from finescale.guidance.dps import Dps
from finescale.guidance.gaussian_cov import GaussianCov
from finescale.guidance.guidance import Guidance
from finescale.guidance.mmps import Mmps
from finescale.guidance.none import Unguided
from finescale.guidance.project import Project
from finescale.guidance.sda import Sda, published
from finescale.guidance.ucg import Ucg, by_latitude, ladder_of

Name = Literal["none", "sda", "sda-published", "mmps", "project", "gaussian-cov", "dps", "ucg", "ddrm"]


# Guidances whose formula holds for a linear operator only.
LINEAR = ("mmps", "project", "gaussian-cov", "ddrm")


@dataclass(frozen=True)
class GuidanceSpec:
    """How the observation enters; the field names are the keys of the settings.

    The default lets the fitted climate guide alone. Gradients (`mmps`) come closer to the posterior with a prior of
    the whole series; with windows they fall behind, because the gradient of a window ends where the window does.

    Attributes:
        name: which guidance.
        gamma: sda: variance of H x_0 given x_t over sigma_t^2; None takes diag(H H^T).
        std: sda: standard deviation of the observation by variable, in units of the scaling; empty takes R.
        gradient: sda: through the network (`exact`) or not.
        iterations: mmps: conjugate-gradient steps after the first guess of the fitted climate.
        above: mmps: noise level above which gradients are used; below it the fitted climate guides.
        precondition: mmps: start from the fitted climate.
        zeta: dps, ucg: length of the step.
        limit: dps, ucg: never step beyond the point nearest to the observation.
        residual: ucg: on which grid fields are compared.
        scales: ucg: common scales in fine cells; empty for the model's own, several for a ladder.
        by_latitude: ucg: weigh the rows of the fine grid by the cosine of their latitude.
        eta_b: ddrm: weight of the observation where the noise level is above its error.
        activity: gaussian-cov: whether draws are as active as the coarse data of their days, where these have no error
            of their own; see `guidance.activity`.
        reach: hours on either side of a block whose observations are used.
        physics: length of the step towards physics, over the expected error; see `guidance.nudge`.
        error_scale: factor on the standard error of the coarse data, for recalibration.
    """

    name: Name = "gaussian-cov"
    gamma: float | None = None
    std: tuple[tuple[str, float], ...] = ()
    gradient: Literal["detached", "exact"] = "detached"
    iterations: int = 0
    above: float = 3.0
    precondition: bool = True
    zeta: float = 0.3
    limit: bool = False
    residual: Literal["fine", "coarse"] = "fine"
    scales: tuple[int, ...] = ()
    by_latitude: bool = True
    eta_b: float = 1.0
    activity: bool = True
    reach: int = 24
    physics: float = 0.0
    error_scale: float = 1.0

    @property
    def follows(self) -> bool:
        """Whether draws are as active as the coarse data of their days."""
        return self.activity and self.name == "gaussian-cov"


def build(
    spec: GuidanceSpec,
    scaling: Scaling,
    covariance: ClimateCovariance | None,
    given: Conditions,
    fine: Grid,
    *,
    linear: bool = True,
) -> Guidance:
    """The guidance that a specification names.

    Args:
        spec: what is asked for.
        scaling: of the prior.
        covariance: of the fitted climate, for those that need it.
        given: the request.
        fine: grid of the state.
        linear: whether the observation is linear in the state, as it is unless states are decoded.
    """
    if not linear and (spec.name in LINEAR or (spec.name == "sda" and spec.gamma is None)):
        raise FinescaleError(
            f"{spec.name} needs an observation that is linear in the state: this prior decodes latents; choose "
            "none, dps, ucg or sda with a gamma"
        )
    if spec.name == "none":
        return Unguided()
    if spec.name == "project":
        return Project()
    if spec.name == "dps":
        return Dps(spec.zeta, spec.limit)
    if spec.name == "ucg":
        climate = None if covariance is None else covariance.climate
        weights = by_latitude(fine) if spec.by_latitude else None
        return Ucg(
            ladder_of(given, fine, spec.scales, climate), spec.zeta, weights, spec.residual, spec.limit
        )
    if spec.name == "ddrm":
        return Ddrm(spec.eta_b)
    if spec.name == "sda-published":
        return published(scaling)
    if spec.name == "sda":
        reach = spec.reach if spec.gradient == "exact" else 0
        return Sda(spec.gamma, _stds(spec, scaling), spec.gradient, reach)
    if spec.name == "mmps" and not spec.precondition:
        return Mmps(spec.iterations, reach=spec.reach)
    if covariance is None:
        raise FinescaleError(
            f"{spec.name} needs a fitted Gaussian climate: none was given; fit one or choose sda"
        )
    if spec.name == "mmps":
        return Mmps(spec.iterations, covariance, spec.above, spec.reach)
    return GaussianCov(covariance, spec.reach)


def _stds(spec: GuidanceSpec, scaling: Scaling) -> tuple[float, ...] | None:
    if not spec.std:
        return None
    given = dict(spec.std)
    if set(given) != set(scaling.variables):
        raise FinescaleError(
            f"std names every variable once: got {sorted(given)}, the prior has {sorted(scaling.variables)}; "
            "complete the list or leave it out"
        )
    return tuple(given[name] for name in scaling.variables)
