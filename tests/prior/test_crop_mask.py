"""Crops of a field that is missing over the sea: some hold no value at all, and nothing becomes NaN by them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from red_world import red_world
from run_training import SPEC
from test_tiling import CROPPED, denoiser, windows

from finescale.errors import FinescaleError
from finescale.fields.context import Context
from finescale.prior.card import load_prior
from finescale.prior.objective import Noised, loss
from finescale.prior.training import train
from finescale.prior.validation import Validation

SEA = 8  # columns from the west: crops of 6 columns that begin in the first three hold no value
ALONE = replace(CROPPED, training=replace(SPEC.training, steps=24, batch=1, validate_every=10))


def test_a_field_with_a_sea_trains_on_crops_of_which_many_hold_no_value(tmp_path):
    fields = [red_world().dataset(frames, seed) for frames, seed in ((300, 1), (100, 2))]
    for ds in fields:
        ds["a"][..., :SEA] = np.nan
        ds["b"][..., :SEA] = np.nan
    torch.set_num_threads(1)
    said = []
    train(
        fields[0], None, ALONE, tmp_path / "prior", validation=fields[1], scratch=tmp_path / "scratch",
        on_log=lambda step, figures: said.append(figures),
    )  # fmt: skip
    prior = load_prior(tmp_path / "prior")
    assert all(torch.isfinite(p).all() for p in prior.denoiser.parameters())
    figures = [value for row in said for value in row.values()]
    assert figures
    assert np.isfinite(figures).all()


def at_sea(places):
    """A network of crops of 8 cells of a domain whose first ten columns are sea, and windows at some places."""
    made = denoiser(8)
    made.mask[..., :10] = False
    x, sigma, when = windows((8, 8), len(places))
    context = Context(when.clock, place=torch.tensor(places))
    x = x * made.valid(x, context)
    return made, Noised(x, x + sigma.view(-1, 1, 1, 1, 1), sigma, context)


def test_a_batch_without_a_valid_cell_costs_nothing_and_teaches_nothing():
    made, noised = at_sea([[0, 0], [4, 2]])
    value = loss(made, made, noised)
    assert float(value) == 0
    value.backward()
    assert all((p.grad == 0).all() for p in made.parameters() if p.grad is not None)


def test_one_valid_column_of_a_batch_counts_for_itself_alone():
    made, noised = at_sea([[0, 0], [4, 3]])
    alone = loss(made, made, noised)
    part = Noised(noised.x[1:], noised.x_t[1:], noised.sigma[1:], noised.context.rows(1, 2))
    assert float(alone) == pytest.approx(float(loss(made, made, part)), rel=1e-5)
    assert float(alone) > 0


def test_held_out_crops_are_judged_by_the_variables_that_they_hold():
    x, _, when = windows((8, 8), 2)
    mask = torch.ones(2, 2, 8, 8, dtype=torch.bool)
    mask[:, 1] = False
    half = Validation(x * mask[:, None], when.clock, mask, torch.ones(2), 0)
    bands = half.bands(lambda x_t, sigma, context: torch.zeros_like(x_t))
    own = float((x[:, :, 0] ** 2).mean())
    assert list(bands.values()) == pytest.approx([own] * len(bands), rel=1e-5)
    with pytest.raises(FinescaleError, match="none of the 2 held-out crops has one"):
        replace(half, mask=torch.zeros_like(mask))
