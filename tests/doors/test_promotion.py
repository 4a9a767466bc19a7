"""The registry in service: a worse candidate is refused, a better one wins, a rollback restores; one winner of two."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mlflow
import pytest

from finescale.climate.subset import crop_period
from finescale.methods.bcsd import Bcsd
from finescale.pipeline import store
from finescale.registry import aliases, model, tracking
from finescale.service.promoting import promote, rollback

from .conftest import Project

Enter = Callable[..., str]


@pytest.fixture(scope="module")
def service(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of the finished project with its registry."""
    root = tmp_path_factory.mktemp("service") / "a project"
    shutil.copytree(finished.root, root, ignore=shutil.ignore_patterns(".prefect", "cache"))
    tracking.relocate(root / "mlruns")
    project = Project(root)
    project.set(promotion={"resamples": 200})
    return project


@pytest.fixture
def enter(service: Project, tmp_path: Path) -> Enter:
    """Register a method that was fitted to some days and spoilt by an offset; gives its version."""

    def register(name: str, days: tuple[str, str], offset: float = 0.0, waived: str = "") -> str:
        fine, coarse = (
            crop_period(store.open_dataset(service.root, n), days).compute()
            for n in ("reference", "coarse-reference")
        )
        fitted = Bcsd.fit(fine, coarse, harmonics=0)
        fitted.fine_climatology["tas"][..., 0, :, :] += offset
        fitted.save(tmp_path / name)
        candidate = model.Candidate(
            name="finescale", folder=tmp_path / name, beside={}, checkpoint=name, params={}, metrics={}, files={},
            sources=(), lineage={"waived": waived} if waived else {}, card=name,
            example={
                "time": ["2001-03-20T00:00", "2001-03-20T06:00"],
                "lat": list(fitted.coarse.lat), "lon": list(fitted.coarse.lon),
                **{v: coarse[v].isel(time=slice(0, 2)).values.tolist() for v in fitted.variables},
            },
        )  # fmt: skip
        return model.register(service.root, candidate)

    return register


SEEN = ("2001-01-01", "2001-02-28")
TEST = ("2001-03-16", "2001-03-29")  # the test block and what a climatology needs besides


def champion(project: Project) -> str | None:
    return aliases.holder(project.root, "finescale", "champion")


def test_worse_is_refused_better_wins_and_rollback_restores(service: Project, enter: Enter) -> None:
    first = champion(service)
    worse = enter("worse", SEEN, offset=5.0)
    decision = promote(service.root, worse)
    assert not decision.promoted
    assert "tas: CRPS" in decision.reason
    assert "is worse" in decision.reason
    assert champion(service) == first
    assert aliases.holder(service.root, "finescale", "challenger") == worse
    assert tracking.tags_of(service.root, "finescale", worse)["decision"].startswith("refused: ")

    better = enter("better", TEST)  # fitted to the very days it is judged on
    decision = promote(service.root, better)
    assert decision.promoted, decision.reason
    assert champion(service) == better
    assert (decision.proof["high"] < 0).all()

    said = rollback(service.root)
    assert champion(service) == first
    assert f"version {first} is champion again" in said
    done = service.finescale("rollback", check=False)
    assert done.returncode == 2
    assert "is the first; keep it" in done.stderr

    runs = mlflow.MlflowClient().search_runs([tracking.connect(service.root)], "tags.stage = 'promote'")
    assert {run.data.tags["promoted"] for run in runs} == {"true", "false"}
    files = {f.path for run in runs for f in mlflow.MlflowClient().list_artifacts(run.info.run_id)}
    assert {"proof", "decision"} <= files


def test_a_waived_gate_bars_the_way(service: Project, enter: Enter) -> None:
    before = champion(service)
    decision = promote(service.root, enter("waived", TEST, waived="ensemble/x/tas/max"))
    assert not decision.promoted
    assert "gates were waived" in decision.reason
    assert champion(service) == before


def test_two_at_the_same_time_end_in_one_winner(service: Project, enter: Enter) -> None:
    pair = [enter("left", TEST), enter("right", TEST)]
    with ThreadPoolExecutor(2) as pool:
        decisions = list(pool.map(lambda version: promote(service.root, version), pair))
    assert [d.promoted for d in decisions].count(True) == 1
    winner = next(d for d in decisions if d.promoted)
    assert champion(service) == winner.version
    loser = next(d for d in decisions if not d.promoted)
    assert loser.champion == winner.version, "it was judged against the winner, not against the one before"


def test_a_champion_leads_back_to_its_data(finished: Project) -> None:
    number = aliases.resolve(finished.root, "finescale", "champion")
    tags = tracking.tags_of(finished.root, "finescale", number)
    assert tags["data.reference"] == finished.locked()["data/reference.zarr"]
    assert tags["data.model-bcsd"] == finished.locked()["models/bcsd"]
    assert "hdl:21.14100/" in tags["source.raw-reference.tracking_id"]
    assert "commit" in tags
    version = mlflow.MlflowClient().get_model_version("finescale", number)
    assert "### Lineage" in version.description
    assert tags["data.reference"] in version.description
