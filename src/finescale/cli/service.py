"""What the command line does with finished models: productions, catalogues, promotion."""

import sys
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from finescale.cli.progress import reporter
from finescale.errors import FinescaleError
from finescale.pipeline.project import Project
from finescale.settings import Production


def produce_product(root: Path, given: dict[str, Any], workers: int) -> None:
    """Produce what params.yaml asks for, changed by what the command line gives."""
    from finescale.service.job import Result
    from finescale.service.run import produce

    home = root.resolve()
    request = _request(Project(home).settings.production, given)

    def done(result: Result) -> None:
        said = f"  {result.reason}" if result.reason else ""
        print(f"{result.state:9} {result.piece}{said}", flush=True)

    with reporter("produce") as progress:
        manifest = produce(home, request, workers=workers, done=done, progress=progress)
    counts = ", ".join(f"{number} {state}" for state, number in manifest.counts.items())
    print(f"{counts}; {manifest.path.parent / 'catalogue.json'}")
    if manifest.counts["failed"]:
        sys.exit(1)


def _request(default: Production, given: dict[str, Any]) -> Production:
    """The project's request with the values of the command line in it."""
    said = {key: value for key, value in given.items() if value}
    if given["seed"] is not None:
        said["seed"] = given["seed"]
    if "periods" in said:
        said["periods"] = [_period(text) for text in said["periods"]]
    try:
        return Production.model_validate(default.model_dump() | said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the request"
        raise FinescaleError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from error


def _period(text: str) -> tuple[str, str]:
    first, sign, last = text.partition(":")
    if not sign:
        raise FinescaleError(f"a period is FIRST:LAST: {text!r} has no colon; write 2016-01-05:2016-01-19")
    return first, last


def _days(text: str) -> tuple[date, date]:
    try:
        first, last = (date.fromisoformat(day) for day in _period(text))
    except ValueError as error:
        raise FinescaleError(
            f"a period has days of the calendar: {text!r} ({error}); write 2016-01-05:2016-01-19"
        ) from error
    if last < first:
        raise FinescaleError(f"a period must not end before it begins: {text}; turn it round")
    return first, last


def promote_version(root: Path, challenger: str, period: str | None) -> str:
    """Put a version against the champion; gives the decision and its proof, and leaves with 1 where it is refused."""
    from finescale.service.promoting import promote

    days = None
    if period:
        days = _days(period)
    decision = promote(
        root.resolve(), challenger, period=days, tell=lambda text: print(text, file=sys.stderr)
    )
    if not decision.proof.empty:
        print(decision.proof.to_string(index=False, float_format=lambda value: f"{value:.4g}"))
    if not decision.promoted:
        print(decision.text)
        sys.exit(1)
    return decision.text


def publish_product(product: Path, base: str | None, *, check: bool) -> str:
    """Check a product, or write its catalogue anew; gives a line that says what was found or written."""
    from finescale.service import check as checking
    from finescale.service.publish import publish

    if check:
        return checking.check(product)
    return f"{publish(product, base)} written"
