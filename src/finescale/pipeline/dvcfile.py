"""`dvc.yaml`, rendered from the ledger: the graph is never written twice."""

from pathlib import Path
from typing import Any

import yaml

from finescale.errors import FinescaleError
from finescale.pipeline.lockfile import PARAMS, forget, recorded
from finescale.pipeline.sources import inside, local
from finescale.pipeline.stage import Stage
from finescale.pipeline.store import path_of
from finescale.settings import Settings, declared, given

HEADER = "# Rendered from src/finescale/pipeline/ledger.py by `finescale dvcfile`; do not edit.\n"
SOURCE = "src/finescale"
DIFFER = "dvc.yaml must follow params.yaml: they differ; run `finescale dvcfile`"


def render(root: Path, stages: tuple[Stage, ...], settings: Settings) -> str:
    """The text of dvc.yaml for these stages under these settings, with the user's files that are there now."""
    return HEADER + yaml.safe_dump(_body(root, stages, settings), sort_keys=False, width=110)


def _body(root: Path, stages: tuple[Stage, ...], settings: Settings) -> dict[str, Any]:
    body: dict[str, Any] = {"stages": {s.name: _stage(root, s, settings) for s in stages}}
    written = {name for s in stages for name in s.writes}
    if "skill" in written:
        plots: list[dict[str, object]] = [
            {
                path_of("skill"): {
                    "template": "bar_horizontal_sorted",
                    "x": "crps",
                    "y": "method",
                    "title": "CRPS",
                }
            },
        ]
        if (
            "figures" in written
        ):  # pictures show without the network, from which DVC's charts take their script
            plots += [{f"{path_of('figures')}/skill.png": {"title": "CRPS with its intervals"}}]
        body["plots"] = plots
    models = [name for name in sorted(written) if name.startswith("model-")]
    if models:
        body["artifacts"] = {name: {"path": path_of(name), "type": "model"} for name in models}
    return body


def _stage(root: Path, stage: Stage, settings: Settings) -> dict[str, object]:
    # A default that changes is a setting that changes, and the file that declares it is all that shows it.
    schema = sorted({f"settings/{path}" for name in stage.settings for path in declared(settings, name)})
    deps = _data(root, stage) + [f"{SOURCE}/{path}" for path in (*stage.code, *schema)]
    outs = [path_of(name) for name in stage.writes if name != "metrics"]
    entry: dict[str, object] = {"cmd": f"finescale stage {stage.name}", "deps": deps}
    if params := _params(stage, settings):
        entry["params"] = params
    entry["outs"] = outs
    if "metrics" in stage.writes:
        entry["metrics"] = [path_of("metrics")]
    return entry


def _data(root: Path, stage: Stage) -> list[str]:
    """The artefacts and the user's files behind a stage."""
    return [path_of(name) for name in stage.reads] + [inside(root, path) for path in local(root, stage)]


def _params(stage: Stage, settings: Settings) -> list[str]:
    """What DVC compares of the settings: it refuses a parameter that the file leaves to its default.

    DVC sees a key that is added to this list, but none that leaves it; `_gone` does.
    """
    return [name for name in stage.settings if given(settings, name)]


def write(root: Path, stages: tuple[Stage, ...], settings: Settings) -> bool:
    """Bring dvc.yaml up to date; tells whether it changed.

    A stage that last ran under a key which its default stands in for now, or on a file which is not there any more, is
    taken out of dvc.lock, so that it counts as stale; where DVC's cache knows it without, it is restored.
    """
    before = recorded(root)
    forget(
        root, [s.name for s in stages if _gone(before.get(s.name, {}), _data(root, s), _params(s, settings))]
    )
    path, text = root / "dvc.yaml", render(root, stages, settings)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    draft = path.with_suffix(".yaml.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return True


def _gone(before: dict[str, Any], data: list[str], params: list[str]) -> set[str]:
    """Settings and data that a stage's last run has had and its next one would not: DVC asks only of those listed."""
    read = {dep["path"] for dep in before.get("deps", []) if not dep["path"].startswith(f"{SOURCE}/")}
    had: set[str] = {*before.get("params", {}).get(PARAMS, {})}
    return (read - {*data}) | (had - {*params})


def check(root: Path, stages: tuple[Stage, ...], settings: Settings) -> None:
    """Raise unless dvc.yaml is what the settings ask for."""
    path = root / "dvc.yaml"
    if not path.is_file() or path.read_text(encoding="utf-8") != render(root, stages, settings):
        raise FinescaleError(DIFFER)


def check_settings(root: Path, stages: tuple[Stage, ...], settings: Settings) -> None:
    """Raise where dvc.yaml is there and was rendered for other settings; files that came meanwhile do not matter."""
    path = root / "dvc.yaml"
    if path.is_file():
        there = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if _asked(there) != _asked(_body(root, stages, settings)):
            raise FinescaleError(DIFFER)


def _asked(body: dict[str, Any]) -> dict[str, Any]:
    """Of each stage what follows from the settings: all but its inputs."""
    return {
        name: {key: value for key, value in entry.items() if key != "deps"}
        for name, entry in body.get("stages", {}).items()
    }
