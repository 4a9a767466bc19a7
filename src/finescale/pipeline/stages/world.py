"""Stage ``world``: make the invented world and its catalogue."""

from finescale.climate import twin
from finescale.pipeline.desk import Desk


def make_world(desk: Desk) -> None:
    """Write the world's stores and catalogue."""
    world = desk.setting("world")
    twin.build(desk.new("world"), **world.model_dump())
