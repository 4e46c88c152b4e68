"""The part of JSONPath that printer columns use: fields, indexes, `[*]` and equality filters.

    .spec.replicas   .status.conditions[?(@.type=="Ready")].status   .metadata.labels['a/b']

Source: client-go `util/jsonpath`. What it cannot read is an error when the column is made, not
when it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

Step = Callable[[Any], list[Any]]

_PART = re.compile(
    r"""\.(?P<field>(?:\\\.|[^.\[\]\s])+)
      | \[(?P<index>-?\d+)\]
      | \[(?P<all>\*)\]
      | \[\s*(?P<quote>['"])(?P<name>.*?)(?P=quote)\s*\]
      | \[\?\(\s*@\.(?P<path>[^\s=!<>)]+)\s*(?P<op>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[^)\s]+)\s*\)\]
    """,
    re.VERBOSE,
)


def compile_path(text: str) -> Step:
    """A function from an object to all values at the path. Errors: ValueError."""
    inner = text.strip()
    if inner.startswith("{") and inner.endswith("}"):
        inner = inner[1:-1].strip()
    inner = inner.removeprefix("$")
    steps: list[Step] = []
    position = 0
    while position < len(inner):
        match = _PART.match(inner, position)
        if match is None:
            raise ValueError(f"JSONPath {text!r} is not understood from {inner[position:]!r} on")
        steps.append(_step(match))
        position = match.end()

    def read(obj: Any) -> list[Any]:
        values = [obj]
        for step in steps:
            values = [found for value in values for found in step(value)]
        return values

    return read


def _step(match: re.Match[str]) -> Step:
    if match["field"] is not None:
        return _named(match["field"].replace("\\.", "."))
    if match["name"] is not None:
        return _named(match["name"])
    if match["index"] is not None:
        return _indexed(int(match["index"]))
    if match["all"] is not None:
        return _every
    return _filtered(match["path"], match["op"], match["value"])


def _named(name: str) -> Step:
    def step(value: Any) -> list[Any]:
        if isinstance(value, dict) and name in value:
            return [cast("dict[str, Any]", value)[name]]
        return _every(value) if name == "*" else []

    return step


def _indexed(index: int) -> Step:
    def step(value: Any) -> list[Any]:
        if not isinstance(value, list):
            return []
        items = cast("list[Any]", value)
        return [items[index]] if -len(items) <= index < len(items) else []

    return step


def _every(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return list(cast("list[Any]", value)) if isinstance(value, list) else []


def _filtered(path: str, operator: str, written: str) -> Step:
    read = compile_path(f".{path}")
    quoted = written[0] in "\"'"
    wanted = written[1:-1] if quoted else written

    def step(value: Any) -> list[Any]:
        kept: list[Any] = []
        for item in _every(value):
            found = read(item)
            same = bool(found) and _text(found[0]) == wanted
            if same == (operator == "=="):
                kept.append(item)
        return kept

    return step


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
