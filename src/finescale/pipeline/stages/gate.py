"""The gate at the end of a stage: profile what was written, check it, keep the pages, or refuse."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from finescale.pipeline.desk import Desk
from finescale.quality import gates, profile
from finescale.quality.verdicts import GateError


def check(
    desk: Desk,
    gate: str,
    names: Iterable[str],
    target: str,
    masked: Mapping[str, float] = MappingProxyType({}),
) -> None:
    """Let the datasets that this stage has written through a gate.

    Args:
        desk: The stage's desk; declares the setting ``gates``.
        gate: Which limits apply.
        names: Written datasets, each judged by itself.
        target: The artefact that keeps the reports, a folder for each dataset.
        masked: Share of the cells of a variable that the reference has no values of.

    Raises:
        GateError: A limit fails and no waiver covers it; the pages are kept where the message says.
    """
    waivers = [waiver.model_dump() for waiver in desk.setting("gates").waivers]
    folder = desk.new(target)
    for name in names:
        facts = profile.profile(desk.written(name), name=name, store=desk.new(name))
        try:
            gates.check(facts, gate, waivers=waivers, masked=masked).save(folder / name)
        except GateError as error:
            error.report.save(folder / name)
            kept = desk.refuse(folder)
            error.args = (f"{error}; all limits: {kept.as_posix()}/{name}/index.html",)
            raise
