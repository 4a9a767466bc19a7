"""The import direction of the rooms, read from the source itself."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "finescale"
FLOWS = SOURCE.parents[1] / "flows"
# Each rank may import from lower ranks and from itself.
RANKS = [
    {"errors"},
    {"grid"},
    {"climate", "fields"},
    {"quality", "bias", "prior"},
    {"guidance"},
    {"methods"},
    {"scores"},
    {"report"},
    {"registry"},
    {"settings"},
    {"pipeline"},
    {"service"},  # what happens to a built model; needs the pipeline's store and settings, and no door
    {"cli", "flows"},
]
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}
# A library: the rooms (or files) that may know it.
ONLY = {
    "prefect": {"flows"},
    "prefect_dask": {"flows"},
    "dvc": {"pipeline"},
    "typer": {"cli"},
    "mlflow": {"registry"},
    "torch": {"fields", "prior", "guidance", "methods/generative.py", "methods/stream.py"},
}


def imports(path: Path) -> list[str]:
    """Every module that a file imports, anywhere in it."""
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            if node.module == "finescale":
                found += [f"finescale.{alias.name}" for alias in node.names]
    return found


def room_of(module: str) -> str | None:
    """The room of one of our modules; None for others."""
    parts = module.split(".")
    if parts[0] == "flows":
        return "flows"
    ours = parts[0] == "finescale" and len(parts) > 1
    return parts[1] if ours and parts[1] != "__version__" else None


def wrong_arrows(files: dict[Path, str]) -> list[str]:
    """Imports that go up, or sideways between rooms of one rank."""
    wrong = []
    for path, home in files.items():
        for module in imports(path):
            room = room_of(module)
            if room is None or room == home:
                continue
            if RANK[room] > RANK[home] or (
                RANK[room] == RANK[home] and RANK[home] > 0 and home not in RANKS[-1]
            ):
                wrong.append(f"{path.name} of {home} imports {module}")
    return wrong


def sources() -> dict[Path, str]:
    """Every file of ours and its room."""
    files = {
        p: p.relative_to(SOURCE).parts[0].removesuffix(".py")
        for p in SOURCE.rglob("*.py")
        if p.parent != SOURCE
    }
    files |= {p: p.stem for p in SOURCE.glob("*.py") if p.stem not in ("__init__", "__main__")}
    return files | dict.fromkeys(FLOWS.rglob("*.py"), "flows")


def test_rooms_import_only_downwards() -> None:
    files = sources()
    assert len(files) > 50
    assert wrong_arrows(files) == []


def test_an_arrow_turned_round_is_found(tmp_path: Path) -> None:
    upward = tmp_path / "upward.py"
    upward.write_text("from finescale.pipeline import store\n", encoding="utf-8")
    sideways = tmp_path / "sideways.py"
    sideways.write_text("import finescale.bias.correction\n", encoding="utf-8")
    assert wrong_arrows({upward: "grid"})[0] == "upward.py of grid imports finescale.pipeline"
    assert wrong_arrows({upward: "cli"}) == []
    assert wrong_arrows({sideways: "quality"}) == ["sideways.py of quality imports finescale.bias.correction"]


@pytest.mark.parametrize("library", sorted(ONLY))
def test_a_library_stays_in_its_room(library: str) -> None:
    allowed = ONLY[library]
    strangers = [
        str(path.relative_to(SOURCE.parents[1]))
        for path, room in sources().items()
        if any(module.split(".")[0] == library for module in imports(path))
        and room not in allowed
        and path.relative_to(SOURCE if room != "flows" else FLOWS).as_posix() not in allowed
    ]
    assert strangers == []


def test_flows_are_short() -> None:
    long = {
        p.name: n for p in FLOWS.glob("*.py") if (n := len(p.read_text(encoding="utf-8").splitlines())) > 80
    }
    assert long == {}


def test_files_are_small() -> None:
    lengths = sorted(len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCE.rglob("*.py"))
    assert lengths[len(lengths) // 2] <= 120
    assert lengths[-1] <= 300
