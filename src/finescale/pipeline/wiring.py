"""Who feeds whom: the ledger's order, checked."""

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from finescale.pipeline.stage import Stage


def ordered(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """Check the wiring and sort: writers before readers, otherwise as declared.

    Raises:
        LookupError: An artefact is read that nobody writes, is written twice, or stages wait for each other.
    """
    rest = list(stages)
    writer: dict[str, str] = {}
    for stage in rest:
        for name in stage.writes:
            if name in writer:
                raise LookupError(f"{name} is written by both {writer[name]} and {stage.name}")
            writer[name] = stage.name
    for stage in rest:
        if lost := [name for name in stage.reads if name not in writer]:
            raise LookupError(f"stage {stage.name} reads {', '.join(lost)}, which nobody writes")
    graph = parents(tuple(rest))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        raise LookupError(f"stages wait for each other: {' -> '.join(error.args[1])}") from error
    result: list[Stage] = []
    done: set[str] = set()
    while rest:
        stage = next(s for s in rest if done.issuperset(graph[s.name]))
        rest.remove(stage)
        done.add(stage.name)
        result.append(stage)
    return tuple(result)


def parents(stages: tuple[Stage, ...]) -> dict[str, tuple[str, ...]]:
    """For each stage the stages among these whose artefacts it reads."""
    writer = {name: stage.name for stage in stages for name in stage.writes}
    return {s.name: tuple(dict.fromkeys(writer[n] for n in s.reads if n in writer)) for s in stages}


def chains(stages: tuple[Stage, ...]) -> dict[str, int]:
    """For each stage, how many stages in a row wait for it, given stages in order: the most urgent has the most."""
    length: dict[str, int] = {}
    for name, needed in reversed(parents(stages).items()):
        length.setdefault(name, 0)
        for parent in needed:
            length[parent] = max(length.get(parent, 0), length[name] + 1)
    return length


class Agenda:
    """Which stage begins next: one whose inputs are there, the most urgent of them first. True until all are done."""

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        self._stages = {stage.name: stage for stage in stages}
        self._urgency = chains(stages)
        self._sorter = TopologicalSorter(parents(stages))
        self._sorter.prepare()
        self._ready: list[str] = []

    def __bool__(self) -> bool:
        return self._sorter.is_active()

    def next(self) -> Stage | None:
        """A stage that nobody was given before; None while all others wait for those under way."""
        self._ready += self._sorter.get_ready()
        if not self._ready:
            return None
        name = max(self._ready, key=lambda name: self._urgency[name])
        self._ready.remove(name)
        return self._stages[name]

    def done(self, name: str) -> None:
        """A stage has ended, and those that waited for it may begin."""
        self._sorter.done(name)


def upstream(stages: tuple[Stage, ...], targets: Iterable[str]) -> tuple[Stage, ...]:
    """The targets and everything they need, in the ledger's order."""
    graph = parents(stages)
    wanted: set[str] = set()
    todo = list(targets)
    while todo:
        name = todo.pop()
        if name not in wanted:
            wanted.add(name)
            todo += graph[name]
    return tuple(stage for stage in stages if stage.name in wanted)
