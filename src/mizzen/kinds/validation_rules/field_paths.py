"""Parses a rule's `fieldPath`: `.spec.replicas`, `.labels['a.b']`.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go, v0.36.
"""

from __future__ import annotations

import re

from mizzen.base.objects import Obj
from mizzen.kinds.reading import part

_STEP = re.compile(r"\.(?P<name>[^.\[\]]+)|\['(?P<key>(?:[^'\\]|\\.)*)'\]")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def field_path(written: str, schema: Obj) -> str | ValueError:
    """The path as causes have it, with the dot or bracket that it begins with."""
    found = _follow(written, schema)
    return found if isinstance(found, ValueError) else found[0]


def schema_at(written: str, schema: Obj) -> Obj | str:
    """The schema of the field that a path without brackets leads to, or why there is none."""
    if "[" in written:
        return "array notation is not allowed"
    found = _follow(written, schema)
    return str(found) if isinstance(found, ValueError) else found[1]


def _follow(written: str, schema: Obj) -> tuple[str, Obj] | ValueError:
    at, made, node = 0, "", schema
    while at < len(written):
        step = _STEP.match(written, at)
        if step is None:
            return ValueError(f"expected [ or . but got: {written[at:]}")
        name = step["name"]
        if name is None:
            name = _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), step["key"])
        fields, values = part(node, "properties"), part(node, "additionalProperties")
        if fields:
            if name not in fields:
                return ValueError("does not refer to a valid field")
            node = fields[name]
            made += f".{name}"
        elif values:
            node = values
            made += f"[{name}]"
        else:
            return ValueError("does not refer to a valid field")
        at = step.end()
    return made, node
