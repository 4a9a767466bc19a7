"""What a flow run leaves to look at in Prefect: the verdict, figures, and links to the pages."""

import base64
import os
from pathlib import Path

from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from finescale.pipeline import store
from finescale.pipeline.stage import Stage
from finescale.pipeline.store import path_of
from finescale.pipeline.verdict import skill_table, where
from finescale.service.finish import Manifest
from finescale.service.promoting import Decision

LARGEST = 600_000  # bytes of a picture that travels inside an artifact


def figures(root: Path, stage: Stage) -> None:
    """Publish the pictures that a stage has written."""
    if "figures" not in stage.writes:
        return
    for picture in sorted((root / path_of("figures")).glob("*.png")):
        if picture.stat().st_size <= LARGEST:
            data = base64.b64encode(picture.read_bytes()).decode()
            key = "".join(c if c.isalnum() else "-" for c in picture.stem.lower())
            create_image_artifact(
                image_url=f"data:image/png;base64,{data}", key=key, description=picture.stem
            )


def verdict(root: Path, states: dict[str, str], registered: str) -> None:
    """Publish the skill table, what became of each stage, and where everything lies."""
    table = skill_table(root).reset_index()
    rows = [{str(key): value for key, value in row.items()} for row in table.to_dict(orient="records")]
    create_table_artifact(table=rows, key="verdict", description="CRPS on held-out hours")
    create_link_artifact(link=address(root), link_text="The report", key="report", description="The report")
    lines = [f"- {name}: {state}" for name, state in states.items()]
    text = "\n".join(
        ["## Stages", *lines, "", "## Model", registered, "", "## Where", *(f"- {w}" for w in where(root))]
    )
    create_markdown_artifact(markdown=text, key="build", description="What ran and where it lies")


def address(root: Path) -> str:
    """The report as a browser finds it: over `make up`'s server of pages, or as a file where none runs."""
    page = Path(path_of("page"))
    served = os.environ.get("FINESCALE_PAGES")
    if not served:
        return (root / page).as_uri()
    inside = "" if store.home(root) == root else f"{root.name}/"
    return f"{served}/{inside}{page.name}"


def product(manifest: Manifest) -> None:
    """Publish what became of each piece, and where the product lies."""
    create_table_artifact(table=manifest.table(), key="pieces", description="What became of each piece")
    folder = manifest.path.parent
    counts = [f"- {number} {what}" for what, number in manifest.counts.items()]
    text = "\n".join(
        ["## Pieces", *counts, "", "## Where", f"- {folder / 'catalogue.json'}", f"- {manifest.path}"]
    )
    create_markdown_artifact(markdown=text, key="product", description="What was produced and where it lies")


def decision(made: Decision) -> None:
    """Publish what became of a challenger, and the proof."""
    if not made.proof.empty:
        rows = [{str(key): value for key, value in row.items()} for row in made.proof.to_dict("records")]
        create_table_artifact(table=rows, key="proof", description="CRPS of both on the same held-out days")
    create_markdown_artifact(markdown=made.text, key="decision", description="What became of the challenger")
