"""finescale."""
