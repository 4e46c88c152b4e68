"""Strategic merge patch: merge patches that know which lists are sets or maps.

Pure: the inputs are never changed; results share unchanged parts with them. What the schema says
steers it: `merge` and `merge_key` of lists, `retain_keys` of unions. Directives in the patch:

    $patch: delete | replace | merge     of an object, or of an item in a merging list
    $retainKeys: [..]                    keys of the object to keep
    $deleteFromPrimitiveList/<field>     values to take out of a list of scalars
    $setElementOrder/<field>             the order of a merging list

Source: apimachinery `util/strategicpatch/patch.go`; docs "Update API Objects in Place".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from mizzen.base.errors import BadRequest
from mizzen.base.objects import Obj
from mizzen.kinds.reading import entries
from mizzen.kinds.schema import Schema

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def strategic_merge_patch(schema: Schema, obj: Obj, patch: Any) -> Obj:
    """The object with the patch merged in as the schema says.

    Errors: BadRequest for a patch that is no object, an unknown directive, or an item of a merging
    list that lacks its merge key.
    """
    if not isinstance(patch, dict):
        raise BadRequest("a strategic merge patch must be an object")
    return _merge_object(schema, obj, cast("Obj", patch))


def _merge_object(schema: Schema | None, target: Any, patch: Obj) -> Obj:
    directive = patch.get(_PATCH)
    if directive == "replace":
        return _clean({name: value for name, value in patch.items() if name != _PATCH})
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise BadRequest(f"invalid patch directive {directive!r}: use delete, replace or merge")
    result: Obj = dict(cast("Obj", target)) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        keep = _list_of(patch[_RETAIN], _RETAIN)
        _check_retained(patch, keep)
        result = {name: value for name, value in result.items() if name in keep}
    for name, value in patch.items():
        if name.startswith(_DELETE):
            field = name[len(_DELETE) :]
            gone = _list_of(value, name)
            result[field] = [v for v in entries(result, field) if v not in gone]
        elif not name.startswith("$"):
            _merge_field(_child(schema, name), result, name, value)
    for name, value in patch.items():
        if name.startswith(_ORDER):
            field = name[len(_ORDER) :]
            child = _child(schema, field)
            sent = patch.get(field)
            result[field] = _ordered(child, result.get(field), value, sent, target, field)
            if not result[field] and field not in patch and not _has(target, field):
                del result[field]
        elif (
            name.startswith("$") and name not in (_PATCH, _RETAIN) and not name.startswith(_DELETE)
        ):
            raise BadRequest(f"unknown directive {name!r} in a strategic merge patch")
    return result


def _has(target: Any, field: str) -> bool:
    return isinstance(target, dict) and field in target


def _check_retained(patch: Obj, keep: list[Any]) -> None:
    lost = [
        n for n, v in patch.items() if not n.startswith("$") and v is not None and n not in keep
    ]
    if lost:
        raise BadRequest(f"$retainKeys must list every field of the patch; it lacks {lost}")


def _child(schema: Schema | None, name: str) -> Schema | None:
    if schema is None:
        return None
    known = schema.resolve()
    child = known.fields.get(name) or known.values
    return child.resolve() if child is not None else None


def _merge_field(schema: Schema | None, result: Obj, name: str, value: Any) -> None:
    if value is None:
        result.pop(name, None)
    elif isinstance(value, dict):
        patch = cast("Obj", value)
        if patch.get(_PATCH) == "delete":
            result.pop(name, None)
        else:
            result[name] = _merge_object(schema, result.get(name), patch)
    elif isinstance(value, list):
        items = cast("list[Any]", value)
        if schema is None or not schema.merge or not isinstance(result.get(name), list):
            items = _as_new(schema, items, name)
            result[name] = items
        else:
            result[name] = _merge_list(schema, cast("list[Any]", result[name]), items, name)
    else:
        result[name] = value


def _as_new(schema: Schema | None, items: list[Any], name: str) -> list[Any]:
    """A list that meets nothing to merge with: its directives still mean something."""
    if schema is not None and schema.merge and schema.merge_key:
        return _merge_list(schema, [], items, name)
    return [_clean(item) for item in items if not _is_replace(item)]


def _is_replace(item: Any) -> bool:
    return isinstance(item, dict) and cast("Obj", item) == {_PATCH: "replace"}


def _clean(value: Any) -> Any:
    """New content without directives and nulls, as upstream discards them."""
    if isinstance(value, dict):
        source = cast("Obj", value)
        return {
            name: _clean(part)
            for name, part in source.items()
            if part is not None and not name.startswith("$")
        }
    if isinstance(value, list):
        return [_clean(part) for part in cast("list[Any]", value)]
    return value


def _merge_list(schema: Schema, target: list[Any], patch: list[Any], name: str) -> list[Any]:
    if any(_is_replace(item) for item in patch):
        return [_clean(item) for item in patch if not _is_replace(item)]
    if not schema.merge_key:
        return target + [item for item in _unique(patch) if item not in target]
    key = schema.merge_key
    result = list(target)
    for item in patch:
        if not isinstance(item, dict):
            raise BadRequest(f"items of {name} must be objects, since they merge by {key!r}")
        entry = cast("Obj", item)
        mark = entry.get(key)
        if mark is None:
            raise BadRequest(f"an item of {name} lacks its merge key {key!r}")
        directive = entry.get(_PATCH)
        found = next((i for i, old in enumerate(result) if _key_of(old, key) == mark), None)
        if directive == "delete":
            result = [old for old in result if _key_of(old, key) != mark]
        elif found is None:
            result.append(_merge_object(schema.items, {}, entry))
        else:
            result[found] = _merge_object(schema.items, result[found], entry)
    return result


def _unique(items: list[Any]) -> list[Any]:
    seen: list[Any] = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen


def _key_of(item: Any, key: str) -> Any:
    return cast("Mapping[str, Any]", item).get(key) if isinstance(item, dict) else item


def _ordered(
    schema: Schema | None, items: Any, order: Any, sent: Any, before: Any, field: str
) -> list[Any]:
    """The merged list in the order asked for.

    Items that the order does not name (added by others) keep their place relative to what stood
    before them in the old list, as upstream's `mergeSortedSlice` does.
    """
    key = schema.merge_key if schema is not None else ""
    wanted = [_key_of(item, key) if key else item for item in _list_of(order, _ORDER + field)]
    have: list[Any] = list(cast("list[Any]", items)) if isinstance(items, list) else []
    marks = [_key_of(item, key) if key else item for item in have]
    if isinstance(sent, list):
        for item in cast("list[Any]", sent):
            mark = _key_of(item, key) if key else item
            gone = isinstance(item, dict) and _PATCH in item
            if mark not in wanted and not gone:
                raise BadRequest(
                    f"{_ORDER}{field} must name every item of {field}; it lacks {mark!r}"
                )
    rank = {repr(mark): index for index, mark in enumerate(wanted)}
    named = sorted((i for i in range(len(have)) if repr(marks[i]) in rank),
                   key=lambda i: rank[repr(marks[i])])  # fmt: skip
    others = [i for i in range(len(have)) if repr(marks[i]) not in rank]
    old_marks = _old_order(before, field, key)
    return [have[i] for i in _interleave(named, others, marks, old_marks)]


def _old_order(before: Any, field: str, key: str) -> dict[str, int]:
    old = cast("Obj", before).get(field) if isinstance(before, dict) else None
    entries = cast("list[Any]", old) if isinstance(old, list) else []
    return {repr(_key_of(e, key) if key else e): index for index, e in enumerate(entries)}


def _interleave(
    named: list[int], others: list[int], marks: list[Any], old: dict[str, int]
) -> list[int]:
    """Merges both sequences: an item of `others` goes before a named one it stood before."""
    result: list[int] = []
    last = len(old)
    while named and others:
        ours = old.get(repr(marks[named[0]]), last)
        theirs = old.get(repr(marks[others[0]]), last)
        result.append(others.pop(0) if theirs < ours else named.pop(0))
    return result + named + others


def _list_of(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadRequest(f"{name} must be a list")
    return cast("list[Any]", value)
