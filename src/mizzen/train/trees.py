"""A state's nested containers as a flat list of named arrays, and back.

For plain Python containers; an adapter whose framework knows more kinds of containers (JAX's
pytrees) brings its own pair of functions of the same form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

Leaves = dict[str, Any]


def flatten(tree: Any) -> Leaves:
    """Leaves by path ("params/embedding"), in an order that depends on the structure alone."""
    return dict(_walk("", tree))


def unflatten(template: Any, leaves: Mapping[str, Any]) -> Any:
    """The structure of `template` with each leaf replaced by the one of its path."""
    return _rebuild("", template, lambda path, _: leaves[path])


def _walk(path: str, tree: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict):
        for key, value in sorted(cast("dict[Any, Any]", tree).items(), key=lambda kv: str(kv[0])):
            yield from _walk(_join(path, key), value)
    elif isinstance(tree, (list, tuple)):
        for index, value in enumerate(cast("list[Any]", tree)):
            yield from _walk(_join(path, index), value)
    elif tree is not None:
        yield path, tree


def _rebuild(path: str, tree: Any, leaf: Callable[[str, Any], Any]) -> Any:
    if isinstance(tree, dict):
        items = cast("dict[Any, Any]", tree).items()
        return {key: _rebuild(_join(path, key), value, leaf) for key, value in items}
    if isinstance(tree, (list, tuple)):
        values = cast("list[Any]", tree)
        parts = [_rebuild(_join(path, index), value, leaf) for index, value in enumerate(values)]
        kind: type[Any] = type(values)
        # A named tuple takes its fields one by one.
        return kind(*parts) if hasattr(kind, "_fields") else kind(parts)
    return None if tree is None else leaf(path, tree)


def _join(path: str, key: object) -> str:
    return f"{path}/{key}" if path else str(key)
