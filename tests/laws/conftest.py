"""The Gaussian world of the benchmarks, for tests: one truth, two users."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


def load(name: str) -> ModuleType:
    """Import a file of the benchmarks by its name."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def worlds() -> ModuleType:
    """The module of the Gaussian world."""
    return load("gaussian_world")


@pytest.fixture(scope="session")
def tables(worlds: ModuleType) -> ModuleType:
    """The module that judges samplers by a posterior that is known."""
    return load("known_posterior")


@pytest.fixture(scope="session")
def tiling(worlds: ModuleType) -> ModuleType:
    """The module that measures seams of tiles."""
    return load("tiles")
