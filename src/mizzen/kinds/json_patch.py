"""JSON patch as upstream's library applies it, pure: the inputs are never changed.

Where RFC 6902 and the library part ways, the library is followed, since clients' patches have met no
other: an object's member that is not there reads as null, so that `replace` makes it, `copy` copies
null and `test` finds it equal to null; indices may be negative and have signs and leading zeros; a
path's first part may be anything. Results share unchanged parts with the input.

Source: gopkg.in/evanphx/json-patch.v4; RFC 6902, RFC 6901.
"""

from __future__ import annotations

import re
from typing import Any, cast

import orjson

from mizzen.base.errors import BadRequest, Invalid, TooLarge
from mizzen.base.go_text import json_kind, type_name
from mizzen.base.limits import OBJECT_BYTES_MAX, OBJECT_DEPTH_MAX, with_room
from mizzen.base.objects import Obj

OPERATIONS_MAX = 10_000  # upstream's limit for JSON patches
COPIED_BYTES_MAX = OBJECT_BYTES_MAX  # by all copies of one patch: upstream's limit too
_INDEX = re.compile(r"[+-]?[0-9]{1,9}")  # no list has more than a thousand million items
_UNKNOWN = "unknown"
_MISSING: Any = object()


class DoesNotApply(Invalid):
    """What a JSON patch asks for cannot be done; nothing of it is."""


class FailedTest(DoesNotApply):
    """A `test` of a JSON patch does not hold, so that nothing of it is done."""


def json_patch(target: Any, operations: Any) -> Any:
    """The target after all operations, in order; what that costs is linear in target and patch.

    Errors: BadRequest when the patch is no list of objects; TooLarge when it has too many
    operations; DoesNotApply, in the words of upstream's library; Invalid when the result nests
    deeper than an object may.
    """
    if operations is None:
        return target
    if not isinstance(operations, list):
        raise BadRequest(f"json: cannot unmarshal {json_kind(operations)} into Go value of type "
                         "jsonpatch.Patch")  # fmt: skip
    steps = cast("list[Any]", operations)
    for step in steps:
        if step is not None and not isinstance(step, dict):
            raise BadRequest(f"json: cannot unmarshal {json_kind(step)} into Go value of type "
                             "jsonpatch.Operation")  # fmt: skip
    if len(steps) > OPERATIONS_MAX:
        raise TooLarge(
            f"The allowed maximum operations in a JSON patch is {OPERATIONS_MAX}, got {len(steps)}"
        )
    document = _Document(target)
    for step in steps:
        _apply(document, cast("Obj", step or {}))
    try:
        orjson.dumps(with_room(document.root))  # moves put deep things into deep things
    except TypeError as error:
        raise Invalid(
            "the JSON patch does not apply: its result is nested deeper than "
            f"{OBJECT_DEPTH_MAX} levels"
        ) from error
    return document.root


class _Document:
    """The object being patched. Each object and list is copied before its first change, once."""

    def __init__(self, root: Any) -> None:
        self.root = root
        self._own: dict[int, Any] = {}  # by id; kept here, so that ids stay theirs
        self._copied_bytes = 0

    def find(self, path: str, *, is_changed: bool = True) -> tuple[Any, str] | None:
        """The object or list that the path's last part is in, and that part; None if there is none.

        `is_changed`: it is ready to be changed.
        """
        parts = [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")]
        if len(parts) < 2 or len(parts) > OBJECT_DEPTH_MAX:
            return None
        if is_changed:
            self.root = self._owned(self.root)
        node: Any = self.root
        for part in parts[1:-1]:
            child: Any = _get(node, part)
            if not isinstance(child, dict | list):
                return None
            if is_changed:
                child = self._owned(child)
                node[part if isinstance(node, dict) else int(part)] = child
            node = cast("Any", child)
        return node, parts[-1]

    def copy(self, value: Any) -> Any:
        """A copy of its own. Errors: DoesNotApply."""
        if value is None:
            return None
        try:
            text = orjson.dumps(value)
        except TypeError as error:  # what orjson raises for what is nested too deeply
            raise DoesNotApply(f"error while performing deep copy: {error}") from error
        self._copied_bytes += len(text)
        if self._copied_bytes > COPIED_BYTES_MAX:
            raise DoesNotApply(
                f"Unable to complete the copy, the accumulated size increase of copy is "
                f"{self._copied_bytes}, exceeding the limit {COPIED_BYTES_MAX}"
            )
        return orjson.loads(text)

    def _owned(self, node: Any) -> Any:
        if id(node) in self._own or not isinstance(node, dict | list):
            return node
        mine = cast("Any", node).copy()
        self._own[id(mine)] = mine
        return mine


def _apply(document: _Document, step: Obj) -> None:
    op = step.get("op")
    match op if isinstance(op, str) else _UNKNOWN:
        case "add":
            node, part = _place(document, "add", _path(step, "add"), quote='"')
            _add(node, part, step.get("value"), "add", _path(step, "add"))
        case "remove":
            path = _path(step, "remove")
            node, part = _place(document, "remove", path, quote='"')
            _remove(node, part, "remove", path)
        case "replace":
            _replace(document, step)
        case "move":
            _move(document, step)
        case "test":
            _test(document, step)
        case "copy":
            _copy(document, step)
        case other:
            raise DoesNotApply(f"Unexpected kind: {other}")


def _replace(document: _Document, step: Obj) -> None:
    path, value = _path(step, "replace"), step.get("value")
    if path == "":
        if not isinstance(value, dict | list):
            raise DoesNotApply("replace operation value must be object or array: %!w(<nil>)")
        document.root = value
        return
    node, part = _place(document, "replace", path)
    if isinstance(node, list):
        if _get(node, part) is _MISSING:
            raise DoesNotApply(
                f"replace operation does not apply: doc is missing key: {path}: missing value"
            )
        node[int(part)] = value
    else:
        node[part] = value


def _move(document: _Document, step: Obj) -> None:
    source = _path(step, "move", "from")
    node, part = _place(document, "move", source, what="from path")
    value = _get(node, part)
    _remove(node, part, "move", part)
    path = _path(step, "move")
    node, part = _place(document, "move", path, what="destination path")
    _add(node, part, value, "move", path)


def _copy(document: _Document, step: Obj) -> None:
    source = _path(step, "copy", "from")
    node, part = _place(document, "copy", source, what="from path", is_changed=False)
    value = _get(node, part)
    if value is _MISSING:
        raise DoesNotApply(f"error in copy for from: '{source}': {_bad_index(part)}")
    path = _path(step, "copy")
    node, part = _place(document, "copy", path, what="destination path")
    _add(node, part, document.copy(value), "copy", path)


def _test(document: _Document, step: Obj) -> None:
    path, wanted = _path(step, "test"), step.get("value")
    found = document.root
    if path:
        node, part = _place(document, "test", path, is_changed=False)
        found = _get(node, part)
        if found is _MISSING:
            raise DoesNotApply(f"error in test for path: '{path}': {_bad_index(part)}")
    if not _same(found, wanted):
        raise FailedTest(f"testing value {path} failed: test failed")


def _path(step: Obj, op: str, name: str = "path") -> str:
    found = step.get(name)
    if not isinstance(found, str):
        raise DoesNotApply(f"{op} operation failed to decode {name}: missing value")
    return found


def _place(
    document: _Document, op: str, path: str, *, what: str = "path", quote: str = "",
    is_changed: bool = True,
) -> tuple[Any, str]:  # fmt: skip
    """Errors: DoesNotApply."""
    found = document.find(path, is_changed=is_changed)
    if found is None or not isinstance(found[0], dict | list):
        subject = "is" if op == "test" else "doc is"
        raise DoesNotApply(
            f"{op} operation does not apply: {subject} missing {what}: {quote}{path}{quote}: "
            "missing value"
        )
    return found


def _get(node: Any, part: str) -> Any:
    """What is there: null for an object's member that is not, _MISSING outside of a list."""
    if isinstance(node, dict):
        return cast("Obj", node).get(part)
    items = cast("list[Any]", node)
    index = _index(part, len(items))
    return items[index] if index is not None and index < len(items) else _MISSING


def _add(node: Any, part: str, value: Any, op: str, path: str) -> None:
    if isinstance(node, dict):
        node[part] = value
        return
    items = cast("list[Any]", node)
    index = len(items) if part == "-" else _index(part, len(items) + 1)
    if index is None or index > len(items):
        raise DoesNotApply(f"error in {op} for path: '{path}': {_bad_index(part)}")
    items.insert(index, value)


def _remove(node: Any, part: str, op: str, path: str) -> None:
    problem = ""
    if isinstance(node, dict):
        if part not in node:
            problem = f"Unable to remove nonexistent key: {part}: missing value"
        else:
            del node[part]
    elif _get(node, part) is _MISSING:
        problem = _bad_index(part)
    else:
        del node[int(part)]
    if problem:
        raise DoesNotApply(f"error in {op} for path: '{path}': {problem}")


def _index(part: str, count: int) -> int | None:
    """A list's index, negative ones from its end; None where it is none, or before the list."""
    if _INDEX.fullmatch(part) is None:
        return None
    index = int(part)
    if index >= 0:
        return index
    return index + count if index >= -count else None


def _bad_index(part: str) -> str:
    if _INDEX.fullmatch(part) is None:
        return f'strconv.Atoi: parsing "{part}": invalid syntax'
    return f"Unable to access invalid index: {int(part)}: invalid index referenced"


def _same(a: Any, b: Any) -> bool:
    """Equality of what is written: neither true nor 1.0 is 1."""
    if isinstance(a, dict) and isinstance(b, dict):
        left, right = cast("Obj", a), cast("Obj", b)
        return left.keys() == right.keys() and all(_same(left[k], right[k]) for k in left)
    if isinstance(a, list) and isinstance(b, list):
        one, two = cast("list[Any]", a), cast("list[Any]", b)
        return len(one) == len(two) and all(_same(x, y) for x, y in zip(one, two, strict=True))
    return type_name(a) == type_name(b) and bool(a == b)
