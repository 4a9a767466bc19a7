"""Reverse diffusion from noise to weather: noise levels, and the step from one to the next.

The state is in variance-exploding form, x_t = x_0 + sigma_t eps, and every step is elementwise in time and space:

    Euler = DDIM, eta 0     x_s = x̂_0 + (sigma_s / sigma_t) (x_t - x̂_0)             Song et al. 2021
    ancestral = DDPM        x_s = x̂_0 + (sigma_s / sigma_t)^2 (x_t - x̂_0) + noise   Ho et al. 2020
    renoise                 Euler whose direction is partly fresh noise, eta of it    Kawar et al. 2022
    heun                    Euler, then the mean of both slopes                       Karras et al. 2022
    2m = DPM-Solver++(2M)   Euler with x̂_0 extrapolated from the last two levels      Lu et al. 2022

One `Level` is one evaluation of the denoiser.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from torch import Tensor

from finescale.errors import FinescaleError
from finescale.prior.schedule import CosineSchedule, KarrasSchedule

Rule = Literal["euler", "ancestral", "renoise", "predict", "correct", "2m", "langevin"]
Memory = tuple[Tensor, ...]


@dataclass(frozen=True)
class SamplerSpec:
    """How to walk from noise to data; the field names are the keys of the settings.

    Attributes:
        solver: see the module.
        steps: steps, of one evaluation each (heun: two).
        grid: `karras` (rho 7 between the two sigmas), `log`, or `cosine` (the schedule of Schmidt et al. 2025,
            whose own ends are 1000 and 0.001, cut to the two sigmas).
        sigma_max: first noise level, in scaled units. Windows disagree on what is larger than they are, and do so
            the more the higher it is; a start from the fitted climate lets it be low.
        sigma_min: last noise level before zero.
        churn: share of the noise level that is refreshed after each step (Karras et al. 2022), 0 to 0.4.
        start: mean of the first state: `zero`, the posterior `mean` of the fitted climate, or a posterior `draw`.
        corrections: Langevin steps after each step (Schmidt et al. 2025, Song et al. 2021).
        tau: size of a Langevin step.
        eta: renoise: share of fresh noise, 0 to 1.
        memory: hours between two independent fields of noise; 0 draws every hour afresh.
        finish: what the last step ends in: the `mean` x̂_0, or a `draw` from the Gaussian of which x̂_0 is the mean and
            C_t of the fitted climate the covariance: what is smaller than sigma_min is then there.
    """

    solver: Literal["euler", "ancestral", "renoise", "heun", "2m"] = "2m"
    steps: int = 8
    grid: Literal["karras", "log", "cosine"] = "log"
    sigma_max: float = 20.0
    sigma_min: float = 0.02
    churn: float = 0.0
    start: Literal["zero", "mean", "draw"] = "mean"
    corrections: int = 0
    tau: float = 0.5
    eta: float = 0.85
    memory: int = 0
    finish: Literal["mean", "draw"] = "mean"


@dataclass(frozen=True)
class Level:
    """One evaluation of the denoiser and the step that follows it.

    Attributes:
        sigma: noise level of the state that is denoised.
        target: noise level after the step.
        refresh: standard deviation of fresh noise that is added after the step.
        rule: the step.
        ratio: `2m`: log step of the previous level over that of this one, 0 starts anew; `renoise`: share of the
            direction that is kept; `langevin`: tau.
        drawn: whether x_0 is a draw; see `SamplerSpec.finish`.
    """

    sigma: float
    target: float
    refresh: float
    rule: Rule
    ratio: float = 0.0
    drawn: bool = False

    @property
    def gain(self) -> float:
        """Derivative of the next state by x̂_0."""
        share = self.target / self.sigma
        return 1 - {"ancestral": share**2, "renoise": self.ratio * share}.get(self.rule, share)


def sigmas(spec: SamplerSpec) -> list[float]:
    """Noise levels ``[steps + 1]``, descending, the last one zero."""
    if spec.steps < 1 or not 0 < spec.sigma_min < spec.sigma_max:
        raise FinescaleError(
            f"noise descends over one step or more: {spec.steps} steps from {spec.sigma_max} to {spec.sigma_min}; "
            "choose sigma_max above sigma_min above 0"
        )
    if spec.grid == "karras":
        return KarrasSchedule(spec.sigma_min, spec.sigma_max).levels(spec.steps).tolist()
    if spec.grid == "cosine":
        levels = CosineSchedule().levels(spec.steps)[:-1].clamp(spec.sigma_min, spec.sigma_max)
        return [*sorted(set(levels.tolist()), reverse=True), 0.0]
    ratio = spec.sigma_min / spec.sigma_max
    return [*(spec.sigma_max * ratio ** (i / max(spec.steps - 1, 1)) for i in range(spec.steps)), 0.0]


def levels(spec: SamplerSpec) -> list[Level]:
    """The whole walk, one entry an evaluation."""
    grid = sigmas(spec)
    out: list[Level] = []
    sigma, step_before = grid[0], 0.0
    for i, target in enumerate(grid[1:]):
        if spec.solver == "heun" and target > 0:
            out += [Level(sigma, target, 0.0, "predict"), Level(target, sigma, 0.0, "correct")]
        elif spec.solver == "2m" and target > 0:
            step = math.log(sigma / target)
            out.append(Level(sigma, target, 0.0, "2m", step_before / step))
            step_before = step
        elif spec.solver == "renoise":
            out.append(Level(sigma, target, spec.eta * target, "renoise", math.sqrt(1 - spec.eta**2)))
        else:
            rule: Rule = "ancestral" if spec.solver == "ancestral" else "euler"
            fresh = target * math.sqrt(1 - (target / sigma) ** 2) if rule == "ancestral" else 0.0
            out.append(Level(sigma, target, fresh, rule))
        sigma = target
        if target > 0:
            for _ in range(spec.corrections):
                out.append(Level(sigma, sigma, sigma * math.sqrt(2 * spec.tau), "langevin", spec.tau))
            if spec.churn and i < len(grid) - 2:
                sigma = target * (1 + spec.churn)
                last = out[-1]
                extra = math.hypot(last.refresh, math.sqrt(sigma**2 - target**2))
                out[-1] = Level(last.sigma, last.target, extra, last.rule, last.ratio)
    if spec.finish == "draw":
        out[-1] = replace(out[-1], drawn=True)
    return out


def advance(level: Level, x: Tensor, x0: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
    """Step from the state at `level.sigma` to that at `level.target`, before any fresh noise.

    Args:
        level: which step.
        x: state, any shape.
        x0: its guided denoised mean, same shape.
        memory: what the previous level left for this one.
    """
    share = level.target / level.sigma
    if level.rule == "2m":
        mean = x0 if not (memory and level.ratio) else x0 + (x0 - memory[0]) / (2 * level.ratio)
        return mean + share * (x - mean), (x0,)
    if level.rule == "predict":
        return x0 + share * (x - x0), (x, (x - x0) / level.sigma)
    if level.rule == "correct":
        # Here level.sigma is the lower noise level; memory holds the state and slope at the upper one.
        before, slope = memory
        return before + (level.sigma - level.target) * (slope + (x - x0) / level.sigma) / 2, ()
    if level.rule == "ancestral":
        return x0 + share**2 * (x - x0), ()
    if level.rule == "renoise":
        return x0 + level.ratio * share * (x - x0), ()
    if level.rule == "langevin":
        return x - level.ratio * (x - x0), memory
    return x0 + share * (x - x0), ()
