"""Tiles of a domain against the whole of it, where the denoised mean of each is known exactly."""

from functools import cache

import pytest

from finescale.guidance.mmps import Mmps
from finescale.guidance.none import Unguided
from finescale.prior.tiling import Tiles

DOMAIN, TILE, MEMBERS = 32, 16, 24
# The world is a torus: at its edges the whole sees across, and tiles do not.
INNER = (..., slice(6, -6), slice(6, -6))


def laid(overlap, power=3):
    return Tiles(TILE, (DOMAIN, DOMAIN), overlap=overlap, batch=512, power=power)


@pytest.fixture(scope="module")
def drawn(worlds, tiling):
    """Draws by the whole (None) or by tiles, of the same noise."""
    # Fields of one hour that forget within a few cells.
    world = worlds.GaussianWorld(frames=1, n=DOMAIN, factor=4, length=1.0)
    network = tiling.exact_tile(world, TILE)

    @cache
    def found(guided, tiles):
        denoise = world.denoise if tiles is None else tiling.by_tiles(network, tiles)
        return tiling.drawn(world, denoise, Mmps(1, reach=1) if guided else Unguided(), MEMBERS)

    return found


@pytest.mark.parametrize("guided", [False, True])
def test_tiles_draw_what_the_whole_draws(drawn, tiling, guided) -> None:
    """Draw for draw nearly the same field, in mean, in variance, and without seams."""
    whole, tiled = drawn(guided, None), drawn(guided, laid(8))
    seams = tiling.edges(laid(8))
    assert seams == {8, 16, 24}
    spread = whole.std(0).mean()
    error = (tiled - whole)[INNER]
    assert error.square().mean().sqrt() < 0.02 * spread
    assert error.mean(0).square().mean().sqrt() < 0.01 * spread
    assert 0.99 < tiled[INNER].var(0).mean() / whole[INNER].var(0).mean() < 1.01
    assert 0.97 < tiling.seam_ratio(tiled, seams) / tiling.seam_ratio(whole, seams) < 1.03


@pytest.mark.parametrize(("overlap", "power"), [(0, 3), (8, 1)])
def test_tiles_that_do_not_overlap_or_fade_too_slowly_show(drawn, tiling, overlap, power) -> None:
    """What the law above would miss if it could not fail."""
    tiles = laid(overlap, power)
    seams = tiling.edges(tiles)
    assert tiling.seam_ratio(drawn(False, tiles), seams) > 1.05 * tiling.seam_ratio(drawn(False, None), seams)
