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

from collections import deque
from collections.abc import Callable, Hashable, Mapping
from typing import Any, cast

from mizzen.base.errors import BadRequest
from mizzen.base.objects import Obj
from mizzen.kinds.reading import entries
from mizzen.kinds.report import quoted
from mizzen.kinds.schema import Schema
from mizzen.kinds.values import mark_of, one_of

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_GONE: Any = object()


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
        is_kept = one_of(_list_of(patch[_RETAIN], _RETAIN))
        _check_retained(patch, is_kept)
        result = {name: value for name, value in result.items() if is_kept(name)}
    for name, value in patch.items():
        if name.startswith(_DELETE):
            field = name[len(_DELETE) :]
            is_gone = one_of(_list_of(value, name))
            if field in result:
                result[field] = [v for v in entries(result, field) if not is_gone(v)]
        elif not name.startswith("$"):
            _merge_field(_child(schema, name), result, name, value)
    for name, value in patch.items():
        if name.startswith(_ORDER):
            field = name[len(_ORDER) :]
            child = _child(schema, field)
            sent = patch.get(field)
            ordered = _ordered(child, result.get(field), value, sent, target, field)
            if ordered or field in result:
                result[field] = ordered
        elif (
            name.startswith("$") and name not in (_PATCH, _RETAIN) and not name.startswith(_DELETE)
        ):
            raise BadRequest(f"unknown directive {name!r} in a strategic merge patch")
    return result


def _check_retained(patch: Obj, is_kept: Callable[[Any], bool]) -> None:
    lost = [
        n for n, v in patch.items() if not n.startswith("$") and v is not None and not is_kept(n)
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
            fresh = _as_new(schema, items, name)
            if fresh or not items:  # what holds nothing but deletions makes nothing
                result[name] = fresh
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
        there = {mark_of(item) for item in target}
        added = {mark_of(item): item for item in reversed(patch)}
        merged = target + [added[m] for m in dict.fromkeys(map(mark_of, patch)) if m not in there]
    else:
        merged = _merge_keyed(schema, target, patch, name)
    return _patched_first(merged, target, patch, schema.merge_key)


def _patched_first(merged: list[Any], before: list[Any], patch: list[Any], key: str) -> list[Any]:
    """What is patched in the patch's order; the rest keeps its place before what was there, too.

    So what is new comes first. Source: strategicpatch `mergeSlice`, normalizeElementOrder.
    """
    marks = _marks(merged, key)
    places: dict[Hashable, deque[int]] = {}  # a key may be there more than once
    for index, mark in enumerate(marks):
        places.setdefault(mark, deque()).append(index)
    wanted = dict.fromkeys(_marks(patch, key))
    named = [index for mark in wanted for index in places.get(mark, ())]
    taken = set(named)
    others = [index for index in range(len(merged)) if index not in taken]
    old = {mark: index for index, mark in enumerate(_marks(before, key))}
    return [merged[index] for index in _interleave(named, others, marks, old)]


def _merge_keyed(schema: Schema, target: list[Any], patch: list[Any], name: str) -> list[Any]:
    """A list merged by key. Keys that occur twice in it stay twice: the first is merged with."""
    key = schema.merge_key
    result: list[Any] = list(target)
    places: dict[Hashable, list[int]] = {}
    for index, item in enumerate(result):
        places.setdefault(mark_of(_key_of(item, key)), []).append(index)
    for item in patch:
        if not isinstance(item, dict):
            raise BadRequest(f"items of {name} must be objects, since they merge by {key!r}")
        entry = cast("Obj", item)
        if entry.get(key) is None:
            raise BadRequest(f"an item of {name} lacks its merge key {key!r}")
        mark = mark_of(entry[key])
        if entry.get(_PATCH) == "delete":
            for index in places.pop(mark, ()):
                result[index] = _GONE
        elif mark in places:
            index = places[mark][0]
            result[index] = _merge_object(schema.items, result[index], entry)
        else:
            places[mark] = [len(result)]
            result.append(_merge_object(schema.items, {}, entry))
    return [item for item in result if item is not _GONE]


def _key_of(item: Any, key: str) -> Any:
    """The merge key of an item: its key field, or itself if there is none."""
    if not key:
        return item
    return cast("Mapping[str, Any]", item).get(key) if isinstance(item, dict) else item


def _ordered(
    schema: Schema | None, items: Any, order: Any, sent: Any, before: Any, field: str
) -> list[Any]:
    """The merged list in the order asked for.

    Items that the order does not name (added by others) keep their place relative to what stood
    before them in the old list, as upstream's `mergeSortedSlice` does.
    """
    key = schema.merge_key if schema is not None else ""
    have: list[Any] = list(cast("list[Any]", items)) if isinstance(items, list) else []
    marks = _marks(have, key)
    wanted: dict[Hashable, deque[int]] = {}  # a key may be there more than once
    for index, mark in enumerate(_marks(_list_of(order, _ORDER + field), key)):
        wanted.setdefault(mark, deque()).append(index)
    if isinstance(sent, list):
        for item in cast("list[Any]", sent):
            gone = isinstance(item, dict) and _PATCH in item
            if not gone and mark_of(_key_of(item, key)) not in wanted:
                shown = quoted(_key_of(item, key))
                raise BadRequest(
                    f"{_ORDER}{field} must name every item of {field}; it lacks {shown}"
                )
    rank: dict[int, int] = {}
    for index, mark in enumerate(marks):
        if mark in wanted:
            ranks = wanted[mark]
            rank[index] = ranks.popleft() if len(ranks) > 1 else ranks[0]
    named = sorted(rank, key=lambda index: rank[index])
    others = [index for index in range(len(have)) if index not in rank]
    old = cast("Obj", before).get(field) if isinstance(before, dict) else None
    old_marks = _marks(cast("list[Any]", old), key) if isinstance(old, list) else []
    old_order = {mark: index for index, mark in enumerate(old_marks)}
    return [have[i] for i in _interleave(named, others, marks, old_order)]


def _marks(items: list[Any], key: str) -> list[Hashable]:
    return [mark_of(_key_of(item, key)) for item in items]


def _interleave(
    named: list[int], others: list[int], marks: list[Hashable], old: Mapping[Hashable, int]
) -> list[int]:
    """Merges both sequences: an item of `others` goes before a named one it stood before.

    A named one that is new goes before all that are left.
    """
    result: list[int] = []
    last, at = len(old), 0
    for index in named:
        place = old.get(marks[index], -1)
        while at < len(others) and old.get(marks[others[at]], last) < place:
            result.append(others[at])
            at += 1
        result.append(index)
    return result + others[at:]


def _list_of(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadRequest(f"{name} must be a list")
    return cast("list[Any]", value)
