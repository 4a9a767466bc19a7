"""Noise belongs to its place, not to the order in which it is asked for."""

import numpy as np
import pytest
import torch
from scipy import stats

from finescale.errors import FinescaleError
from finescale.fields.noise import Noise, normals


def make(variables: tuple[str, ...] = ("psl", "tas")) -> Noise:
    return Noise(7, variables, (6, 5))


def test_noise_does_not_depend_on_what_else_is_drawn() -> None:
    whole = make()(range(4), range(100, 140))
    part = make()([2], range(110, 115))
    assert torch.equal(whole[2:3, 10:15], part)


def test_noise_belongs_to_the_name_of_a_variable() -> None:
    there = make(("uas", "tas"))([0], [5])
    assert torch.equal(make()([0], [5])[:, :, 1], there[:, :, 1])
    assert not torch.equal(make()([0], [5])[:, :, 0], there[:, :, 0])


@pytest.mark.parametrize(
    "other",
    [
        Noise(8, ("psl", "tas"), (6, 5))([0], [3]),
        make()([1], [3]),
        make()([0], [4]),
        make()([0], [3], stream=1),
        make()([0], [-3]),
    ],
    ids=["seed", "member", "hour", "stream", "negative hour"],
)
def test_every_part_of_the_key_counts(other: torch.Tensor) -> None:
    assert not torch.isclose(make()([0], [3]), other).any()


def test_noise_is_standard_normal_and_white() -> None:
    x = Noise(0, ("a",), (64, 64))(range(2), range(20)).double().numpy()
    assert abs(x.mean()) < 5 / x.size**0.5
    assert abs(x.var() - 1) < 5 * (2 / x.size) ** 0.5
    assert stats.kstest(x.ravel(), "norm").pvalue > 1e-3
    neighbours = (x[..., 1:] * x[..., :-1]).mean(), (x[:, 1:] * x[:, :-1]).mean(), (x[0] * x[1]).mean()
    assert max(map(abs, neighbours)) < 5 / (x.size / 2) ** 0.5


def test_the_stream_of_numbers_is_fixed() -> None:
    first = normals(1, 2, (3, 4, 5), 4)
    bits = np.random.Philox(key=[1, 2], counter=[0, 3, 4, 5]).random_raw(2)
    u = ((bits >> np.uint64(32)).astype(float) + 0.5) / 2**32
    angle = 2 * np.pi * (bits & np.uint64(2**32 - 1)).astype(float) / 2**32
    radius = np.sqrt(-2 * np.log(u))
    expected = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).ravel()
    np.testing.assert_allclose(first, expected, atol=2e-6)


def test_a_longer_draw_begins_with_a_shorter_one() -> None:
    assert np.array_equal(normals(0, 0, (0, 0, 0), 11)[:7], normals(0, 0, (0, 0, 0), 7))


def test_a_seed_has_64_bits() -> None:
    with pytest.raises(FinescaleError, match="seed"):
        Noise(-1, ("a",), (2, 2))


def test_noise_with_memory_turns_from_one_field_to_the_next() -> None:
    slow = Noise(0, ("a",), (64, 64), memory=12)
    x = slow(range(4), range(-12, 25)).double().numpy()[:, :, 0]
    assert (abs((x**2).mean((0, 2, 3)) - 1) < 5 * (2 / (4 * 64**2)) ** 0.5).all()
    together = [(x[:, 12] * x[:, 12 + k]).mean() for k in (0, 4, 8, 12)]
    np.testing.assert_allclose(together, np.cos(np.pi / 2 * np.array([0, 4, 8, 12]) / 12), atol=0.04)
    assert torch.equal(slow([2], [3, 17])[:, 1:], slow([2], [17]))


def test_frames_share_the_noise_of_their_hours() -> None:
    kw = {"memory": 8}
    hourly, sparse = Noise(0, ("a",), (3, 3), **kw), Noise(0, ("a",), (3, 3), step=6, **kw)
    assert torch.equal(sparse([0], [1, 2]), hourly([0], [6, 12]))
