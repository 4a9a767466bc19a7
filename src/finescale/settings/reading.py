"""Read params.yaml; what is wrong is named with its line and with what would be right."""

import difflib
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from finescale.errors import FinescaleError
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
    text = path.read_text(encoding="utf-8")
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FinescaleError(f"{path.name} must be YAML: {' '.join(str(error).split())}") from error
    _check_quotes(path.name, root)
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        found = [_explain(path.name, root, detail) for detail in error.errors()]
        raise FinescaleError("\n".join(found)) from error


def _check_quotes(file: str, node: yaml.Node | None) -> None:
    """Dates must be texts: DVC, which reads the same file, knows no dates."""
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":timestamp"):
        raise FinescaleError(
            f'{file}, line {node.start_mark.line + 1}: dates must stand in quotes: {node.value}; write "{node.value}"'
        )
    if isinstance(node, yaml.MappingNode | yaml.SequenceNode):
        for child in node.value:
            for part in child if isinstance(child, tuple) else (child,):
                _check_quotes(file, part)


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


def _explain(file: str, root: yaml.Node | None, detail: ErrorDetails) -> str:
    """Turn one finding of the schema into a line: where, what, what is allowed."""
    loc = detail["loc"]
    where = ".".join(str(part) for part in loc) or "the file"
    line = _line(root, loc)
    if detail["type"] == "extra_forbidden":
        allowed = _allowed(loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), allowed, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        return f"{file}, line {line}: unknown key {where}; {hint}allowed: {', '.join(allowed)}"
    if detail["type"] == "missing":
        return f"{file}, line {line}: missing key {where}"
    message = detail["msg"].removeprefix("Value error, ")
    given = "" if isinstance(detail["input"], dict) else f", not {detail['input']!r}"
    return f"{file}, line {line}: {where}: {message}{given}"


def _line(node: yaml.Node | None, loc: tuple[int | str, ...]) -> int:
    """Line of the deepest part of ``loc`` that the file holds."""
    line = 1 if node is None else node.start_mark.line + 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if pair is None:
                return line
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _allowed(loc: tuple[int | str, ...]) -> list[str]:
    """Keys that the section at ``loc`` declares."""
    kind: Any = Settings
    for part in loc:
        if isinstance(kind, type) and issubclass(kind, Section):
            named = kind.__annotations__.get("__pydantic_extra__", kind)
            kind = kind.model_fields[str(part)].annotation if str(part) in kind.model_fields else named
        kind = next((a for a in _unfold(kind) if isinstance(a, type) and issubclass(a, Section)), kind)
    return sorted(kind.model_fields) if isinstance(kind, type) and issubclass(kind, Section) else []


def _unfold(kind: Any) -> tuple[Any, ...]:  # noqa: ANN401 - annotations have no common type
    """The types inside an annotation: unions, containers, and the annotation itself."""
    inner = tuple(found for arg in get_args(kind) for found in _unfold(arg))
    return (kind, *inner) if isinstance(kind, type) else inner
