"""JSON merge patch and JSON patch, pure: the inputs are never changed.

Results share unchanged parts with the input; whoever changes them copies first (the API server
decodes the result, which copies). Strategic merge patch is in `strategic.py`, re-exported here.

Source: RFC 7386, RFC 6902, RFC 6901; limits of evanphx/json-patch as used upstream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from mizzen.base.errors import BadRequest, Invalid, TooLarge
from mizzen.base.limits import OBJECT_BYTES_MAX, OBJECT_DEPTH_MAX, with_room
from mizzen.base.objects import Obj
from mizzen.kinds.strategic import strategic_merge_patch

__all__ = ["json_patch", "merge_patch", "strategic_merge_patch"]

OPERATIONS_MAX = 10_000  # upstream's limit for JSON patches
COPIED_BYTES_MAX = OBJECT_BYTES_MAX  # by all copies of one patch: upstream's limit too
_INDEX_DIGITS_MAX = 9
_SHOWN_MAX = 200  # characters of a path in messages
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
    """The target after all operations, in order; what that costs is linear in target and patch.

    Errors: BadRequest when the patch itself is malformed; Invalid when it does not apply (a path
    that is not there, a failed test), naming the operation, or when it nests too deeply; TooLarge
    when its copies together are.
    """
    if not isinstance(operations, list):
        raise BadRequest("a JSON patch must be an array of operations")
    steps = cast("list[Any]", operations)
    if len(steps) > OPERATIONS_MAX:
        raise TooLarge(
            f"a JSON patch may have at most {OPERATIONS_MAX} operations, this one has {len(steps)}"
        )
    document = _Document(target)
    for index, step in enumerate(steps):
        try:
            _apply(document, step)
        except _DoesNotApplyError as error:
            refusal = FailedTest if isinstance(error, _FailedTestError) else Invalid
            raise refusal(f"the JSON patch does not apply: operation {index}: {error}") from error
        except _MalformedError as error:
            raise BadRequest(f"the JSON patch is malformed: operation {index}: {error}") from error
    try:
        orjson.dumps(with_room(document.root))  # moves put deep things into deep things
    except TypeError as error:
        raise Invalid(
            "the JSON patch does not apply: its result is nested deeper than "
            f"{OBJECT_DEPTH_MAX} levels"
        ) from error
    return document.root


class FailedTest(Invalid):
    """A `test` of a JSON patch does not hold, so that nothing of it is done."""


class _DoesNotApplyError(Exception):
    pass


class _FailedTestError(_DoesNotApplyError):
    pass


class _MalformedError(Exception):
    pass


class _Document:
    """The object being patched. Each object and list is copied before its first change, once."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self._own: dict[int, Any] = {}  # by id; kept here, so that ids stay theirs
        self._copied_bytes = 0

    def get(self, path: list[str]) -> Any:
        node = self.root
        for depth, part in enumerate(path):
            node = _child(node, part)
            if node is _MISSING:
                raise _DoesNotApplyError(f"{_text(path[: depth + 1])} does not exist")
        return node

    def add(self, path: list[str], value: Any) -> None:
        if not path:
            self.root = value
            return
        node, part = self._parent(path), path[-1]
        if isinstance(node, dict):
            node[part] = value
        elif isinstance(node, list):
            items = cast("list[Any]", node)
            index = len(items) if part == "-" else _index(part, len(items))
            if index is None:
                raise _DoesNotApplyError(f"{_text(path)} is outside the list of {len(items)}")
            items.insert(index, value)
        else:
            raise _DoesNotApplyError(f"{_text(path[:-1])} is neither an object nor a list")

    def replace(self, path: list[str], value: Any) -> None:
        self.get(path)
        if path:
            node, part = self._parent(path), path[-1]
            node[part if isinstance(node, dict) else int(part)] = value
        else:
            self.root = value

    def remove(self, path: list[str]) -> None:
        if not path:
            raise _DoesNotApplyError("the whole document cannot be removed")
        self.get(path)
        node, part = self._parent(path), path[-1]
        del node[part if isinstance(node, dict) else int(part)]

    def copy(self, path: list[str]) -> Any:
        """A copy of its own of what is there. Errors: TooLarge."""
        try:
            text = orjson.dumps(self.get(path))
        except TypeError as error:  # what orjson raises for what is nested too deeply
            raise _DoesNotApplyError(f"{_text(path)} cannot be copied: {error}") from error
        self._copied_bytes += len(text)
        if self._copied_bytes > COPIED_BYTES_MAX:
            raise TooLarge(
                f"the JSON patch is too large: its copies add {self._copied_bytes} bytes, "
                f"{COPIED_BYTES_MAX} are allowed"
            )
        return orjson.loads(text)

    def _parent(self, path: list[str]) -> Any:
        """The container that the last part of the path is in, ready to be changed."""
        if len(path) > OBJECT_DEPTH_MAX:
            raise _DoesNotApplyError(f"the path has more than {OBJECT_DEPTH_MAX} parts")
        node = self.root = self._owned(self.root)
        for depth, part in enumerate(path[:-1]):
            child = _child(node, part)
            if child is _MISSING:
                raise _DoesNotApplyError(f"{_text(path[: depth + 1])} does not exist")
            child = self._owned(child)
            node[part if isinstance(node, dict) else int(part)] = child
            node = child
        return node

    def _owned(self, node: Any) -> Any:
        if id(node) in self._own or not isinstance(node, dict | list):
            return node
        mine = cast("Any", node).copy()
        self._own[id(mine)] = mine
        return mine


def _apply(document: _Document, step: Any) -> None:
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
            document.add(path, value)
        elif op == "replace":
            document.replace(path, value)
        elif not _same(document.get(path), value):
            raise _FailedTestError(f"testing value {_text(path)} failed")
    elif op == "remove":
        document.remove(path)
    elif op == "copy":
        document.add(path, document.copy(_pointer(operation, "from")))
    elif op == "move":
        source = _pointer(operation, "from")
        value = document.get(source)
        if path[: len(source)] == source and path != source:
            raise _DoesNotApplyError("a value cannot be moved into itself")
        document.remove(source)
        document.add(path, value)
    else:
        raise _MalformedError(
            f'unknown op {op!r}; it must be "add", "remove", "replace", "move", "copy" or "test"'
        )


def _pointer(operation: Obj, name: str) -> list[str]:
    """The parts of an RFC 6901 pointer. Errors: _MalformedError, _DoesNotApplyError."""
    text = operation.get(name)
    if not isinstance(text, str):
        raise _MalformedError(f'"{name}" must be a string')
    if text and not text.startswith("/"):
        # As upstream, whose clients tell a path that leads nowhere from a patch that is none.
        raise _DoesNotApplyError(f'"{name}" must start with "/", not {text[:_SHOWN_MAX]!r}')
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _text(path: list[str]) -> str:
    text = "/" + "/".join(path)
    if len(text) > _SHOWN_MAX:
        text = text[:_SHOWN_MAX] + "..."
    return text if path else "the whole document"


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
    if len(part) > _INDEX_DIGITS_MAX:
        return None
    return int(part) if int(part) <= last else None


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
