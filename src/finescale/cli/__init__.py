"""The command line: a thin door to the pipeline. Imports stay inside the commands so that --help is quick."""

import errno
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from finescale.errors import FinescaleError
from finescale.pipeline import threads

app = typer.Typer(
    name="finescale",
    help="Ensembles of fine, hourly weather from coarse climate simulations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
catalogue_app = typer.Typer(help="Look into intake-esm catalogues.", no_args_is_help=True)
registry_app = typer.Typer(help="The model registry in mlruns/.", no_args_is_help=True)
app.add_typer(catalogue_app, name="catalogue")
app.add_typer(registry_app, name="registry")

FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EROFS: "the disk is read-only",
    errno.EACCES: "permission denied",
}
Root = Annotated[Path, typer.Option("--root", help="The project's folder.", show_default="here")]
HERE = Path()
Preset = Annotated[
    str,
    typer.Option(
        "--preset", metavar="NAME", help="Lay presets/NAME.yaml over params.yaml, in a workspace of its own."
    ),
]


@app.command()
def run(
    stages: Annotated[
        list[str] | None, typer.Argument(help="Stages to bring up to date; all when left out.")
    ] = None,
    direct: Annotated[
        bool, typer.Option(help="Call the stages without DVC: always runs, caches nothing.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Stages at a time.")] = threads.AT_ONCE,
    preset: Preset = "",
    root: Root = HERE,
) -> None:
    """Bring the pipeline up to date: run what is stale, restore what is cached, skip the rest."""
    from finescale.cli.doors import run_pipeline
    from finescale.pipeline.workspace import workspace

    run_pipeline(workspace(root, preset), stages or [], direct=direct, workers=workers)


@app.command()
def stage(name: str, root: Root = HERE) -> None:
    """Run one stage in this process, whatever its state; this is what dvc.yaml calls."""
    from finescale.cli.doors import run_one

    run_one(root, name)


@app.command()
def show(preset: Preset = "", root: Root = HERE) -> None:
    """Print the graph: what each stage reads and writes, what is stale and why."""
    from finescale.pipeline.show import describe
    from finescale.pipeline.workspace import workspace

    print(describe(workspace(root, preset)))


@app.command()
def dvcfile(
    check: Annotated[bool, typer.Option("--check", help="Only tell whether dvc.yaml is up to date.")] = False,
    root: Root = HERE,
) -> None:
    """Render dvc.yaml from the ledger."""
    from finescale.pipeline import dvcfile as rendering
    from finescale.pipeline.project import Project

    project = Project(root)
    if check:
        rendering.check(root, project.stages, project.settings)
    print(
        "dvc.yaml "
        + (
            "is up to date"
            if check or not rendering.write(root, project.stages, project.settings)
            else "was rendered anew"
        )
    )


@app.command()
def report(preset: Preset = "", root: Root = HERE) -> None:
    """Print the verdict table of the last scorecard and where the pages are."""
    from finescale.pipeline.verdict import verdict
    from finescale.pipeline.workspace import workspace

    print(verdict(workspace(root, preset)))


@app.command()
def register(root: Root = HERE) -> None:
    """Put the model of the last run into the registry; does nothing when it is there already."""
    from finescale.cli.doors import register_model

    print(register_model(root))


@app.command()
def downscale(
    coarse: Annotated[Path | None, typer.Argument(help="Coarse data: a netCDF file or Zarr store.")] = None,
    out: Annotated[Path | None, typer.Argument(help="Where the ensemble goes: .zarr or .nc.")] = None,
    coarse_: Annotated[Path | None, typer.Option("--coarse", help="The same by name.")] = None,
    out_: Annotated[Path | None, typer.Option("--out", help="The same by name.")] = None,
    model: Annotated[
        str, typer.Option(help="A model URI or a model's folder.")
    ] = "models:/finescale@champion",
    members: Annotated[int, typer.Option(min=1)] = 1,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    start: Annotated[str | None, typer.Option(help="First day of the coarse data to use.")] = None,
    end: Annotated[str | None, typer.Option(help="Last day.")] = None,
    method: Annotated[str | None, typer.Option(help="A baseline that travels with the model.")] = None,
    root: Root = HERE,
) -> None:
    """Downscale your own coarse data with a registered model."""
    from finescale.registry.consumer import downscale as call

    source, target = coarse_ or coarse, out_ or out
    if source is None or target is None:
        raise FinescaleError(
            "coarse data and a result are needed: name both; finescale downscale coarse.nc fine.zarr"
        )
    days = {"start": start, "end": end, "method": method}
    done = call(root.resolve(), source, target, model=model, members=members, seed=seed, **days)
    print(f"{target}: {', '.join(map(str, done.data_vars))} {dict(done.sizes)}")


@app.command()
def produce(
    model: Annotated[str | None, typer.Option(help="A model URI or a model's folder.")] = None,
    gcm: Annotated[list[str] | None, typer.Option(help="A climate model of params.yaml; may repeat.")] = None,
    scenario: Annotated[list[str] | None, typer.Option(help="An experiment; may repeat.")] = None,
    period: Annotated[list[str] | None, typer.Option(help="FIRST:LAST day; may repeat.")] = None,
    members: Annotated[int | None, typer.Option(min=1, help="Members of each climate model.")] = None,
    block: Annotated[int | None, typer.Option(min=1, help="Members in one store.")] = None,
    seed: Annotated[int | None, typer.Option(min=0)] = None,
    out: Annotated[str | None, typer.Option(help="Folder of the product.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes side by side.")] = 1,
    root: Root = HERE,
) -> None:
    """Run a model over climate models, scenarios, periods and members; what is there already is left alone."""
    from finescale.cli.service import produce_product

    given = {"model": model, "gcms": gcm, "scenarios": scenario, "periods": period, "members": members}
    produce_product(root, given | {"block": block, "seed": seed, "out": out}, workers)


@app.command()
def publish(
    product: Annotated[Path, typer.Argument(help="Folder of a product.")] = Path("products/default"),
    check: Annotated[bool, typer.Option("--check", help="Read everything again; changes nothing.")] = False,
    base: Annotated[
        str | None, typer.Option(help="Address at which readers find the folder: s3://bucket/product.")
    ] = None,
) -> None:
    """Write the catalogue of a product anew, for the address where it lies; or check that all of it is whole."""
    from finescale.cli.service import publish_product

    print(publish_product(product, base, check=check))


@app.command()
def promote(
    challenger: Annotated[str, typer.Argument(help="Alias or number of the version.")] = "candidate",
    period: Annotated[
        str | None, typer.Option(help="FIRST:LAST day of fresh data; the test block when left out.")
    ] = None,
    root: Root = HERE,
) -> None:
    """Put a registered version against the champion on held-out days; the rules of params.yaml decide."""
    from finescale.cli.service import promote_version

    print(promote_version(root, challenger, period))


@app.command()
def rollback(root: Root = HERE) -> None:
    """Give the champion's place back to the one before."""
    from finescale.service.promoting import rollback as step_back

    print(step_back(root))


@catalogue_app.command("search")
def search(
    facets: Annotated[
        list[str] | None, typer.Argument(help="Facets as column=value; a value may repeat.")
    ] = None,
    catalogue: Annotated[str, typer.Option("--catalogue", help="Path or URL of the catalogue's JSON.")] = ...,  # type: ignore[assignment]
) -> None:
    """Show what a catalogue holds for some facets."""
    from finescale.cli.doors import search_catalogue

    print(search_catalogue(catalogue, facets or []))


@registry_app.command("relocate")
def relocate(root: Root = HERE) -> None:
    """Mend the absolute paths inside mlruns/ after the folder has been moved."""
    from finescale.registry.tracking import relocate as mend

    print(mend(root / "mlruns"))


def main() -> None:
    """Run the command line; a user's mistake ends in one line and exit code 2."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidy up, and stop what was started
    threads.settle()
    try:
        app(prog_name="finescale")
    except FinescaleError as error:
        sys.exit(_complain(str(error)))
    except OSError as error:
        if error.errno not in FULL:
            raise
        where = f": {error.filename}" if error.filename else ""
        sys.exit(_complain(f"cannot write, {FULL[error.errno]}{where}; nothing was left half-written"))
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


def _complain(message: str) -> int:
    for line in message.splitlines():
        print(f"error: {line}", file=sys.stderr)
    return 2
