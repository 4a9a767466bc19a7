"""The catalogue of a product, for whoever reads it: intake-esm's JSON with a Parquet table, and the same as CSV."""

import json
from pathlib import Path
from typing import Any

import xarray as xr

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
    address = (base or out.resolve().as_uri()).rstrip("/")
    rows = [_row(out, address, entry, "1hr") for entry in body["pieces"] if "store" in entry]
    rows += [_row(out, address, entry, str(entry["table_id"])) for entry in body["summaries"]]
    if not rows:
        raise FinescaleError(f"a catalogue lists whole stores: {out.name} has none; see manifest.json")
    return catalogue.write(
        out, rows, id=f"finescale-{out.name}", description=DESCRIPTION, joined={"member_block": "member"}
    )


def read_manifest(out: Path) -> dict[str, Any]:
    """The manifest of a product."""
    path = out / "manifest.json"
    if not path.is_file():
        raise FinescaleError(f"a product has a manifest: {out.name} holds none; run `finescale produce`")
    body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return body


def _row(out: Path, address: str, entry: dict[str, Any], table: str) -> dict[str, Any]:
    """One row a store."""
    attrs = xr.open_zarr(out / entry["store"], consolidated=False, chunks=None).attrs
    place = entry["store"].split("/")
    members = entry["piece"].rpartition("members-")[2] if "piece" in entry else "all"
    return {
        "activity_id": "downscaling",
        **{column: attrs.get(name, "unknown").split("\n")[0] for column, name in FACETS.items()},
        "gcm": place[1],
        "method": attrs["downscaling_method"],
        "model": attrs["downscaling_model"],
        "table_id": table,
        "member_block": members,
        "time_range": "-".join("".join(filter(str.isdigit, entry[end]))[:12] for end in ("first", "last")),
        "variable_id": tuple(entry["variables"]),
        "format": "zarr",
        "path": f"{address}/{entry['store']}",
    }
