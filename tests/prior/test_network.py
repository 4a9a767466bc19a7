"""The network: its layers against plain ones, any grid, any batch, context that can be dropped."""

from dataclasses import replace

import pytest
import torch

from finescale.errors import FinescaleError
from finescale.fields.context import Context
from finescale.prior.backbone import build_backbone, build_denoiser, parameters
from finescale.prior.network import ChannelNorm
from finescale.prior.spec import SCHMIDT, SCHMIDT_NETWORK, NetworkSpec, PriorSpec

TINY = NetworkSpec(channels=(8, 16), blocks=(1, 1), attention=1, embedding=16)
CONTEXT = ("height", "land", "zenith", "year", "day")


def stirred(module):
    """Leave the zero initialisation, where nothing depends on anything."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=generator))
    return module


def build(network, context=(), window=3, height=12, width=12):
    spec = PriorSpec(("a", "b"), window=window, context=context, preconditioning="edm", network=network)
    still = sum(name in ("height", "land") for name in context)
    generator = torch.Generator().manual_seed(1)
    return stirred(
        build_denoiser(
            spec,
            mask=torch.ones(2, height, width, dtype=torch.bool),
            static=torch.randn(still, height, width, generator=generator),
            position=40 * torch.rand(2, height, width, generator=generator),
            centre=torch.zeros(2),
            spread=torch.ones(2),
        )
    )


def some(batch=2, window=3, height=12, width=12):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(batch, window, 2, height, width, generator=generator)
    return x, torch.tensor([0.3, 2.0])[:batch], Context(torch.rand(batch, window, 2, generator=generator))


def test_fused_norm_is_the_plain_one():
    norm = stirred(ChannelNorm(6, 4))
    x, emb = torch.randn(2, 6, 5, 7), torch.randn(2, 4)
    scale, shift = norm.modulate(emb).chunk(2, dim=1)
    plain = (x - x.mean(1, keepdim=True)) / torch.sqrt(x.var(1, unbiased=False, keepdim=True) + 1e-5)
    wanted = plain * (1 + scale[..., None, None]) + shift[..., None, None]
    assert torch.allclose(norm(x, emb), wanted, atol=1e-5)


@pytest.mark.parametrize("size", [(12, 12), (17, 33), (9, 10)])
@pytest.mark.parametrize("patch", [1, 2])
def test_any_grid(size, patch):
    denoiser = build(replace(TINY, patch=patch), height=size[0], width=size[1])
    x, sigma, when = some(height=size[0], width=size[1])
    assert denoiser(x, sigma, when).shape == x.shape


@pytest.mark.parametrize("architecture", ["unet", "azula-unet", "azula-vit"])
def test_windows_of_a_batch_do_not_mix(architecture):
    if architecture != "unet":
        pytest.importorskip("azula")
    denoiser = build(replace(TINY, architecture=architecture), context=CONTEXT)
    x, sigma, when = some()
    together = denoiser(x, sigma, when)
    for i in range(2):
        alone = denoiser(x[i : i + 1], sigma[i : i + 1], Context(when.clock[i : i + 1]))
        assert torch.allclose(alone[0], together[i], atol=1e-5)


@pytest.mark.parametrize("tokens", [0, 8])
def test_context_matters_until_it_is_dropped(tokens):
    denoiser = build(replace(TINY, tokens=tokens), context=CONTEXT)
    x, sigma, when = some()
    noon = Context(torch.full((2, 3, 2), 0.5))
    assert not torch.allclose(denoiser(x, sigma, when), denoiser(x, sigma, noon), atol=1e-3)
    dropped = torch.zeros(2, dtype=torch.bool)
    one = denoiser(x, sigma, Context(when.clock, dropped))
    two = denoiser(x, sigma, Context(noon.clock, dropped))
    assert torch.equal(one, two)
    kept = denoiser(x, sigma, Context(when.clock, torch.ones(2, dtype=torch.bool)))
    assert torch.equal(kept, denoiser(x, sigma, when))


class Silent(torch.nn.Module):
    """A backbone that has nothing to say."""

    def forward(self, x, emb, tokens):
        return torch.zeros(len(x), 6, *x.shape[-2:])


def test_gains_hand_each_form_of_the_state_through():
    network, (x, _, when) = build(TINY, context=CONTEXT).network, some()
    network.backbone, network.gain = Silent(), torch.nn.Linear(16, 4)
    torch.nn.init.zeros_(network.gain.weight)
    network.gain.bias.data = torch.tensor([1.0, 2.0, 3.0, 4.0])
    a, b = x.unbind(2)
    through = network(torch.cat([x, -x], dim=2), torch.zeros(2), when)
    assert torch.allclose(through, torch.stack([a - 3 * a, 2 * b - 4 * b], dim=2))


def test_each_static_field_is_felt():
    denoiser = build(TINY, context=CONTEXT)
    x, sigma, when = some()
    before = denoiser(x, sigma, when)
    for field in range(2):
        denoiser.network.static[field] += 1
        assert not torch.allclose(denoiser(x, sigma, when), before, atol=1e-3)
        denoiser.network.static[field] -= 1


def test_published_size_builds_and_runs_a_step():
    """72.10 M parameters in Schmidt et al. (2025); ours differ by the modulation."""
    inputs = SCHMIDT.window * len(SCHMIDT.variables)
    backbone, divisor = build_backbone(SCHMIDT_NETWORK, inputs + 1, inputs)
    assert abs(parameters(backbone) / 72.1e6 - 1) < 0.15
    assert divisor == 16
    x = torch.randn(1, inputs + 1, 16, 16, requires_grad=True)
    value = stirred(backbone)(x, torch.randn(1, 512), None).square().mean()
    value.backward()
    assert torch.isfinite(x.grad).all()
    assert x.grad.abs().max() > 0


def test_foreign_backbones_have_no_cross_attention():
    with pytest.raises(FinescaleError, match="set tokens to 0"):
        build_backbone(NetworkSpec(architecture="azula-unet", tokens=8), 4, 4)


def test_wiener_needs_a_climate():
    spec = PriorSpec(("a", "b"), window=3, network=TINY)
    with pytest.raises(FinescaleError, match="fit one first or choose preconditioning edm"):
        build_denoiser(
            spec,
            mask=torch.ones(2, 12, 12, dtype=torch.bool),
            static=torch.zeros(0, 12, 12),
            position=torch.zeros(2, 12, 12),
            centre=torch.zeros(2),
            spread=torch.ones(2),
        )


def test_specification_survives_the_card():
    import json

    assert PriorSpec.from_dict(json.loads(json.dumps(SCHMIDT.to_dict()))) == SCHMIDT
