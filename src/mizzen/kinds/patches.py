"""JSON merge patch and JSON patch, pure: the inputs are never changed.

Results share unchanged parts with the input; whoever changes them copies first (the API server
decodes the result, which copies). Strategic merge patch is in `strategic.py`, re-exported here.

Source: RFC 7386, RFC 6902, RFC 6901; limits of evanphx/json-patch as used upstream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mizzen.base.errors import BadRequest, Invalid
from mizzen.base.objects import Obj
from mizzen.kinds.strategic import strategic_merge_patch

__all__ = ["json_patch", "merge_patch", "strategic_merge_patch"]

OPERATIONS_MAX = 10_000  # upstream's limit for JSON patches
_MISSING: Any = object()


# -- RFC 7386 -----------------------------------------------------------------------
def merge_patch(target: Any, patch: Any) -> Any:
    """The target with the patch merged in; null deletes, lists are replaced whole."""
    if not isinstance(patch, dict):
        return patch
    source = cast("Mapping[str, Any]", patch)
    result: Obj = dict(cast("Obj", target)) if isinstance(target, dict) else {}
    for name, value in source.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result


# -- RFC 6902 -----------------------------------------------------------------------
def json_patch(target: Any, operations: Any) -> Any:
    """The target after all operations, in order.

    Errors: BadRequest when the patch itself is malformed; Invalid when it does not apply (a path
    that is not there, a failed test), naming the operation.
    """
    if not isinstance(operations, list):
        raise BadRequest("a JSON patch must be an array of operations")
    steps = cast("list[Any]", operations)
    if len(steps) > OPERATIONS_MAX:
        raise BadRequest(f"a JSON patch may have at most {OPERATIONS_MAX} operations")
    for index, step in enumerate(steps):
        try:
            target = _apply(target, step)
        except _DoesNotApplyError as error:
            raise Invalid(f"the JSON patch does not apply: operation {index}: {error}") from error
        except _MalformedError as error:
            raise BadRequest(f"the JSON patch is malformed: operation {index}: {error}") from error
    return target


class _DoesNotApplyError(Exception):
    pass


class _MalformedError(Exception):
    pass


def _apply(target: Any, step: Any) -> Any:
    if not isinstance(step, dict):
        raise _MalformedError("it must be an object")
    operation = cast("Obj", step)
    op = operation.get("op")
    path = _pointer(operation, "path")
    if op in ("add", "replace", "test"):
        if "value" not in operation:
            raise _MalformedError(f'"{op}" needs a "value"')
        value = operation["value"]
        if op == "add":
            return _add(target, path, value)
        found = _get(target, path)
        if op == "test":
            if not _same(found, value):
                raise _DoesNotApplyError(f"testing value {_text(path)} failed")
            return target
        return _replace(target, path, value)
    if op == "remove":
        return _remove(target, path)
    if op in ("move", "copy"):
        source = _pointer(operation, "from")
        value = _get(target, source)
        if op == "copy":
            return _add(target, path, value)
        if path[: len(source)] == source and path != source:
            raise _DoesNotApplyError("a value cannot be moved into itself")
        return _add(_remove(target, source), path, value)
    raise _MalformedError(
        f'unknown op {op!r}; it must be "add", "remove", "replace", "move", "copy" or "test"'
    )


def _pointer(operation: Obj, name: str) -> list[str]:
    """The parts of an RFC 6901 pointer."""
    text = operation.get(name)
    if not isinstance(text, str):
        raise _MalformedError(f'"{name}" must be a string')
    if text and not text.startswith("/"):
        raise _MalformedError(f'"{name}" must start with "/", not {text!r}')
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _text(path: list[str]) -> str:
    return "/" + "/".join(path) if path else "the whole document"


def _get(target: Any, path: list[str]) -> Any:
    node = target
    for depth, part in enumerate(path):
        node = _child(node, part)
        if node is _MISSING:
            raise _DoesNotApplyError(f"{_text(path[: depth + 1])} does not exist")
    return node


def _child(node: Any, part: str) -> Any:
    if isinstance(node, dict):
        return cast("Obj", node).get(part, _MISSING)
    if isinstance(node, list):
        items = cast("list[Any]", node)
        index = _index(part, len(items) - 1)
        return items[index] if index is not None else _MISSING
    return _MISSING


def _index(part: str, last: int) -> int | None:
    """A list index within 0..last; no signs and no leading zeros (RFC 6901)."""
    if not (part.isascii() and part.isdigit()) or (part[0] == "0" and part != "0"):
        return None
    return int(part) if int(part) <= last else None


def _add(target: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value

    def insert(node: Any, part: str) -> Any:
        if isinstance(node, dict):
            return {**cast("Obj", node), part: value}
        if isinstance(node, list):
            items = cast("list[Any]", node)
            index = len(items) if part == "-" else _index(part, len(items))
            if index is None:
                raise _DoesNotApplyError(f"{_text(path)} is outside the list of {len(items)}")
            return [*items[:index], value, *items[index:]]
        raise _DoesNotApplyError(f"{_text(path[:-1])} is neither an object nor a list")

    return _edit(target, path, 0, insert)


def _replace(target: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value

    def put(node: Any, part: str) -> Any:
        if isinstance(node, dict):
            return {**cast("Obj", node), part: value}
        items = cast("list[Any]", node)
        return [*items[: int(part)], value, *items[int(part) + 1 :]]

    return _edit(target, path, 0, put)


def _remove(target: Any, path: list[str]) -> Any:
    if not path:
        raise _DoesNotApplyError("the whole document cannot be removed")
    _get(target, path)

    def drop(node: Any, part: str) -> Any:
        if isinstance(node, dict):
            return {name: value for name, value in cast("Obj", node).items() if name != part}
        items = cast("list[Any]", node)
        return [*items[: int(part)], *items[int(part) + 1 :]]

    return _edit(target, path, 0, drop)


def _edit(node: Any, path: list[str], depth: int, change: Any) -> Any:
    """A copy of the tree along the path, with `change` applied to the last container."""
    part = path[depth]
    if depth == len(path) - 1:
        return change(node, part)
    child = _child(node, part)
    if child is _MISSING:
        raise _DoesNotApplyError(f"{_text(path[: depth + 1])} does not exist")
    edited = _edit(child, path, depth + 1, change)
    if isinstance(node, dict):
        return {**cast("Obj", node), part: edited}
    items = cast("list[Any]", node)
    return [*items[: int(part)], edited, *items[int(part) + 1 :]]


def _same(a: Any, b: Any) -> bool:
    """Equality as JSON sees it: true is not 1, while 1 equals 1.0."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict) and isinstance(b, dict):
        left, right = cast("Obj", a), cast("Obj", b)
        return left.keys() == right.keys() and all(_same(left[k], right[k]) for k in left)
    if isinstance(a, list) and isinstance(b, list):
        one, two = cast("list[Any]", a), cast("list[Any]", b)
        return len(one) == len(two) and all(_same(x, y) for x, y in zip(one, two, strict=True))
    return a == b
