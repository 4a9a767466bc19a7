"""A prior folder: what went in comes out, and a dataset that does not fit is refused with the reason."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from finescale.errors import FinescaleError
from finescale.fields.context import Context
from finescale.fields.scaling import Scaling
from finescale.prior.backbone import build_denoiser
from finescale.prior.card import grid_of, load_prior, update_card, write_prior
from finescale.prior.gaussian import GaussianClimate
from finescale.prior.schedule import KarrasSchedule
from finescale.prior.spec import NetworkSpec, PriorSpec

SPEC = PriorSpec(
    ("a", "b"), window=3, context=("zenith",), network=NetworkSpec(channels=(8,), blocks=(1,), embedding=16)
)


@pytest.fixture(scope="module")
def written(world, tmp_path_factory):
    """A Wiener prior with random weights, and its folder."""
    ds = world.dataset(400, 1)
    scaling = Scaling.fit(ds, SPEC.variables)
    climate = GaussianClimate.fit(ds, scaling, modes=20, order=2)
    denoiser = build_denoiser(
        SPEC,
        mask=climate.mask,
        static=torch.zeros(0, 12, 12),
        position=torch.rand(2, 12, 12),
        centre=torch.zeros(2),
        spread=torch.ones(2),
        gaussian=climate,
    )
    with torch.no_grad():
        for i, p in enumerate(denoiser.parameters()):
            p.add_(0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(i)))
    folder = tmp_path_factory.mktemp("priors") / "one"
    card = {
        "spec": SPEC.to_dict(),
        "scaling": scaling.to_dict(),
        "schedule": KarrasSchedule().to_dict(),
        "centre": [0.0, 0.0],
        "spread": [1.0, 1.0],
        "grid": grid_of(ds),
        "units": {"a": "K", "b": "K"},
        "step_hours": 1.0,
        "codec": "pixel",
        "bf16": False,
    }
    write_prior(folder, denoiser, card)
    return denoiser, folder


def test_loaded_denoiser_gives_identical_numbers(written):
    denoiser, folder = written
    prior = load_prior(folder)
    x = torch.randn(1, 3, 2, 12, 12)
    when = Context(torch.rand(1, 3, 2))
    assert torch.equal(prior.denoiser(x, torch.tensor([0.4]), when), denoiser(x, torch.tensor([0.4]), when))
    assert prior.gaussian is not None
    assert prior.schedule == KarrasSchedule()
    assert (prior.card["codec"], prior.context, prior.step) == ("pixel", ("zenith",), 1.0)


def test_folder_is_byte_deterministic_and_has_no_pickle(written, tmp_path):
    denoiser, folder = written
    card = json.loads((folder / "card.json").read_text())
    write_prior(
        tmp_path / "two", denoiser, {k: v for k, v in card.items() if k not in ("format", "gaussian")}
    )
    names = sorted(p.name for p in folder.iterdir())
    assert names == ["card.json", "weights.safetensors"]
    for name in names:
        assert (tmp_path / "two" / name).read_bytes() == (folder / name).read_bytes()


def test_card_takes_entries(written, tmp_path):
    denoiser, _ = written
    write_prior(tmp_path / "three", denoiser, {"units": {}})
    update_card(tmp_path / "three", {"unconditional": {"melr": 0.1}})
    card = json.loads((tmp_path / "three" / "card.json").read_text())
    assert card["unconditional"] == {"melr": 0.1}
    assert card["units"] == {}


def test_climate_of_an_older_version_is_filled_in(written, tmp_path):
    denoiser, folder = written
    old = load_file(folder / "weights.safetensors")
    for name in ("season", "wander"):
        del old[f"gaussian.{name}"]
    shutil.copytree(folder, tmp_path / "old")
    save_file(old, tmp_path / "old" / "weights.safetensors")
    x, when = torch.randn(1, 3, 2, 12, 12), Context(torch.rand(1, 3, 2))
    prior = load_prior(tmp_path / "old")
    assert prior.gaussian is not None
    assert torch.equal(prior.gaussian.size(when.clock), torch.ones(1, 3, 2))
    assert torch.equal(prior.denoiser(x, torch.tensor([0.4]), when), denoiser(x, torch.tensor([0.4]), when))


REFUSED = {
    "unit": (lambda ds: ds.assign(a=ds["a"].assign_attrs(units="degC")), "a must be in 'K': it is in 'degC'"),
    "variable": (lambda ds: ds.drop_vars("b"), "b is missing"),
    "grid": (
        lambda ds: ds.assign_coords(lat=ds["lat"] + 1),
        "12 lat from 45 to 50.5: the data have 12 from 46",
    ),
    "size": (lambda ds: ds.isel(lon=slice(0, 8)), "the data have 8 from 0 to 3.5"),
    "step": (lambda ds: ds.isel(time=slice(None, None, 6)), "a step of 1 h: the data have 6 h"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused(written, world, case):
    spoil, message = REFUSED[case]
    prior = load_prior(written[1])
    ds = world.dataset(24, 0)
    prior.check(ds)
    with pytest.raises(FinescaleError, match=message):
        prior.check(spoil(ds))


def test_missing_and_foreign_folders_are_refused(written, tmp_path):
    with pytest.raises(FinescaleError, match="nothing has none; train the prior first"):
        load_prior(tmp_path / "nothing")
    write_prior(tmp_path / "old", written[0], {})
    update_card(tmp_path / "old", {"format": 0})
    with pytest.raises(FinescaleError, match="format 2: old has 0"):
        load_prior(tmp_path / "old")


def test_scaling_is_inverted_exactly(written):
    prior = load_prior(written[1])
    x = np.random.default_rng(0).normal(280, 10, (3, 2, 12, 12)).astype(np.float32)
    np.testing.assert_allclose(prior.scaling.invert(prior.scaling.apply(x)), x, rtol=2e-7)
