"""One piece of a production: drawn, gated, described, written in one move; begun again it goes on or is left alone."""

from pathlib import Path

import xarray as xr

from finescale import __version__
from finescale.errors import FinescaleError
from finescale.methods import card, recipes
from finescale.methods.downscaler import Downscaler, drawn
from finescale.pipeline import store
from finescale.pipeline.desk import Progress, silent
from finescale.pipeline.project import Project
from finescale.quality import gates, profile
from finescale.quality.verdicts import GateError
from finescale.registry.lock import locked
from finescale.service import hierarchy, provenance, summary
from finescale.service.inputs import prepared
from finescale.service.job import Job, Piece, Result
from finescale.service.period import cut, inside
from finescale.service.receipt import facts, there, write_json
from finescale.settings import Production

# What goes wrong in data and numbers; anything else is a fault of the program and says so by its kind.
EXPECTED = (FinescaleError, OSError)


def produce_piece(job: Job, piece: Piece, progress: Progress = silent) -> Result:
    """Produce one piece, or find that it is there; a failure is a result and touches no other piece.

    Killed at any moment, it leaves nothing or the whole piece; the next call goes on from its notes.

    Args:
        job: The production.
        piece: Which of its pieces.
        progress: Told ``(what, done, total)``.
    """
    with locked(job.work / "locks" / piece.name.replace("/", "-")):
        try:
            coarse = prepared(job, piece.gcm, piece.scenario, progress)
            key = _key(job, piece, coarse)
            if there(job, piece, key):
                return Result(piece.name, "kept")
            method = recipes.load(job.folder)
            given, kept = cut(store.open_path(coarse), piece, margin_hours(job.request, method))
            if given is None:
                return Result(piece.name, "skipped", f"{piece.gcm} {piece.scenario} has {kept}")
            _produce(job, piece, method, given, key, progress)
        except EXPECTED as error:
            passing = isinstance(error, OSError) or "failed 5 times" in str(error)
            return Result(piece.name, "failed", (str(error) or repr(error)).splitlines()[0], passing)
        except (RuntimeError, ValueError, ArithmeticError, LookupError, TypeError) as error:
            return Result(piece.name, "failed", f"{type(error).__name__}: {error}")
    return Result(piece.name, "produced")


def margin_hours(request: Production, method: Downscaler) -> int:
    """Hours that are drawn beyond each end of a period and cut off: as stated, or what the method remembers."""
    return method.margin if request.margin is None else 24 * request.margin


def _produce(
    job: Job, piece: Piece, method: Downscaler, given: xr.Dataset, key: str, progress: Progress
) -> None:
    notes = job.work / "notes" / key
    ensemble = _draw(method, given, job, piece, notes, progress)
    hours = inside(ensemble["time"], piece)
    described = provenance.describe(ensemble.isel(time=hours), given, job, piece)
    target, receipt = job.store(piece), job.receipt(piece)
    receipt.unlink(missing_ok=True)
    draft = target.with_name(f".{target.name}.draft")
    store.remove(draft)
    draft.parent.mkdir(parents=True, exist_ok=True)
    hierarchy.save(described, draft)
    _gate(job, piece, draft)
    written = hierarchy.open_all(draft)
    sums = job.sums(piece)
    sums_draft = sums.with_name(f".{sums.name}.draft")
    store.remove(sums_draft)
    sums_draft.parent.mkdir(parents=True, exist_ok=True)
    store.save_dataset(summary.sums(written), sums_draft)
    body = {"key": key, "piece": piece.name, **facts(written, draft, sums_draft)}
    store.put(sums_draft, sums)
    store.put(draft, target)
    write_json(receipt, body)
    store.remove(notes)


def _draw(
    method: Downscaler, given: xr.Dataset, job: Job, piece: Piece, notes: Path, progress: Progress
) -> xr.Dataset:
    """The piece's members over its period and the margins; where the method can, block by block on disk."""
    request = {"members": piece.count, "seed": job.request.seed, "first": piece.first}
    return drawn(method, given, notes, lambda done, total: progress("draws", done, total), **request)


def _gate(job: Job, piece: Piece, draft: Path) -> None:
    """Let the written store through the gate of ensembles, or keep the pages that say why not."""
    waivers = [waiver.model_dump() for waiver in Project(job.root).settings.gates.waivers]
    found = profile.profile(hierarchy.open_all(draft), name=piece.name)
    try:
        gates.check(found, "ensemble", waivers=waivers, masked=card.load(job.folder).masked)
    except GateError as error:
        error.report.save(job.out / "refused" / piece.name)
        store.remove(draft)
        raise


def _key(job: Job, piece: Piece, coarse: Path) -> str:
    """What the piece depends on; another key is another piece."""
    request = job.request
    parts = (piece.name, str(request.seed), str(request.margin), job.model.digest, coarse.name, __version__)
    return store.fingerprint(*parts)
