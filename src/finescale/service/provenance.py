"""What a produced store says of itself: sources, licence, seed, settings, model; no clock, host or path."""

import xarray as xr

from finescale import __version__
from finescale.climate.variables import VARIABLES
from finescale.pipeline import store
from finescale.pipeline.project import Project
from finescale.service.job import Job, Piece

# Attributes of the source that travel with whatever is made of it.
INHERITED = (
    "tracking_id",
    "further_info_url",
    "license",
    "source_id",
    "institution_id",
    "experiment_id",
    "variant_label",
    "grid_label",
    "version",
)
# Attributes that every store must have, beside CF's own on its variables.
REQUIRED = (
    "Conventions",
    "title",
    "history",
    "license",
    "tracking_id",
    "further_info_url",
    "source_id",
    "experiment_id",
    "variant_label",
    "downscaling_method",
    "downscaling_model",
    "downscaling_seed",
    "settings_digest",
    "finescale_version",
)


def describe(ensemble: xr.Dataset, given: xr.Dataset, job: Job, piece: Piece) -> xr.Dataset:
    """An ensemble with CF attributes and the identity of all that it was made of.

    Args:
        ensemble: Fields ``[member, time, lat, lon]``.
        given: The corrected run, whose fields say how they were corrected.
        job: The production.
        piece: Which piece this is.
    """
    source = given.attrs
    attrs = {key: str(source[key]) for key in INHERITED if key in source}
    project = Project(job.root)
    model = job.model
    ways = sorted({str(given[name].attrs["bias_correction"]) for name in given.data_vars})
    steps = [
        *str(source.get("history", "")).splitlines(),
        f"finescale: bias-corrected on the coarse grid by {', '.join(ways)}",
        f"finescale: members {piece.block} drawn by {model.version} ({model.method}), seed {job.request.seed}",
    ]
    attrs |= {
        "Conventions": "CF-1.8",
        "title": f"{attrs.get('source_id', piece.gcm)} {piece.scenario}, downscaled to hourly fields",
        "history": "\n".join(step for step in steps if step),
        "downscaling_method": job.model.method,
        "downscaling_model": job.model.version,
        "downscaling_model_digest": job.model.digest,
        "downscaling_seed": str(job.request.seed),
        "settings_digest": digest(project),
        "finescale_version": __version__,
    }
    fields = {}
    for name in map(str, ensemble.data_vars):
        known = VARIABLES[name].attrs if name in VARIABLES else {}
        fields[name] = ensemble[name].assign_attrs(dict(known) | ensemble[name].attrs)
    time = ensemble["time"].assign_attrs(standard_name="time", long_name="time", axis="T")
    return ensemble.assign(fields).assign_coords(time=time).drop_attrs(deep=False).assign_attrs(attrs)


def digest(project: Project) -> str:
    """A hash of the settings behind a model and its input; what is asked of it is no part of it."""
    return store.fingerprint(project.settings.model_dump_json(exclude={"production", "promotion", "cluster"}))
