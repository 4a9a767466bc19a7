"""From a request to pieces: what will be produced, with which model, and what is not to be had."""

import shutil
from itertools import product
from pathlib import Path

from finescale.errors import FinescaleError
from finescale.methods import card
from finescale.methods.recipes import DRAWING
from finescale.pipeline import store
from finescale.pipeline.lockfile import recorded
from finescale.pipeline.project import Project
from finescale.registry.lock import locked
from finescale.service.job import Job, Model, Piece, Result
from finescale.service.publish import read_manifest
from finescale.settings import Production


def plan(root: Path, request: Production) -> Job:
    """Check a request against the project, settle the model once, and list the pieces.

    Args:
        root: The project's folder: settings, catalogue, fitted corrections.
        request: What is wanted.

    Raises:
        FinescaleError: The request names what the project or the registry does not have.
    """
    root = root.resolve()
    project = Project(root)
    gcms = request.gcms or tuple(project.settings.data.gcms)
    if unknown := [name for name in gcms if name not in project.settings.data.gcms]:
        raise FinescaleError(
            f"a production takes climate models of params.yaml: {', '.join(unknown)} unknown; "
            f"choose out of {', '.join(project.settings.data.gcms)}"
        )
    if not gcms:
        raise FinescaleError(
            "a production needs a climate model: data.gcms names none; add one to params.yaml"
        )
    for name in gcms:
        store.open_dataset(root, f"correction-{name}")
    _check_fresh(project, [f"correct-{name}" for name in gcms])
    out = (root / request.out).resolve()
    model = _settle(root, out, request.model)
    whole = range(0, request.members if model.draws else 1, request.block)
    last = request.members if model.draws else 1
    default = project.settings.downscale.period
    assert default is not None
    periods = request.periods or (default,)
    pieces = tuple(
        Piece(gcm, scenario, period, first, min(request.block, last - first))
        for gcm, scenario, period, first in product(gcms, request.scenarios, periods, whole)
    )
    _check_room(out, pieces)
    return Job(root, out, request, model, pieces, _left_out(request, model, pieces))


def _check_room(out: Path, pieces: tuple[Piece, ...]) -> None:
    """Raise where a product holds stores of another request, which its new catalogue would leave out."""
    if not (out / "manifest.json").is_file():
        return
    asked = {piece.name for piece in pieces}
    kept = [entry["piece"] for entry in read_manifest(out)["pieces"] if "store" in entry]
    if others := [name for name in kept if name not in asked]:
        raise FinescaleError(
            f"a product is one request: {out.name} holds {len(others)} stores that this one does not ask for, "
            f"{others[0]} first; name another `out`, or ask for them too"
        )


def _check_fresh(project: Project, stages: list[str]) -> None:
    """Raise unless the corrections are those that params.yaml asks for; of one made without DVC nothing is known."""
    known = [name for name in stages if name in recorded(project.root)]
    if not known:
        return
    project.prepare()
    stale = [(name, reason) for name, reasons in project.stale(known).items() for reason in reasons]
    for name, reason in stale:
        if not reason.endswith(
            " deleted"
        ):  # what was not fetched onto this machine, or was cleared away, says nothing
            raise FinescaleError(
                f"a production takes corrections that follow params.yaml: {name} behind them is stale, {reason}; run "
                f"`finescale run {' '.join(known)}`"
            )


def _left_out(request: Production, model: Model, pieces: tuple[Piece, ...]) -> tuple[Result, ...]:
    """The members that a deterministic method does not have, one line for each store that would hold more."""
    if model.draws or request.members == 1:
        return ()
    why = f"{model.method} is deterministic: one member, not {request.members}"
    return tuple(
        Result(f"{p.gcm}/{p.scenario}/{p.span}/members-001-{request.members - 1:03d}", "skipped", why)
        for p in pieces
    )


def _settle(root: Path, out: Path, uri: str) -> Model:
    """Copy the model's folder into the product's work folder, and say exactly which one it is."""
    work = out / ".work"
    with locked(work / "model.lock"):
        draft = work / "model.draft"
        store.remove(draft)
        if uri.startswith("models:/"):
            from finescale.registry import tracking  # brings MLflow, which takes seconds

            version = tracking.fetch(root, uri, draft)
        else:
            found = (root / uri).resolve()
            if not (found / card.FILE).is_file():
                raise FinescaleError(f"a model is models:/NAME@ALIAS or a method's folder: {uri} is neither")
            version = found.name
            shutil.copytree(found, draft)
        digest, method = store.contents(draft), card.load(draft).method
        store.put(draft, work / f"model-{digest[:16]}")
    return Model(uri, version, digest, method, method in DRAWING)
