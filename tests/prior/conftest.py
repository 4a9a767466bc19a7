"""Fixtures of the prior's tests; programs that tests start as processes lie beside them, hence the path."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from red_world import World, red_world


@pytest.fixture(scope="session")
def world() -> World:
    return red_world()


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
