"""Read params.yaml; what is wrong is named with its line and with what would be right."""

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from finescale.errors import FinescaleError
from finescale.settings.latent import KINDS
from finescale.settings.schema import Settings
from finescale.settings.section import Section


def load_settings(path: Path) -> Settings:
    """Read and check params.yaml.

    Args:
        path: The YAML file.

    Raises:
        FinescaleError: The file is missing, is no YAML, or breaks the schema; the message names each line.
    """
    if not path.is_file():
        raise FinescaleError(
            f"settings must exist: no file {path.name} in this folder; run from the project's folder"
        )
    return check(compose(path.name, path.read_bytes()))


def compose(file: str, text: str | bytes) -> yaml.MappingNode:
    """Parse settings or an overlay into a tree whose parts know their file and line."""
    try:
        loader = yaml.SafeLoader(text)  # which looks at every character
        loader.name = file
        root = loader.get_single_node()
    except yaml.YAMLError as error:
        raise FinescaleError(f"{file} must be YAML: {' '.join(str(error).split())}") from error
    if root is None:
        mark = yaml.Mark(file, 0, 0, 0, None, 0)
        root = yaml.MappingNode("tag:yaml.org,2002:map", [], mark, mark)
    if not isinstance(root, yaml.MappingNode):
        raise FinescaleError(
            f"{file} must hold sections: it is a list or a value; write `section: ...` lines"
        )
    _check_nodes(root)
    return root


def merge(below: yaml.MappingNode, above: yaml.MappingNode) -> yaml.MappingNode:
    """Lay one tree over another: sections merge key by key, all else is replaced, and null takes a key away.

    A merged section keeps the file and line of the upper tree, because what is wrong there came with it.
    """
    pairs = {str(key.value): (key, value) for key, value in below.value}
    for key, value in above.value:
        name = str(key.value)
        old = pairs.get(name, (None, None))[1]
        if isinstance(old, yaml.MappingNode) and isinstance(value, yaml.MappingNode):
            pairs[name] = (key, merge(old, value))
        elif isinstance(value, yaml.ScalarNode) and value.tag.endswith(":null"):
            pairs.pop(name, None)
        else:
            pairs[name] = (key, value)
    return yaml.MappingNode(above.tag, list(pairs.values()), above.start_mark, above.end_mark)


def check(root: yaml.MappingNode) -> Settings:
    """Hold a tree against the schema.

    Raises:
        FinescaleError: It breaks the schema; the message names the file and line of each fault.
    """
    try:
        raw = yaml.SafeLoader("").construct_document(root)
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark
        where = f"{place.name}, line {place.line + 1}" if place else "the settings"
        raise FinescaleError(f"{where}: settings hold plain values: {error.problem}; write one") from error
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise FinescaleError("\n".join(_explain(root, detail) for detail in error.errors())) from error


def _check_nodes(node: yaml.Node) -> None:
    """Dates must be texts: DVC, which reads the same file, knows no dates. Keys are words, each of them once."""
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":timestamp"):
        raise FinescaleError(
            f'{_place(node)}: dates must stand in quotes: {node.value}; write "{node.value}"'
        )
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise FinescaleError(
                    f"{_place(key)}: a key is a word: this one is a list or a section; name it"
                )
            if key.value in seen:
                raise FinescaleError(f"{_place(key)}: a key stands once: {key.value} does twice; keep one")
            seen.add(key.value)
    if isinstance(node, yaml.MappingNode | yaml.SequenceNode):
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                _check_nodes(part)


def given(settings: Settings, name: str) -> bool:
    """Whether params.yaml itself holds a dotted name, or a default stands in for it."""
    value: Any = settings
    for part in name.split("."):
        if isinstance(value, BaseModel):
            if part not in value.model_fields_set:
                return False
            value = getattr(value, part)
        elif isinstance(value, dict) and part in value:
            value = value[part]
        else:
            return False
    return True


def declared(settings: Settings, name: str) -> set[str]:
    """Files of this room that say what a dotted name may hold, and what it holds where nothing is said."""
    section: BaseModel = settings
    value: Any = settings
    for part in name.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
        section = value if isinstance(value, BaseModel) else section
    inside = _within(section) if section is value else [section]
    found = {type(part).__module__ for part in inside if part is not settings}
    return {f"{module.rpartition('.')[2]}.py" for module in found}


def _within(section: BaseModel) -> Iterator[BaseModel]:
    """A section and all sections inside it."""
    yield section
    for _, value in section:
        for part in value.values() if isinstance(value, dict) else [value]:
            if isinstance(part, BaseModel):
                yield from _within(part)


def _explain(root: yaml.Node, detail: ErrorDetails) -> str:
    """Turn one finding of the schema into a line: where, what, what is allowed."""
    loc = detail["loc"]
    if (
        loc[:1] == ("priors",) and loc[2:3] and loc[2] in KINDS
    ):  # the kind that was tried is no key of the file
        loc = (*loc[:2], *loc[3:])
    name = ".".join(str(part) for part in loc) or "the file"
    where = _where(root, loc)
    if detail["type"] == "extra_forbidden":
        allowed = _allowed(detail["loc"][:-1])
        near = difflib.get_close_matches(str(loc[-1]), allowed, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{where}: unknown key {name}; {hint}allowed: {', '.join(allowed)}"
    if detail["type"] == "missing":
        return f"{where}: missing key {name}"
    message = detail["msg"].removeprefix("Value error, ")
    given = "" if isinstance(detail["input"], dict) else f", not {detail['input']!r}"
    return f"{where}: {name}: {message}{given}"


def _where(node: yaml.Node, loc: tuple[int | str, ...]) -> str:
    """File and line of the deepest part of ``loc`` that the tree holds."""
    place = _place(node)
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if pair is None:
                return place
            place, node = _place(pair[0]), pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            place = _place(node)
    return place


def _place(node: yaml.Node) -> str:
    return f"{node.start_mark.name}, line {node.start_mark.line + 1}"


def _allowed(loc: tuple[int | str, ...]) -> list[str]:
    """Keys that the section at ``loc`` declares."""
    kind: Any = Settings
    for part in loc:
        sections = _sections(kind)
        tried = [s for s in sections if str(part) in _kinds(s)]
        if tried:
            kind = tried[0]
        elif sections and str(part) in sections[0].model_fields:
            kind = sections[0].model_fields[str(part)].annotation
        elif sections:
            kind = sections[0].__annotations__.get("__pydantic_extra__", kind)
    return sorted(sections[0].model_fields) if (sections := _sections(kind)) else []


def _sections(kind: Any) -> list[type[Section]]:  # noqa: ANN401 - annotations have no common type
    """The sections that an annotation allows."""
    return [a for a in _unfold(kind) if isinstance(a, type) and issubclass(a, Section)]


def _kinds(section: type[Section]) -> tuple[Any, ...]:
    """The values of a section's key `kind`, which tells it from its alternatives."""
    return get_args(section.model_fields["kind"].annotation) if "kind" in section.model_fields else ()


def _unfold(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401 - annotations have no common type
    """The types inside an annotation: unions, containers, and the annotation itself."""
    inner = tuple(found for arg in get_args(kind) for found in _unfold(arg))
    return (kind, *inner) if isinstance(kind, type) else inner
