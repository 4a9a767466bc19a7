"""Sections on what is learned and drawn: climate, priors, samplers, guidances."""

from typing import Literal

from pydantic import Field, model_validator

from finescale.settings.section import Name, Section


class Climate(Section):
    """The linear-Gaussian climate fitted to the training period."""

    scaling: Literal["mean-std", "quant95"] = "mean-std"
    modes: int = Field(768, ge=2, description="Joint patterns (EOFs) kept over all variables.")
    joint: int = Field(
        256, ge=0, description="Leading patterns whose courses in time may depend on one another."
    )
    order: int = Field(
        8, ge=1, le=48, description="Lags that each pattern's autoregression reproduces exactly."
    )
    sketch_every: int = Field(
        4, ge=1, description="Frames between two that the search for patterns looks at."
    )
    annual: int = Field(2, ge=0, le=6, description="Harmonics of the year in the mean.")
    diurnal: int = Field(3, ge=0, le=11, description="Harmonics of the day in the mean.")


class Network(Section):
    """Size of a prior's network; see `finescale.prior.spec.NetworkSpec`."""

    architecture: Literal["unet", "azula-unet", "azula-vit"] = "unet"
    channels: tuple[int, ...] = Field(
        (32, 64, 64), min_length=1, description="Width of each level, fine to coarse."
    )
    blocks: tuple[int, ...] = Field((2, 2, 2), min_length=1, description="Residual blocks of each level.")
    attention: int = Field(1, ge=0, description="Deepest levels with self-attention.")
    heads: int = Field(2, ge=1)
    patch: int = Field(
        1, ge=1, description="Cells along each side of what becomes one cell of the first level."
    )
    embedding: int = Field(128, ge=8)
    tokens: int = Field(0, ge=0, description="Width of context tokens for cross-attention; 0 for none.")
    harmonics: int = Field(2, ge=1, le=8, description="Waves of the year and of the day that it is told.")
    compile: bool = False

    @property
    def divisor(self) -> int:
        """What a crop must be a multiple of, in cells of the first level's grid before patches."""
        return 4 if self.architecture == "azula-vit" else self.patch * 2 ** (len(self.channels) - 1)


class Training(Section):
    """The recipe of a prior's training; see `finescale.prior.spec.TrainingSpec`."""

    steps: int = Field(1500, ge=1)
    batch: int = Field(32, ge=1, description="Windows a step.")
    accumulate: int = Field(1, ge=1)
    learning_rate: float = Field(2e-3, gt=0)
    warmup: int = Field(100, ge=0)
    decay: Literal["power", "linear", "constant"] = "power"
    weight_decay: float = Field(1e-4, ge=0)
    clip: float = Field(1.0, gt=0)
    ema: float = Field(0.99, ge=0, lt=1)
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    drop_context: float = Field(0.1, ge=0, lt=1)
    noise_mean: float = -0.3
    noise_std: float = Field(1.5, gt=0)
    noise_tail: float = Field(0.1, ge=0, le=1)
    validate_every: int = Field(500, ge=0)
    validation_windows: int = Field(64, ge=1)
    patience: int = Field(0, ge=0)
    checkpoint_every: int = Field(500, ge=1)
    folds: int | None = Field(
        None,
        ge=1,
        description="Parts of the period, each learned from with a climate fitted without it; left out, up to four.",
    )


class Prior(Section):
    """What fine weather looks like, to be learned; see `finescale.prior.spec.PriorSpec`."""

    kind: Literal["pixel"] = "pixel"
    window: int = Field(9, ge=1, description="Consecutive frames modelled jointly.")
    context: tuple[str, ...] = ()
    scaling: Literal["mean-std", "quant95"] = "mean-std"
    objective: Literal["denoise", "epsilon"] = "denoise"
    preconditioning: Literal["wiener", "edm"] = "wiener"
    crop: int | None = Field(
        None,
        ge=1,
        description="Cells along each side of random crops to train on, where the domain is too large for the network;"
        " all of the domain if left out.",
    )
    network: Network = Network()
    training: Training = Training()


class Sampler(Section):
    """How a prior is walked from noise to data; see `finescale.guidance.solver.SamplerSpec`."""

    solver: Literal["euler", "ancestral", "renoise", "heun", "2m"] = "2m"
    steps: int = Field(16, ge=1, le=2000)
    grid: Literal["karras", "log", "cosine"] = "log"
    sigma_max: float = Field(40.0, gt=0)
    sigma_min: float = Field(0.02, gt=0)
    churn: float = Field(0.0, ge=0, le=0.4)
    start: Literal["zero", "mean", "draw"] = "mean"
    corrections: int = Field(0, ge=0, description="Langevin steps after each step.")
    tau: float = Field(0.5, gt=0, description="Size of a Langevin step.")
    eta: float = Field(0.85, ge=0, le=1, description="Share of fresh noise of the solver renoise.")
    memory: int = Field(
        0, ge=0, description="Hours between two independent fields of noise; 0 draws every hour afresh."
    )
    finish: Literal["mean", "draw"] = Field(
        "mean", description="End in the denoised mean, or in a draw of what the last noise level still hides."
    )


class Guide(Section):
    """How the coarse data enter; see `finescale.guidance.recipes.GuidanceSpec`."""

    name: Literal["none", "sda", "sda-published", "mmps", "project", "gaussian-cov", "dps", "ucg", "ddrm"] = (
        "gaussian-cov"
    )
    gamma: float | None = Field(None, gt=0)
    std: dict[Name, float] = Field(
        default_factory=dict,
        description="Standard deviation of sda by variable, in scaled units; R if left out.",
    )
    gradient: Literal["detached", "exact"] = "detached"
    iterations: int = Field(1, ge=0)
    above: float = Field(0.0, ge=0)
    zeta: float = Field(0.3, gt=0, description="Length of the step of dps and ucg.")
    limit: bool = Field(
        False, description="Whether steps of dps and ucg end where they are nearest to the data."
    )
    residual: Literal["fine", "coarse"] = Field("fine", description="On which grid ucg compares.")
    scales: tuple[int, ...] = Field(
        (), description="Common scales of ucg in fine cells; empty for the model's own."
    )
    by_latitude: bool = Field(True, description="Whether ucg weighs rows by the cosine of latitude.")
    eta_b: float = Field(1.0, ge=0, le=1, description="Weight of the observation in ddrm.")
    activity: bool = Field(
        True, description="Whether draws of gaussian-cov are as active as the coarse data of their days."
    )
    reach: int = Field(24, ge=0, description="Hours on either side of a block whose observations count.")
    physics: float = Field(
        0.0, ge=0, description="Length of the step towards physics, over the expected error; latent priors."
    )
    error_scale: float = Field(
        1.0,
        ge=0,
        description="Factor on the estimated standard error of the coarse data (R); 0 takes them as exact.",
    )


class Windows(Section):
    """How windows cover a series; see `finescale.prior.window.WindowSpec`."""

    stride: int | None = Field(None, ge=1)
    blend: Literal["centre", "taper"] = "taper"
    shift: bool = False


class Search(Section):
    """Constants to be chosen on the validation block before the method runs; all combinations are tried."""

    gamma: tuple[float, ...] = Field((), description="Candidates of guidance.gamma.")
    std: tuple[float, ...] = Field(
        (),
        description="Candidates of sda's standard deviation, in scaled units; chosen variable by variable.",
    )
    zeta: tuple[float, ...] = Field((), description="Candidates of guidance.zeta.")
    error_scale: tuple[float, ...] = Field(
        (), description="Candidates of guidance.error_scale; tried on coarse data blurred by the estimated R."
    )
    churn: tuple[float, ...] = Field((), description="Candidates of sampler.churn.")
    hours: int = Field(
        48, ge=12, description="Hours searched on; as many at the end of the block tell the gain."
    )
    members: int = Field(4, ge=2)
    steps: int | None = Field(
        None, ge=1, description="Steps of the sampler during the search; its own if left out."
    )

    @property
    def candidates(self) -> dict[str, tuple[float, ...]]:
        """What is tried, by name."""
        return {name: getattr(self, name) for name in ("gamma", "std", "zeta", "error_scale", "churn")}

    @model_validator(mode="after")
    def _something_is_tried(self) -> "Search":
        if not any(self.candidates.values()):
            raise ValueError(f"a search needs candidates: give a list of {', '.join(self.candidates)}")
        return self


class Calibrate(Section):
    """The spread of draws of gaussian-cov, mended by what days of the past had.

    How far the cycle of a day goes as its coarse data tell (`guidance.swing`) and how far bands of waves follow its
    activity (`guidance.following`) is told by the training block, how wide draws are beside their errors by the
    validation block (`guidance.spread`).
    """

    members: int = Field(4, ge=2)
    days: int = Field(
        30, ge=5, description="Of the validation block at most; of a longer one, stretches of five days."
    )
    swing: bool = Field(
        True, description="Whether the daily cycle goes as far as the coarse data of a day tell."
    )


class Generative(Section):
    """A method made of a prior, a guidance and a sampler."""

    prior: Name
    answer: Literal["draws", "mean"] = Field(
        "draws", description="Draws, or the mean of a latent prior's reference network: one member."
    )
    sampler: Sampler = Sampler()
    guidance: Guide = Guide()
    windows: Windows = Windows()
    pace: int | None = Field(
        None, ge=1, description="Hours between frames of a prior of single frames; left out, the coarse step."
    )
    context_weight: float = Field(
        1.0, ge=0, description="1 heeds the context, 0 ignores it, more exaggerates it (at twice the cost)."
    )
    search: Search | None = Field(None, description="Constants to be chosen on the validation block first.")
    calibrate: Calibrate | None = Field(
        None, description="Whether the spread is mended by what it was on days of the past."
    )
    group: int = Field(4, ge=1, description="Members drawn together.")
    batch: int = Field(32, ge=1, description="Windows, or tiles of windows, in one call of the network.")
    overlap: int | None = Field(
        None,
        ge=0,
        description="Cells that neighbouring tiles of a prior with crop share: as many as its network sees on both "
        "sides of a cell, or seams show; half a crop if left out.",
    )

    @model_validator(mode="after")
    def _the_climate_has_a_mean_to_stand_from(self) -> "Generative":
        if self.calibrate is not None and (self.answer == "mean" or self.guidance.name != "gaussian-cov"):
            raise ValueError(
                f"calibrate is for draws of gaussian-cov: answer is {self.answer}, guidance {self.guidance.name}; "
                "leave it out"
            )
        return self
