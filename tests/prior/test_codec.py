"""Codecs: both ways, one after the other, and an autoencoder that learns what there is to compress."""

import pytest
import torch
from run_latent import SPEC, pairs

from finescale.errors import FinescaleError
from finescale.prior.autoencoder import Autoencoder
from finescale.prior.codec import Chain, Latent, Pixel, Residual
from finescale.prior.latentspec import AutoencoderSpec, LatentSpec
from finescale.prior.regression import Regression


@pytest.fixture(scope="module")
def parts():
    data = pairs()
    torch.manual_seed(0)
    mean = Regression(SPEC.mean.network, SPEC.context, data.places, data.scaling, data.predictors)
    batch = data.windows(data.validation, 2, 5)
    return data, Residual(mean, torch.tensor([0.3])), batch, batch.context(torch.device("cpu"))


def test_an_untrained_mean_is_the_interpolated_coarse_field(parts):
    data, residual, batch, context = parts
    with torch.no_grad():
        mean = residual.mean(context)
    now = batch.coarse[:, :, data.predictors.variables.index("tas")]
    kelvin = now * data.predictors.scale[0] + data.predictors.centre[0]
    wanted = data.places.rows @ kelvin @ data.places.columns.T
    found = mean[:, :, 0] * data.scaling.scale[0] + data.scaling.centre[0]
    assert torch.allclose(found, wanted, atol=1e-3)


def test_residual_and_pixel_lose_nothing(parts):
    _, residual, batch, context = parts
    with torch.no_grad():
        z = residual.encode(batch.x, context)
        assert torch.allclose(residual.decode(z, context), batch.x, atol=1e-5)
    assert Pixel().decode(Pixel().encode(batch.x, None), None) is batch.x
    assert (Pixel().linear, residual.linear, Chain([]).linear) == (True, False, True)


def test_a_chain_does_one_after_the_other_and_back(parts):
    data, residual, batch, context = parts
    coder = Autoencoder(1, AutoencoderSpec(factor=4, latent=16, width=8, blocks=1))
    chain = Chain([residual, Latent(coder, data.grid.shape)])
    with torch.no_grad():
        z = chain.encode(batch.x, context)
        assert z.shape == (5, 2, 16, 4, 4)
        assert torch.allclose(z[1, 1], coder.encode(residual.encode(batch.x, context)[1])[1], atol=1e-5)
        # An orthogonal linear map of full size is undone exactly.
        assert torch.allclose(chain.decode(z, context), batch.x, atol=1e-4)
        # One row of context serves a whole ensemble.
        members = z[:1].expand(3, -1, -1, -1, -1)
        assert torch.allclose(chain.decode(members, context.rows(0, 1))[2], batch.x[0], atol=1e-4)


@pytest.mark.parametrize("kl", [0.0, 1e-3])
def test_an_autoencoder_learns_patterns_that_fit_its_latents(kl):
    generator = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(16, 3, generator=generator))[0]

    def draw(count):
        codes = torch.randn(count, 3, 2, 3, generator=generator)
        cells = torch.einsum("pk,nkhw->nphw", basis, codes)
        return torch.nn.functional.pixel_shuffle(cells, 4) * (16 / 3) ** 0.5

    torch.manual_seed(0)
    coder = Autoencoder(1, AutoencoderSpec(factor=4, latent=4, width=16, blocks=1, kl=kl))
    optimizer = torch.optim.AdamW(coder.parameters(), 1e-2)
    for _ in range(150):
        x = draw(32)
        noise = torch.randn(32, 4, 2, 3, generator=generator)
        coder(x, noise, kl).backward()
        optimizer.step()
        optimizer.zero_grad()
    x = draw(64)
    with torch.no_grad():
        error = (coder.decode(coder.encode(x), 8, 12) - x).square().mean() / x.square().mean()
    assert float(error) < 0.25**2


def test_sides_that_the_factor_does_not_divide_come_back_whole():
    coder = Autoencoder(2, AutoencoderSpec(factor=4, latent=32, width=8, blocks=1))
    x = torch.randn(3, 2, 10, 13, generator=torch.Generator().manual_seed(0))
    z = coder.encode(x)
    assert z.shape[-2:] == coder.latent_shape(10, 13) == (3, 4)
    assert torch.allclose(coder.decode(z, 10, 13), x, atol=1e-4)


def test_what_does_not_compress_is_refused():
    with pytest.raises(FinescaleError, match="an autoencoder compresses: 17 numbers for 16 values"):
        Autoencoder(1, AutoencoderSpec(factor=4, latent=17))


def test_a_specification_survives_its_card():
    assert LatentSpec.from_dict(SPEC.to_dict()) == SPEC
