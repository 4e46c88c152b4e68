"""Finds unknown and duplicate fields of a body for `fieldValidation`, worded as upstream does.

Source: apimachinery `runtime.strictDecodingError`, sigs.k8s.io/json `UnmarshalStrict`.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from typing import Any, cast

import orjson

from mizzen.kinds.report import Path, Unknown, render

_STRING_KEY = re.compile(rb'"([^"]*)"\s*:')
PROBLEMS_MAX = 50  # that are told; what follows is counted


def unknown_field(field: Unknown) -> str:
    """`unknown field "spec.replicaz"`, and the field it was probably meant to be."""
    text = f'unknown field "{field.path}"'
    close = difflib.get_close_matches(field.name, field.known, n=1, cutoff=0.75)
    if not close:
        lower = field.name.lower()
        close = [name for name in field.known if name.lower() == lower]
    return f'{text} (did you mean "{close[0]}"?)' if close else text


def duplicate_fields(body: bytes | str, parsed: Any = None) -> list[str]:
    """`duplicate field "spec.nodeName"` for every key that an object of the body repeats.

    The body must be valid JSON. One that reads the same once parsed and written again, as what
    programs send mostly does, has no duplicates, nor has one in which no key occurs twice
    anywhere; only others are parsed with the slow parser that sees duplicates. `parsed` is its value
    where that is known.
    """
    raw = body.encode() if isinstance(body, str) else body
    if orjson.dumps(orjson.loads(raw) if parsed is None else parsed) == raw.strip():
        return []
    # Escaped quotes would have the search begin again at each of them.
    keys = _STRING_KEY.findall(raw) if b"\\" not in raw else None
    if keys is not None and len(set(keys)) == len(keys):
        return []
    found: dict[str, None] = {}
    # Numbers are no concern here: Python refuses to read some that JSON allows.
    pairs = json.loads(raw, object_pairs_hook=_Pairs, parse_int=len, parse_float=len)
    _walk(pairs, None, found)
    return list(found)


class _Pairs:
    """An object as the list of its members, duplicates kept."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _walk(node: Any, path: Path, found: dict[str, None]) -> None:
    if isinstance(node, list):
        for index, item in enumerate(cast("list[Any]", node)):
            if isinstance(item, list | _Pairs):
                _walk(item, (path, index), found)
    if not isinstance(node, _Pairs):
        return
    seen: set[str] = set()
    for key, value in node.pairs:
        if key in seen and len(found) <= PROBLEMS_MAX:
            found[f'duplicate field "{render((path, key))}"'] = None
        seen.add(key)
        if isinstance(value, list | _Pairs):
            _walk(value, (path, key), found)


def problems(unknown: Sequence[Unknown], duplicates: Sequence[str]) -> list[str]:
    """The strictness messages: the `Warning` headers of fieldValidation=Warn.

    Only so many, since the search for what was meant takes its time.
    """
    told = [unknown_field(field) for field in unknown[:PROBLEMS_MAX]]
    if unknown:
        duplicates = _elsewhere(duplicates, [field.path for field in unknown])
    told += duplicates[: PROBLEMS_MAX - len(told)]
    more = len(duplicates) + len(unknown) - len(told)
    return [*told, f"and {more} more unknown or duplicate fields"] if more else told


def _elsewhere(duplicates: Sequence[str], unknown: Sequence[str]) -> list[str]:
    """Those that are not within an unknown field, of which nothing is read."""
    within = tuple(f'duplicate field "{path}{mark}' for path in unknown for mark in (".", "["))
    return [each for each in duplicates if not each.startswith(within)]


def strict_problem(found: Sequence[str], of_yaml: Sequence[str] = ()) -> str:
    """Why fieldValidation=Strict refuses, "" when the body is strictly right: `problems`, and
    `of_yaml`, what a body in YAML repeats, of which one error tells."""
    if of_yaml:
        found = [yaml_problem(of_yaml), *found]
    return f"strict decoding error: {', '.join(found)}" if found else ""


def yaml_problem(repeated: Sequence[str]) -> str:
    """The error of upstream's strict parser of YAML."""
    return "\n  ".join(("yaml: unmarshal errors:", *repeated))
