"""Stage ``world``: make the invented world and its catalogue."""

from finescale.climate.twin.build import build
from finescale.pipeline.desk import Desk


def make(desk: Desk) -> None:
    """Write the world's stores and catalogue."""
    world = desk.setting("world")
    build(desk.new("world"), **world.model_dump(mode="json"))
