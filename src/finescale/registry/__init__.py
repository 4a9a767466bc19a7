"""Models that earned their place: MLflow tracking, the registered model, promotion, lineage."""

from pathlib import Path


def served_path() -> Path:
    """The file that MLflow stores as the model's code."""
    return Path(__file__).with_name("served.py")
