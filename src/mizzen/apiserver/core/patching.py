"""Patches of requests: what they make of an object, and how upstream shows them in refusals.

Source: apiserver `endpoints/handlers/patch.go`.
"""

from __future__ import annotations

from typing import Any, cast

from mizzen.apiserver.core import go_errors
from mizzen.base.errors import BadRequest, UnsupportedMediaType, unprocessable
from mizzen.base.go_text import json_kind, marshalled, printed
from mizzen.base.objects import Obj
from mizzen.kinds.kind import JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Kind
from mizzen.kinds.patches import DoesNotApply, json_patch, merge_patch
from mizzen.kinds.report import Path
from mizzen.kinds.restoring import restored
from mizzen.kinds.schema import Schema
from mizzen.kinds.strategic import merge_using_up
from mizzen.kinds.values import fresh


class Patch:
    """A change of an object that leaves the original alone. This one is a merge patch."""

    says_type = True  # what comes of it is read as the type that it gives itself

    def __init__(self, change: Any) -> None:
        self._change = change

    def __call__(self, obj: Obj) -> Any:
        """The object with the change. Errors: ApiError."""
        return merge_patch(obj, self._change)

    def shown(self, patched: Any) -> str:
        """The patched object as refusals of it show it."""
        return marshalled(patched, is_map=True)

    def misfit(self, schema: Schema, path: Path, value: Any, written: str = "") -> str:
        """The problem with a value of the patched object that does not fit its field; `written`: a
        number as the patch has it at this path."""
        return go_errors.misfit(schema, path, value, written)

    def again(self, schema: Schema, patched: Obj) -> Obj:
        """The patched object as it is read where something is wrong with it: as Go's encoder writes
        maps, in order by name."""
        return _in_order(patched)


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        obj = cast("Obj", value)
        return {name: _in_order(obj[name]) for name in sorted(obj)}
    if isinstance(value, list):
        return [_in_order(each) for each in cast("list[Any]", value)]
    return value


class JsonPatch(Patch):
    def __call__(self, obj: Obj) -> Any:
        try:
            return json_patch(obj, self._change)
        except DoesNotApply as error:
            raise unprocessable() from error


class StrategicPatch(Patch):
    says_type = False

    def __init__(self, change: Any, schema: Schema) -> None:
        super().__init__(change)
        self._schema = schema
        self._used: Any = change

    def __call__(self, obj: Obj) -> Any:
        self._used = fresh(self._change)
        return merge_using_up(self._schema, obj, self._used)

    def shown(self, patched: Any) -> str:
        return printed(self._used)

    def misfit(self, schema: Schema, path: Path, value: Any, written: str = "") -> str:
        return go_errors.unrestorable(schema, path, value, written)

    def again(self, schema: Schema, patched: Obj) -> Obj:
        return restored(schema, patched)


def check_type(content_type: str, kind: Kind, *, is_builtin: bool) -> None:
    """Errors: UnsupportedMediaType."""
    if content_type not in kind.patch_types:
        if is_builtin:  # upstream's router refuses it, and says no more
            error = UnsupportedMediaType("415: Unsupported Media Type")
            error.has_details = True
            raise error
        raise UnsupportedMediaType(
            "the body of the request was in an unknown format - accepted media types include: "
            f"{', '.join(kind.patch_types)}"
        )


def unread(content_type: str, level: str, problem: str) -> BadRequest:
    """The refusal of a body that is no JSON: a strict reader tells the problem, and who merges what
    was read loosely tells none."""
    if content_type == MERGE_PATCH and level == "Ignore":
        return BadRequest(_BAD_MERGE)
    is_told_apart = content_type != STRATEGIC_PATCH and level != "Ignore"
    return BadRequest(f"{_UNDECODED}{problem}" if is_told_apart else problem)


def patch_of(content_type: str, schema: Schema, body: Any, level: str) -> Patch:
    """Of what has this schema; `level`: of fieldValidation. Errors: BadRequest."""
    if content_type == JSON_PATCH:
        if level != "Ignore":
            _check_operations(body)
        return JsonPatch(body)
    if content_type == MERGE_PATCH:
        if isinstance(body, dict):
            return Patch(body)
        if body is not None and level != "Ignore":
            raise BadRequest(_UNDECODED + _no_map(body))
        if not isinstance(body, list):
            raise BadRequest(_BAD_MERGE)
        return Patch(cast("list[Any]", body))
    if body is not None and not isinstance(body, dict):
        raise BadRequest(_no_map(body))
    return StrategicPatch(body or {}, schema)


_UNDECODED = "error decoding patch: "
_BAD_MERGE = "Invalid JSON Patch"


def _no_map(body: Any) -> str:
    return (
        f"json: cannot unmarshal {json_kind(body)} into Go value of type map[string]interface {{}}"
    )


def _check_operations(body: Any) -> None:
    """Errors: BadRequest, as the strict decoder finds what the patch's own reader would not."""
    problem = ""
    if body is not None and not isinstance(body, list):
        problem = f"{json_kind(body)} into Go value of type []handlers.jsonPatchOp"
    for step in cast("list[Any]", body) if isinstance(body, list) else ():
        problem = problem or _problem(step)
    if problem:
        raise BadRequest(f"{_UNDECODED}json: cannot unmarshal {problem}")


def _problem(step: Any) -> str:
    if step is None:
        return ""
    if not isinstance(step, dict):
        return f"{json_kind(step)} into Go value of type handlers.jsonPatchOp"
    operation = cast("Obj", step)
    for name in ("op", "path", "from"):
        value = operation.get(name)
        if value is not None and not isinstance(value, str):
            return f"{json_kind(value)} into Go struct field jsonPatchOp.{name} of type string"
    return ""
