"""`dvc.yaml`, rendered from the ledger: the graph is never written twice."""

from pathlib import Path

import yaml

from finescale.errors import FinescaleError
from finescale.pipeline.lockfile import PARAMS, forget, recorded
from finescale.pipeline.stage import Stage
from finescale.pipeline.store import path_of
from finescale.settings import Settings, given

HEADER = "# Rendered from src/finescale/pipeline/ledger.py by `finescale dvcfile`; do not edit.\n"
SOURCE = "src/finescale"


def render(stages: tuple[Stage, ...], settings: Settings) -> str:
    """The text of dvc.yaml for these stages under these settings."""
    body: dict[str, object] = {"stages": {s.name: _stage(s, settings) for s in stages}}
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
    return HEADER + yaml.safe_dump(body, sort_keys=False, width=110)


def _stage(stage: Stage, settings: Settings) -> dict[str, object]:
    deps = [path_of(name) for name in stage.reads] + [f"{SOURCE}/{path}" for path in stage.code]
    outs = [path_of(name) for name in stage.writes if name != "metrics"]
    entry: dict[str, object] = {"cmd": f"finescale stage {stage.name}", "deps": deps}
    if params := _params(stage, settings):
        entry["params"] = params
    entry["outs"] = outs
    if "metrics" in stage.writes:
        entry["metrics"] = [path_of("metrics")]
    return entry


def _params(stage: Stage, settings: Settings) -> list[str]:
    """What DVC compares of the settings: it refuses a parameter that the file leaves to its default.

    DVC sees a key that is added to this list, but none that leaves it; `write` sees to those.
    """
    return [name for name in stage.settings if given(settings, name)]


def write(root: Path, stages: tuple[Stage, ...], settings: Settings) -> bool:
    """Bring dvc.yaml up to date; tells whether it changed.

    A stage that last ran under a key which its default stands in for now is taken out of dvc.lock, so that it counts
    as stale; where DVC's cache knows it under the default, it is restored.
    """
    before = {name: entry.get("params", {}).get(PARAMS, {}) for name, entry in recorded(root).items()}
    forget(root, [s.name for s in stages if {*before.get(s.name, ())} - {*_params(s, settings)}])
    path, text = root / "dvc.yaml", render(stages, settings)
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    draft = path.with_suffix(".yaml.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return True


def check(root: Path, stages: tuple[Stage, ...], settings: Settings) -> None:
    """Raise unless dvc.yaml is what the settings ask for."""
    path = root / "dvc.yaml"
    if not path.is_file() or path.read_text(encoding="utf-8") != render(stages, settings):
        raise FinescaleError("dvc.yaml must follow params.yaml: they differ; run `finescale dvcfile`")
