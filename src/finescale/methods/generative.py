"""A trained prior, a guidance and a sampler as a method: coarse data in, an ensemble of fine weather out."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from finescale.errors import FinescaleError
from finescale.fields.allocator import hand_back
from finescale.fields.lanes import lanes, side_by_side
from finescale.fields.noise import Noise
from finescale.grid.coarsening import Coarsening
from finescale.guidance import recipes
from finescale.guidance.activity import STAMPS
from finescale.guidance.between import Hourly, check_frames, frames
from finescale.guidance.conditions import Conditions, conditions
from finescale.guidance.covariance import covariance_of
from finescale.guidance.days import Days
from finescale.guidance.doubt import believed
from finescale.guidance.draws import Ahead, ClimateDraws, Finish
from finescale.guidance.following import Following, Powers
from finescale.guidance.guidance import Guidance
from finescale.guidance.matheron import GaussianPosterior
from finescale.guidance.nudge import PhysicsNudge
from finescale.guidance.recipes import GuidanceSpec
from finescale.guidance.scene import Scene
from finescale.guidance.solver import SamplerSpec, levels
from finescale.guidance.spread import Spread
from finescale.guidance.swing import Belief
from finescale.guidance.wave import Wave
from finescale.methods import shelf
from finescale.methods.downscaler import check_coarse
from finescale.methods.effort import Counter, Plan, seconds
from finescale.methods.ensemble import Layout, physical
from finescale.methods.kinds import OnOperator
from finescale.methods.stream import Held, Stream
from finescale.prior.card import Prior
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.window import WindowSpec

# Seconds between two notes of a streamed run.
NOTE_EVERY = 30.0
# Blocks after which free memory is handed back: what lies between arrays in use would grow to a fifth of the peak.
HAND_BACK = 4
# Hours up to which a series is one block.
WHOLE = 72
# Guidances that may take gradients, and then wider blocks.
DEAR = ("sda", "mmps")
# Forward passes that two backward passes take.
BACKWARD = 4


@dataclass(frozen=True)
class GenerativeDownscaler(OnOperator):
    """Draws from p(fine | coarse); see `Downscaler`.

    Attributes:
        prior: what fine weather looks like.
        coarsening: the operator H between the two grids.
        variables: names of the coarse fields that are read, with their units.
        sampler: the walk from noise to data.
        guidance: how the coarse data enter.
        windows: how windows cover the series.
        climate: the fitted linear-Gaussian climate, where the guidance or the start needs one; see `law`.
        pace: hours between frames of a prior of single frames; None takes the coarse step.
        context_weight: heed of the context; see `guidance.heed`.
        group: members drawn together.
        batch: windows, or tiles of windows, in one call of the network.
        overlap: cells that tiles of a prior with crop share; None for half a crop.
        spread: factors on the spread of draws given exact data, by variable; empty for ones. See `guidance.spread`.
        follow: powers by which bands of waves follow activity, beside `spread`. See `guidance.following`.
        swing: how far the coarse data of a day are believed on its cycle, by variable. See `guidance.swing`.
        device: where to compute.
    """

    prior: Prior
    coarsening: Coarsening
    variables: dict[str, str]
    sampler: SamplerSpec = field(default_factory=SamplerSpec)
    guidance: GuidanceSpec = field(default_factory=GuidanceSpec)
    windows: WindowSpec = field(default_factory=WindowSpec)
    climate: GaussianClimate | None = None
    pace: int | None = None
    context_weight: float = 1.0
    group: int = 4
    batch: int = 32
    overlap: int | None = None
    spread: tuple[float, ...] = ()
    follow: Powers = ()
    swing: Belief = ()
    device: str = "cpu"

    def __post_init__(self) -> None:
        self.prior.check_pairing(self.coarsening, self.variables)
        if self.climate is not None and self.climate.scaling != self.prior.scaling:
            raise FinescaleError(
                "the climate and the prior share one scaling: they were fitted to other data; fit both again"
            )
        check_frames(self.prior.window, self.sampler, self.guidance)
        self.prior.lay(self.overlap, self.batch)

    @property
    def margin(self) -> int:
        """Hours beyond a period that it depends on: the outermost block, which may be longer than the others.

        What reaches further, level by level, is screened by what is observed between: 6e-5 of the spread on the demo.
        """
        reach = self.guidance.reach * (2 if self.guidance.name in DEAR else 1)
        days = 2 * STAMPS * self.coarsening.every if self.guidance.follows else 0
        return 0 if self.prior.window == 1 else 2 * max(self.prior.window, reach) + days

    def __call__(
        self,
        coarse: xr.Dataset,
        *,
        members: int,
        seed: int,
        first: int = 0,
        scratch: Path | None = None,
        on_progress: Callable[[int, int], None] | None = None,
        beside: Sequence[xr.Dataset] = (),
    ) -> xr.Dataset:
        """Downscale.

        Args:
            coarse: fields ``[time, lat, lon]`` on the coarse grid; NaN cells are unobserved.
            members: of the ensemble.
            seed: decides every random draw.
            first: number of the first member.
            scratch: folder for a store that grows block by block; a killed run goes on from there. Without it
                the ensemble is held in memory.
            on_progress: called with network evaluations done and to be done.
            beside: other products that are met at the same time.

        Returns:
            Fields ``[member, time, lat, lon]``, hourly; lazy when a scratch folder is given.
        """
        given = self._check(coarse, members, beside)
        attrs, stamps = {name: coarse[name].attrs for name in self.prior.variables}, given.stamps()
        layout = Layout(range(first, first + members), stamps, self.fine, self.prior.variables, attrs)
        scene = self._scene(given, coarse)
        waves = self._waves(scene, members, seed, first)
        counter = Counter(sum(wave.evaluations[0] for wave in waves), on_progress)
        for wave in waves:
            wave.count = counter
        ensemble: Held | Stream = Held(layout)
        if scratch is not None:
            request = shelf.digest(self, [coarse, *beside], (first, members), seed)
            ensemble = Stream(scratch, request, layout)
        side_by_side([self._drawn(wave, scene, ensemble) for wave in waves], self.device)
        return ensemble.open()

    def plan(self, coarse: xr.Dataset, *, members: int) -> Plan:
        """What `__call__` will cost; times one batch of the network."""
        given = self._check(coarse, members)
        scene = self._scene(given, coarse)
        waves = self._waves(scene, members, 0)
        evaluations, gradients = (sum(wave.evaluations[i] for wave in waves) for i in (0, 1))
        windows, state = self.prior.windows(self.batch), self.prior.denoiser.mask.shape
        x = torch.zeros((windows, self.prior.window, *state), device=self.device)
        with torch.no_grad():
            took = seconds(lambda: scene.denoise(x, 1.0, [given.first] * windows))
        disk = 4 * members * given.stamps().size * len(self.prior.variables) * int(np.prod(self.fine.shape))
        held = max(wave.frames_held for wave in waves) * len(waves[0].members) * 4 * state.numel()
        minutes = (evaluations + BACKWARD * gradients) / windows * took / 60
        at_once = lanes(self.device, len(waves))
        return Plan(evaluations, minutes / at_once, at_once * held, disk)

    def save(self, folder: Path) -> None:
        """Write the card, the prior and the settings."""
        shelf.save(folder, self)

    @classmethod
    def load(cls, folder: Path) -> "GenerativeDownscaler":
        """Read back what `save` wrote."""
        return cls(**shelf.load(folder))

    def _check(self, coarse: xr.Dataset, members: int, beside: Sequence[xr.Dataset] = ()) -> Conditions:
        if members < 1:
            raise FinescaleError(f"an ensemble has one member or more: {members}; ask for at least 1")
        check_coarse(coarse, self.coarse, self.variables, gaps_allowed=True)
        scale = self.guidance.error_scale
        given = conditions(coarse, self.coarsening, self.prior.scaling, scale, self.prior.window, beside)
        if self.prior.window > 1 or self.prior.predictors is not None:
            return given
        return frames(given, self.pace or self.coarsening.every, self.law)

    @property
    def law(self) -> GaussianClimate | None:
        """The linear-Gaussian climate that guides: its own, or the one that the prior corrects."""
        return self.climate if self.climate is not None else self.prior.gaussian

    def _scene(self, given: Conditions, coarse: xr.Dataset) -> Scene:
        self.prior.lay(self.overlap, self.batch)
        weight, prior = self.guidance.physics, self.prior.on(self.device)
        nudge = PhysicsNudge.of(prior, self.coarsening, weight) if weight else None
        days = None
        # Draws follow the coarse data where these tell of the weather alone, not of an error of theirs.
        if self.guidance.follows and given.exact and self.law is not None:
            days, given = Days.of(given, self.law, self.fine, self.swing)
        return Scene(prior, given, coarse, self.device, self.context_weight, nudge, days)

    def _waves(self, scene: Scene, members: int, seed: int, first: int = 0) -> list[Wave]:
        one, every = self._wave(scene, seed), range(first, first + members)
        groups = [tuple(every[begin : begin + self.group]) for begin in range(0, members, self.group)]
        return [replace(one, members=m, states={}, means={}, memories={}) for m in groups]

    def _wave(self, scene: Scene, seed: int) -> Wave:
        covariance = None if self.law is None else covariance_of(self.law)
        linear = self.prior.codec.linear
        _, rows, columns = self.prior.denoiser.mask.shape
        noise = Noise(seed, self.prior.channels, (rows, columns), scene.given.pace, self.sampler.memory)
        given = believed(scene.given, self.law if linear else None, noise)
        guidance = recipes.build(
            self.guidance, self.prior.scaling, covariance, given, self.fine, linear=linear
        )
        wave = Wave(
            denoise=scene.denoise,
            windows=self.windows.build(self.prior.window),
            guidance=guidance,
            observation=replace(scene, given=given).observation(),
            levels=levels(self.sampler),
            noise=noise,
            members=(),
            first=given.first,
            stop=given.stop,
            block=self._block(given, guidance),
            batch=self.prior.windows(self.batch),
            device=self.device,
        )
        if covariance is not None and linear:
            y, clock, span = given.observation, given.clock(), (given.first, given.stop)
            posterior = GaussianPosterior(covariance, y, clock, noise, *span, wave.block, wave.block)
            wave.origin = {"mean": posterior.mean, "draw": posterior.sample}.get(self.sampler.start)
            if self.spread and scene.given.exact:
                activity = None if scene.days is None else scene.days.activity
                follow = Following.of(self.follow, activity, covariance, given.observation)
                wave.spread = Spread(torch.tensor(self.spread), posterior.mean, follow)
        elif self.sampler.start != "zero":
            raise FinescaleError(
                f"start {self.sampler.start} needs a Gaussian climate fitted to the states of the prior: none "
                "was given; choose zero"
            )
        if self.sampler.finish == "draw":
            if covariance is None or self.guidance.name != "gaussian-cov":
                raise FinescaleError(
                    "finish draw needs the covariance that guides: no Gaussian climate, or guidance "
                    f"{self.guidance.name}; choose gaussian-cov or finish mean"
                )
            anomalies = ClimateDraws(covariance.climate, noise, wave.levels[-1].sigma, use=1)
            wave.finish = Finish(anomalies, Ahead(anomalies, wave.block, given.first, given.stop))
        return wave

    def _block(self, given: Conditions, guidance: Guidance) -> int:
        """Frames a block: a short series whole, wider ones where gradients make margins dear."""
        if self.prior.window == 1:
            return max(self.batch // self.group, 1)
        if (whole := given.stop - given.first) <= WHOLE:
            return whole
        dear = any(guidance.backward(level) for level in levels(self.sampler))
        return self.guidance.reach * (2 if dear else 1)

    def _drawn(self, wave: Wave, scene: Scene, ensemble: Held | Stream) -> Iterator[None]:
        """Draw a group of members, from where an earlier run left off; each block is a step."""
        hourly, noted = Hourly(scene.given, self.law), time.monotonic()
        if (note := ensemble.found(wave.members)) is not None:
            front, tensors = note
            wave.restore(front, tensors)
            hourly.last = tensors.get("last")
            wave.count(wave.evaluations[0] * (front + 1) // wave.rounds)
        for done, (at, values) in enumerate(self._finished(wave, scene, hourly), 1):
            ensemble.write(wave.members, at, values)
            if done % HAND_BACK == 0:
                hand_back()
            if time.monotonic() - noted > NOTE_EVERY:
                ensemble.mark(wave.members, wave.front, wave.state() | hourly.state())
                noted = time.monotonic()
            yield
        ensemble.mark(wave.members, wave.front, {})
        wave.forget()

    def _finished(self, wave: Wave, scene: Scene, hourly: Hourly) -> Iterator[tuple[int, np.ndarray]]:
        """Blocks in physical units ``[member, time, variable, lat, lon]`` with their place among the wanted hours."""
        given, end, prior = scene.given, scene.given.stamps().size, self.prior
        for (first, _), x in wave.run():
            with torch.no_grad():
                at, hours = hourly(first, scene.fields(x, first))
            wanted = hours[:, max(-at, 0) : max(end - at, 0)].cpu().numpy()
            values = physical(wanted, prior.scaling, prior.valid)
            if not np.isfinite(values[..., prior.valid]).all():
                raise FinescaleError(
                    f"the sampler diverged near {given.time.values[first - given.first]}: lower sigma_max, add "
                    "steps or choose another guidance"
                )
            yield max(at, 0), values
