"""The graph in words: what each stage reads and writes, what is stale and why."""

from pathlib import Path

from finescale.pipeline.project import Project
from finescale.pipeline.wiring import parents


def describe(root: Path) -> str:
    """One paragraph a stage, in the order of the flow."""
    project = Project(root)
    rendered = project.prepare()
    stale = project.stale()
    graph = parents(project.stages)
    tainted: set[str] = set()
    lines = ["dvc.yaml was rendered anew"] if rendered else []
    for stage in project.stages:
        reasons = list(stale.get(stage.name, []))
        waiting = [name for name in graph[stage.name] if name in tainted]
        if reasons or waiting:
            tainted.add(stage.name)
        state = "stale" if reasons else "waits" if waiting else "fresh"
        lines.append(f"{state:6}{stage.name}")
        lines.append(f"      {', '.join(stage.reads) or '(nothing)'} -> {', '.join(stage.writes)}")
        lines += [f"      because {reason}" for reason in reasons]
        if waiting:
            lines.append(f"      after {', '.join(waiting)}")
    fresh = len(project.stages) - len(tainted)
    lines.append(f"{fresh} of {len(project.stages)} stages are up to date")
    return "\n".join(lines)
