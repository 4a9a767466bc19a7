"""The names candidate, challenger and champion, and the order in which champions followed one another."""

from pathlib import Path

import mlflow
from mlflow import MlflowClient

from finescale.errors import FinescaleError
from finescale.registry import tracking

CHAMPION, CHALLENGER = "champion", "challenger"


def holder(root: Path, name: str, alias: str) -> str | None:
    """The version that has an alias now; None where none has."""
    tracking.connect(root)
    try:
        return str(MlflowClient().get_model_version_by_alias(name, alias).version)
    except mlflow.exceptions.MlflowException:
        return None


def resolve(root: Path, name: str, which: str) -> str:
    """The number of a version that is named by its alias or its number."""
    if not which.isdigit():
        found = holder(root, name, which)
        if found is None:
            raise FinescaleError(
                f"an alias belongs to a version: {name} has no {which}; name another or a number"
            )
        return found
    tracking.connect(root)
    return str(tracking.version_of(f"models:/{name}/{which}").version)


def challenge(root: Path, name: str, version: str) -> None:
    """Mark the version that is put against the champion."""
    tracking.connect(root)
    MlflowClient().set_registered_model_alias(name, CHALLENGER, version)


def crown(root: Path, name: str, version: str, before: str | None) -> None:
    """Make a version champion, and remember whom it follows."""
    tracking.connect(root)
    client = MlflowClient()
    client.set_model_version_tag(name, version, "follows", before or "none")
    client.set_registered_model_alias(name, CHAMPION, version)
    if holder(root, name, CHALLENGER) == version:
        client.delete_registered_model_alias(name, CHALLENGER)


def decided(root: Path, name: str, version: str, *, promoted: bool, reason: str) -> None:
    """Write the decision beside the version."""
    tracking.connect(root)
    text = f"{'promoted' if promoted else 'refused'}: {reason}"
    MlflowClient().set_model_version_tag(name, version, "decision", text[:4900])


def step_back(root: Path, name: str) -> tuple[str, str]:
    """Give the champion's place back to the one before; gives the numbers of both, the present one first."""
    present = resolve(root, name, CHAMPION)
    client = MlflowClient()
    before = client.get_model_version(name, present).tags.get("follows", "none")
    if before == "none":
        raise FinescaleError(
            f"a rollback needs an earlier champion: version {present} of {name} is the first; keep it"
        )
    client.set_model_version_tag(name, present, "decision", f"withdrawn: version {before} is champion again")
    client.set_registered_model_alias(name, CHAMPION, before)
    return present, before
