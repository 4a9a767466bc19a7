"""``python -m finescale`` is the console script."""

from finescale.cli import main

main()
