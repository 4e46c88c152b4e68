"""`python -m mizzen.kinds.reference`: docs/api-reference.md, written from the kinds themselves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from mizzen.kinds.kind import Kind
from mizzen.kinds.registry import builtin_kinds, converted_kinds, virtual_kinds
from mizzen.kinds.schema import Schema
from mizzen.kinds.served_fields import table
from mizzen.kinds.treatment import Refused, RefusedByNode, Warned

_OURS = "mizzen.dev"
_COMMON = ("apiVersion", "kind", "metadata")


def text() -> str:
    """The whole page as Markdown."""
    kinds = [kind for _, kind in sorted(builtin_kinds().items())]
    parts = [
        "# API reference",
        "Written by `make docs` from the kinds themselves; edit those. `kubectl explain KIND.FIELD` "
        "says the same of a running instance. [api.md](api.md) says how all of them behave.",
        "## What is served",
        "Objects of the kinds that nobody here acts upon are stored, validated and served for "
        "others, such as a kubelet or an operator of yours.",
        _served(
            sorted(
                (*kinds, *converted_kinds()), key=lambda k: (k.resource.group, k.resource.plural)
            )
        ),
        "## Fields that ask for what is not there",
        "Every other field of every kind is acted upon, or changes nothing that could be missed "
        "(each kind's `SERVED_FIELDS` say which, and why). These are refused with 422, or stored with "
        "a `Warning` (for other nodes what Mizzen's own refuse); a value that asks for nothing, such as `false` or an empty list, is fine.",
        _unserved(),
    ]
    for kind in (*kinds, *virtual_kinds().values()):
        if kind.resource.group == _OURS:
            parts += [_section(kind.resource.kind, kind.resource.api_version, kind.schema)]
    return "\n\n".join(parts) + "\n"


def _served(kinds: Iterable[Kind]) -> str:
    lines = ["| API version | kind | resource | namespaced | subresources | acted upon |"]
    lines.append("|-|-|-|-|-|-|")
    for kind in kinds:
        resource = kind.resource
        names = ", ".join((resource.plural, *kind.short_names))
        below = ", ".join(sorted(each.name for each in kind.subresources)) or "-"
        scope = "yes" if resource.namespaced else "no"
        acts = "yes" if kind.is_acted_upon else "by nobody here"
        if kind.conversion is not None:
            acts = f"as {kind.conversion.stored.api_version}"
        words = (resource.api_version, resource.kind, names, scope, below, acts)
        lines.append(f"| {' | '.join(words)} |")
    return "\n".join(lines)


_VERDICTS: dict[type[Any], str] = {
    Refused: "refused", RefusedByNode: "refused by nodes", Warned: "warned of",
}  # fmt: skip


def _unserved() -> str:
    """Fields of one type with one sentence share a line."""
    said: dict[tuple[str, str, str], list[str]] = {}
    for name, fields in sorted(table().items()):
        for field, treatment in fields.items():
            if isinstance(treatment, Refused | RefusedByNode | Warned):
                verdict = _VERDICTS[type(treatment)]
                shown = f"`{field}`"
                if treatment.fine:
                    values = ", ".join(_shown(value) for value in treatment.fine)
                    shown += f" (other than {values})"
                said.setdefault((name, verdict, treatment.sentence), []).append(shown)
    lines = ["| type | fields | | why, and what to do |", "|-|-|-|-|"]
    for (name, verdict, sentence), fields in said.items():
        lines.append(f"| {name} | {', '.join(fields)} | {verdict} | {sentence} |")
    return "\n".join(lines)


def _shown(value: object) -> str:
    return f"`{json.dumps(value)}`" if not isinstance(value, str) else f"`{value}`"


def _section(kind: str, api_version: str, schema: Schema) -> str:
    lines = [f"## {kind}", "", f"`{api_version}`. {schema.description}", ""]
    lines += ["| field | type | default | meaning |", "|-|-|-|-|"]
    for name, child in schema.fields.items():
        if name not in _COMMON:
            lines += _rows(name, child)
    return "\n".join(lines)


def _rows(path: str, schema: Schema) -> Iterator[str]:
    node = schema.resolve()
    below = node.items.resolve() if node.type == "array" and node.items is not None else node
    default = _default(node)
    meaning = node.description + (" Required." if node.required else "")
    yield f"| `{path}` | {_type(node)} | {default} | {meaning} |"
    prefix = f"{path}[]" if node.type == "array" else path
    if below.name.startswith("io.k8s"):
        return  # upstream's own types: said in upstream's reference
    for name, child in below.fields.items():
        yield from _rows(f"{prefix}.{name}", child)


def _type(node: Schema) -> str:
    if node.enum:
        return " \\| ".join(f'"{word}"' for word in node.enum)
    if node.type == "array" and node.items is not None:
        return f"list of {_type(node.items.resolve())}"
    if node.values is not None:
        return f"map of {_type(node.values.resolve())}"
    return node.format if node.format in ("micro-time", "date-time", "quantity") else node.type


def _default(node: Schema) -> str:
    return "" if node.default in (None, {}) else f"`{node.default}`"


if __name__ == "__main__":
    print(text(), end="")
