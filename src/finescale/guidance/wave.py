"""Draw series of any length with bounded memory: all noise levels advance over time together, as a wave.

The hours are cut into blocks. To lift block b from noise level i to i + 1 only its neighbours at level i are needed,
so level i works two blocks behind level i - 1, and each block is finished, handed out and forgotten in turn:

    level 0   done done done done  b
    level 1   done done  b
    level 2    b                        the front moves one block to the right per round

Memory is levels x a few blocks, however long the series, and the result is exactly that of sweeping the
whole series level by level.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from finescale.fields.noise import Noise
from finescale.guidance.draws import Finish
from finescale.guidance.guidance import Guidance, Moment, OwnNoise
from finescale.guidance.observation import Observation
from finescale.guidance.solver import Level, Memory, advance
from finescale.guidance.spread import Spread
from finescale.prior.window import Windows

# Windows [B, T, C, H, W] at one noise level, with the first hour of each: their denoised means.
Denoise = Callable[[Tensor, float, list[int]], Tensor]


def blocks(first: int, stop: int, length: int) -> list[tuple[int, int]]:
    """Cut [first, stop) at multiples of `length`; no block is shorter than `length` unless it is the only one."""
    inner = range(first + (-first) % length, stop, length)
    edges = [edge for edge in inner if edge - first >= length and stop - edge >= length]
    return list(zip([first, *edges], [*edges, stop], strict=True))


@dataclass
class Wave:
    """The state of a run that draws some members over the hours [first, stop).

    Attributes:
        denoise: the prior on windows.
        windows: how windows cover the series.
        guidance: how the observation enters.
        observation: what was observed.
        levels: the walk from noise to data.
        noise: the source of all randomness.
        members: numbers of the members.
        first: first absolute hour.
        stop: one past the last hour.
        block: hours a block, at least the window and the reach of the guidance.
        batch: windows in one call of the denoiser.
        device: where the state lives.
        count: called with the number of windows after each call of the denoiser.
        origin: mean of the first state for some members and hours ``[M, T, C, H, W]``; zero without it.
        finish: what the denoised mean lacks, for a level that draws.
        spread: what is done to each finished block, given its first hour.
    """

    denoise: Denoise
    windows: Windows
    guidance: Guidance
    observation: Observation
    levels: list[Level]
    noise: Noise
    members: tuple[int, ...]
    first: int
    stop: int
    block: int
    batch: int = 64
    device: torch.device | str = "cpu"
    count: Callable[[int], None] = lambda n: None
    origin: Callable[[tuple[int, ...], int, int], Tensor] | None = None
    finish: Finish | None = None
    spread: Spread | None = None
    front: int = -1
    states: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    means: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    memories: dict[tuple[int, int], Memory] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.block = max(self.block, self.windows.size, self.guidance.reach)
        self.blocks = blocks(self.first, self.stop, self.block)
        self._starts = {s: self.windows.starts(self.first, self.stop, s) for s in self._shifts()}
        self._weights = {s: torch.from_numpy(self.windows.weights(v)) for s, v in self._starts.items()}

    @property
    def rounds(self) -> int:
        """Rounds until the last block is done."""
        return len(self.blocks) + 2 * len(self.levels) - 1

    @property
    def evaluations(self) -> tuple[int, int]:
        """Windows that the denoiser will be given for all members: in all, and those that carry gradients."""
        plain = with_gradient = 0
        for i, level in enumerate(self.levels):
            if self.guidance.backward(level):
                for b in range(len(self.blocks)):
                    with_gradient += len(self.windows.starts(*self._stretch(b), self._shift(i)))
            else:
                plain += len(self._starts[self._shift(i)])
        return (plain + with_gradient) * len(self.members), with_gradient * len(self.members)

    def _stretch(self, b: int) -> tuple[int, int]:
        """The hours of a block with its margins."""
        first, stop = self.blocks[b]
        return max(self.first, first - self.guidance.reach), min(self.stop, stop + self.guidance.reach)

    @property
    def frames_held(self) -> int:
        """Frames of one member that are in memory at once: states, means and the solver's memory."""
        return min(8 * self.block, 2 * (self.stop - self.first)) * len(self.levels)

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore` needs besides `front`, by name."""
        out = {f"state/{i}/{b}": x for (i, b), x in self.states.items()}
        out |= {f"mean/{i}/{b}": x for (i, b), x in self.means.items()}
        for (i, b), memory in self.memories.items():
            out |= {f"memory/{i}/{b}/{n}": x for n, x in enumerate(memory)}
        return out

    def restore(self, front: int, tensors: dict[str, Tensor]) -> None:
        """Go on after round `front` with the tensors that `state` gave then."""
        self.forget()
        self.front = front
        for name in sorted(tensors):
            kind, *place = name.split("/")
            if kind in ("state", "mean"):
                where = self.states if kind == "state" else self.means
                where[int(place[0]), int(place[1])] = tensors[name].to(self.device)
            elif kind == "memory":
                at = (int(place[0]), int(place[1]))
                self.memories[at] = (*self.memories.get(at, ()), tensors[name].to(self.device))

    def forget(self) -> None:
        """Free all tensors."""
        self.states.clear()
        self.means.clear()
        self.memories.clear()

    @torch.no_grad()
    def run(self) -> Iterator[tuple[tuple[int, int], Tensor]]:
        """Yield each block's hours and its finished state ``[M, T, C, H, W]``, in order of time."""
        while self.front < self.rounds - 1:
            done = self.advance_front()
            if done is not None:
                yield done

    @torch.no_grad()
    def advance_front(self) -> tuple[tuple[int, int], Tensor] | None:
        """Do one round; return the block that it finished, if any."""
        finished = None
        for i, level in enumerate(self.levels):
            ahead, here = self.front - 2 * i + 1, self.front - 2 * i
            if 0 <= ahead < len(self.blocks) and not self.guidance.backward(level):
                self._denoise_block(i, ahead)
            if 0 <= here < len(self.blocks):
                self._lift(i, here)
                if i == len(self.levels) - 1:
                    x = self.states.pop((i + 1, here))
                    finished = (self.blocks[here], self.spread(x, self.blocks[here][0]) if self.spread else x)
        self.front += 1
        return finished

    def _shift(self, level: int) -> int:
        return level if self.windows.shift else 0

    def _shifts(self) -> range:
        return range(len(self.levels)) if self.windows.shift else range(1)

    def _state(self, level: int, b: int) -> Tensor:
        if level == 0 and (0, b) not in self.states:
            white = self.noise(self.members, range(*self.blocks[b])).to(self.device)
            segment = self.observation.segment(*self.blocks[b], members=self.members)
            if isinstance(self.guidance, OwnNoise) and segment is not None:
                start = self.guidance.start(white, self.levels[0], segment)
            else:
                start = white * self.levels[0].sigma
            if self.origin is not None:
                start += self.origin(self.members, *self.blocks[b]).to(start)
            self.states[0, b] = start
        return self.states[level, b]

    def _denoise_block(self, i: int, b: int) -> None:
        """Give the windows that start in block b to the denoiser and add their shares to the means."""
        first, stop = self.blocks[b]
        near = [n for n in (b, b + 1) if n < len(self.blocks)]
        x = torch.cat([self._state(i, n) for n in near], 1)
        for n in near:
            if (i, n) not in self.means:
                self.means[i, n] = self._nothing(i, n)
        starts, weights = self._starts[self._shift(i)], self._weights[self._shift(i)]
        chosen = [j for j, s in enumerate(starts.tolist()) if first <= s < stop]
        shares = self._windows(x, [int(starts[j]) - first for j in chosen], first, self.levels[i].sigma)
        total = torch.zeros_like(x)
        for j, mean in zip(chosen, shares, strict=True):
            at = int(starts[j]) - first
            weight = weights[j].to(x)[:, None, None, None]
            total[:, at : at + self.windows.size] += weight * mean
        self.means[i, b] += total[:, : stop - first]
        if len(near) > 1:
            self.means[i, b + 1] += total[:, stop - first :]

    def _nothing(self, i: int, b: int) -> Tensor:
        """What the shares of the windows are added to."""
        if self.levels[i].drawn and self.finish is not None:
            return self.finish(self.members, *self.blocks[b]).to(self.states[i, b])
        return torch.zeros_like(self.states[i, b])

    def _windows(self, x: Tensor, at: list[int], first: int, sigma: float) -> list[Tensor]:
        """Denoise the windows of x that begin at frames `at`; returns one ``[M, w, C, H, W]`` for each."""
        size, members = self.windows.size, len(x)
        pairs = [(a, m) for a in at for m in range(members)]
        out: list[Tensor] = []
        for begin in range(0, len(pairs), self.batch):
            part = pairs[begin : begin + self.batch]
            windows = torch.stack([x[m, a : a + size] for a, m in part])
            out += self.denoise(windows, sigma, [first + a for a, _ in part]).unbind()
            self.count(len(part))
        return [torch.stack(out[k * members : (k + 1) * members]) for k in range(len(at))]

    def _lift(self, i: int, b: int) -> None:
        """Guide block b at level i and step it to level i + 1."""
        level, (first, stop) = self.levels[i], self.blocks[b]
        near = [n for n in (b - 1, b, b + 1) if 0 <= n < len(self.blocks)]
        begin, end = self._stretch(b)
        cut = slice(begin - self.blocks[near[0]][0], end - self.blocks[near[0]][0])
        x = torch.cat([self._state(i, n) for n in near], 1)[:, cut]
        segment = self.observation.segment(begin, end, self.members)
        own = slice(first - begin, stop - begin)
        if self.guidance.backward(level) and segment is not None:
            with torch.enable_grad():
                x_t = x.requires_grad_()
                x_0 = self._whole(x_t, begin, end, i)
            pull = lambda v: torch.autograd.grad(x_0, x_t, v, retain_graph=True)[0]  # noqa: E731
            guided = self.guidance(Moment(x_t.detach(), x_0.detach(), level, segment, own, pull))
        elif self.guidance.backward(level):
            guided = self._whole(x, begin, end, i)[:, own]
        else:
            x_0 = torch.cat([self.means[i, n] for n in near], 1)[:, cut]
            guided = x_0[:, own]
            if segment is not None:
                finish = self.finish if level.drawn else None
                error = None if finish is None else finish.errors(self.members, segment).to(x_0)
                guided = self.guidance(Moment(x, x_0, level, segment, own, error=error))
        memory = self.memories.pop((i - 1, b), ())
        new, kept = advance(level, x.detach()[:, own], guided.to(x.dtype), memory)
        if kept and i < len(self.levels) - 1:
            self.memories[i, b] = kept
        if level.refresh:
            white = self.noise(self.members, range(first, stop), i + 1).to(new)
            if isinstance(self.guidance, OwnNoise) and segment is not None:
                new = new + self.guidance.fresh(white, level, segment)
            else:
                new = new + level.refresh * white
        self.states[i + 1, b] = new
        for old in (b - 1, b) if b == len(self.blocks) - 1 else (b - 1,):
            self.states.pop((i, old), None)
            self.means.pop((i, old), None)

    def _whole(self, x: Tensor, begin: int, end: int, i: int) -> Tensor:
        """The composed denoised mean of a stretch by itself, differentiable."""
        starts = self.windows.starts(begin, end, self._shift(i))
        weights = torch.from_numpy(self.windows.weights(starts)).to(x)
        means = self._windows(x, [int(s) - begin for s in starts], begin, self.levels[i].sigma)
        out = torch.zeros_like(x)
        for s, weight, mean in zip(starts.tolist(), weights, means, strict=True):
            pad = (0, 0, 0, 0, 0, 0, s - begin, end - s - self.windows.size)
            out = out + torch.nn.functional.pad(weight[:, None, None, None] * mean, pad)
        return out
