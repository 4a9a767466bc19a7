"""Fixtures that every room's tests may use."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real weather and climate files; skips where it is missing."""
    folder = Path(os.environ.get("FINESCALE_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder.name} is missing; set FINESCALE_REAL_DATA to its folder")
    return folder
