"""The catalogue of a product, for whoever reads it: intake-esm's JSON, its table as CSV and as Parquet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import zarr

from finescale.climate import catalogue
from finescale.errors import FinescaleError

DESCRIPTION = "Hourly ensembles downscaled by finescale, and their monthly and annual summaries."
# Columns and the attributes that fill them.
FACETS = {
    "institution_id": "institution_id",
    "source_id": "source_id",
    "experiment_id": "experiment_id",
    "member_id": "variant_label",
    "license": "license",
    "further_info_url": "further_info_url",
}


def publish(out: Path, base: str | None = None) -> Path:
    """Write the catalogue of the stores that the manifest calls whole.

    Args:
        out: Folder of the product.
        base: Address under which readers find that folder (``s3://bucket/product``); the folder itself when None.

    Returns:
        The catalogue's JSON file.
    """
    body = read_manifest(out)
    # Not `as_uri`: readers of the catalogue take a blank written as %20 literally.
    address = (base or f"file://{out.resolve().as_posix()}").rstrip("/")
    tables = [(entry, "1hr") for entry in body["pieces"] if "store" in entry]
    tables += [(entry, str(entry["table_id"])) for entry in body["summaries"]]
    rows = [row for entry, table in tables for row in _rows(out, address, entry, table)]
    if not rows:
        raise FinescaleError(f"a catalogue lists whole stores: {out.name} has none; see manifest.json")
    pd.DataFrame(rows).to_parquet(out / "catalogue.parquet", index=False)
    name = f"finescale-{out.resolve().name}"
    return catalogue.write(
        out,
        rows,
        id=name,
        description=DESCRIPTION,
        joined={"member_block": "member"},
        about=("license", "further_info_url"),
    )


def withdraw(out: Path) -> None:
    """Remove the catalogue: nothing that it listed is whole any more."""
    for name in ("catalogue.json", "catalogue.csv", "catalogue.parquet"):
        (out / name).unlink(missing_ok=True)


def read_manifest(out: Path) -> dict[str, Any]:
    """The manifest of a product."""
    path = out / "manifest.json"
    if not path.is_file():
        raise FinescaleError(f"a product has a manifest: {out.name} holds none; run `finescale produce`")
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return body


def _rows(out: Path, address: str, entry: dict[str, Any], table: str) -> Iterator[dict[str, Any]]:
    """One row a variable of a store."""
    attrs = zarr.open_group(out / entry["store"], mode="r").attrs.asdict()
    place = entry["store"].split("/")
    members = entry["piece"].rpartition("members-")[2] if "piece" in entry else "all"
    common = {
        "activity_id": "downscaling",
        **{column: str(attrs.get(name, "unknown")).split("\n")[0] for column, name in FACETS.items()},
        "gcm": place[1],
        "method": attrs["downscaling_method"],
        "model": attrs["downscaling_model"],
        "table_id": table,
        "member_block": members,
        "time_range": "-".join("".join(filter(str.isdigit, entry[end]))[:12] for end in ("first", "last")),
    }
    for name in entry["variables"]:
        yield {**common, "variable_id": name, "format": "zarr", "path": f"{address}/{entry['store']}/{name}"}
