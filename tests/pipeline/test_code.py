"""What code stands behind a stage is listed by hand; here it is compared with what the stage imports."""

import ast
from pathlib import Path

import pytest

from finescale.pipeline.ledger import ledger
from finescale.pipeline.stage import Stage
from finescale.pipeline.workspace import presets, read_preset
from finescale.settings import Settings, load_settings
from finescale.settings.reading import check, compose, merge

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "finescale"
STAGES = "pipeline/stages/"
# Taken for a constant or a helper that reads an artefact: listed where it is imported, and not looked into.
LEAVES = (
    "bias/observation_error.py",
    "climate/catalogue.py",
    f"{STAGES}score.py",
)
# Methods that the stages of all methods import and only their own use.
OF_ONE = {"bcsd": "methods/bcsd.py", "bilinear": "methods/bilinear.py"}
# What every stage runs under, and no result depends on.
COMMON = (
    "errors.py",
    "settings/",
    *(f"pipeline/{name}.py" for name in ("stage", "lockfile", "recipe", "sources")),
)


def chosen(preset: str) -> Settings:
    """The settings of the project under a preset."""
    if not preset:
        return load_settings(ROOT / "params.yaml")
    own = compose("params.yaml", (ROOT / "params.yaml").read_text(encoding="utf-8"))
    return check(merge(own, read_preset(ROOT, preset)))


def imported(path: str, function: str = "") -> set[str]:
    """Files that a file imports; of those in its functions, where one is named, that one's only."""
    tree = ast.parse((SOURCE / path).read_text(encoding="utf-8"))
    if function:
        tree.body = [n for n in tree.body if not isinstance(n, ast.FunctionDef) or n.name == function]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("finescale"):
            base = node.module.removeprefix("finescale").strip(".").replace(".", "/")
            names = [f"{base}.py", *(f"{base}/{alias.name}.py".lstrip("/") for alias in node.names)]
            found |= {name for name in names if (SOURCE / name).is_file()}
    return found


def behind(stage: Stage) -> set[str]:
    """All files that a stage imports, near and far."""
    module, _, function = stage.run.partition(".")
    own = f"{STAGES}{module}.py"
    foreign = {path for name, path in OF_ONE.items() if name != function}
    seen, todo = {own}, sorted(imported(own, function) - foreign)
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += [] if path in LEAVES else sorted(imported(path))
    return {path for path in seen if not path.startswith(COMMON)}


@pytest.mark.parametrize("preset", ["", *presets(ROOT)])
def test_every_file_behind_a_stage_is_listed(preset: str) -> None:
    missing, settings = {}, chosen(preset)
    for stage in ledger(settings):
        section = settings.downscale.sections.get(stage.options.get("method", ""))
        unused = (
            "scores/" if section and section.calibrate is None else "-"
        )  # what validation days say is not asked
        inside = tuple(f"{path}/" for path in stage.code)
        found = [p for p in sorted(behind(stage)) if not p.startswith((*inside, unused))]
        lost = [p for p in found if p not in stage.code]
        if lost:
            missing[stage.name] = lost
    assert missing == {}
