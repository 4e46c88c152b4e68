"""Strategic merge patch: merge patches that know which lists are sets or maps.

Objects are never changed; results share unchanged parts with them. What the schema says steers it:
`merge` and `merge_key` of lists. Directives in the patch:

    $patch: delete | replace             of an object, or of an item in a merging list
    $retainKeys: [..]                    keys of the object to keep
    $deleteFromPrimitiveList/<field>     values to take out of a list of scalars
    $setElementOrder/<field>             the order of a merging list

In what meets nothing to merge with they are not understood: `$patch` takes what has it away, the
others stay, and are fields that nobody knows. All else follows upstream, its refusals too.

Source: apimachinery `util/strategicpatch/patch.go`, `util/mergepatch/errors.go`; docs "Update API
Objects in Place".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping
from typing import Any, cast

from mizzen.base.errors import BadRequest, Unclassified, unprocessable
from mizzen.base.go_text import printed, type_name
from mizzen.base.objects import Obj
from mizzen.kinds.schema import Schema
from mizzen.kinds.values import fresh, mark_of, one_of

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE = "$deleteFromPrimitiveList"
_ORDER = "$setElementOrder"
_GONE: Any = object()


def strategic_merge_patch(schema: Schema, obj: Obj, patch: Obj) -> Obj:
    """The object with the patch merged in as the schema says. Errors: BadRequest, Unclassified."""
    return merge_using_up(schema, obj, fresh(patch))


def merge_using_up(schema: Schema, obj: Obj, patch: Obj) -> Obj:
    """As `strategic_merge_patch`; directives that were followed are gone from the patch then, as
    from the one that upstream shows in refusals."""
    return _merge_object(schema, obj, patch)


def _merge_object(schema: Schema | None, target: Obj, patch: Obj) -> Obj:
    if _PATCH in patch:
        directive = patch[_PATCH]
        if directive == "replace":
            del patch[_PATCH]
            return patch
        if directive == "delete":
            return {}
        raise _unknown_directive(directive, patch)
    result = _retained(target, patch)
    for name in [each for each in patch if each.startswith(_ORDER)]:
        _put_in_order(schema, result, patch, name)
    for name, value in patch.items():
        if name.startswith(_DELETE):
            field = _directed(name, _DELETE)
            if value is None:
                result.pop(field, None)
            elif field in result and isinstance(result[field], list) and isinstance(value, list):
                _child(schema, field)
                gone = cast("list[Any]", value)
                _are_objects(result[field], gone)
                is_gone = one_of(gone)
                result[field] = [v for v in cast("list[Any]", result[field]) if not is_gone(v)]
        elif value is None:
            result.pop(name, None)
        else:
            _merge_field(schema, result, name, value)
    return result


def _retained(target: Obj, patch: Obj) -> Obj:
    """A copy of the target, of what `$retainKeys` keeps of it."""
    kept = patch.pop(_RETAIN, _GONE)
    if kept is _GONE:
        return dict(target)
    is_kept = one_of(_list_of(kept, _RETAIN))
    for name, value in patch.items():
        if value is not None and not name.startswith((_DELETE, _ORDER)) and not is_kept(name):
            raise _malformed(_RETAIN)
    return {name: value for name, value in target.items() if is_kept(name)}


def _merge_field(schema: Schema | None, result: Obj, name: str, value: Any) -> None:
    old = result.get(name, _GONE)
    if type(old) is not type(value):
        _without_nulls(value)
    if type(old) is not type(value) or not isinstance(value, dict | list):
        made = _undirected(value)
        if made is _GONE:
            result.pop(name, None)
        else:
            result[name] = made
    elif isinstance(value, dict):
        below = _child(schema, name)
        result[name] = _merge_object(below, cast("Obj", old), cast("Obj", value))
    else:
        items = cast("list[Any]", value)
        below = _child(schema, name)
        result[name] = _merge_list(below, old, items) if below and below.merge else items


def _child(schema: Schema | None, name: str) -> Schema | None:
    """The field's schema, None below what is anything. Errors: Unclassified."""
    if schema is None:
        return None
    known = schema.resolve()
    child = known.fields.get(name)
    if child is None:
        if known.type == "any" or (known.open and not known.fields):
            return None
        if known.fields:
            struct = known.name.rpartition(".")[2]
            raise Unclassified(
                f'unable to find api field in struct {struct} for the json field "{name}"'
            )
        raise Unclassified("merging an object in json but data type is not struct, instead is: map")
    return child.resolve()


def _undirected(value: Any) -> Any:
    """New content without what has a `$patch`, changed in place; _GONE if it has one itself."""
    if isinstance(value, dict):
        parts = cast("Obj", value)
        if _PATCH in parts:
            return _GONE
        for name, part in list(parts.items()):
            made = _undirected(part)
            if made is _GONE:
                del parts[name]
            else:
                parts[name] = made
    elif isinstance(value, list):
        made_items = map(_undirected, cast("list[Any]", value))
        return [item for item in made_items if item is not _GONE]
    return cast("Any", value)


def _without_nulls(value: Any) -> None:
    """Takes members that are null out of objects, in place."""
    if isinstance(value, dict):
        parts = cast("Obj", value)
        for name, part in list(parts.items()):
            if part is None:
                del parts[name]
            else:
                _without_nulls(part)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            _without_nulls(item)


# -- lists ----------------------------------------------------------------------------
def _merge_list(schema: Schema, target: list[Any], patch: list[Any]) -> list[Any]:
    if not target and not patch:
        return target
    key = schema.merge_key
    if not _are_objects(target, patch):
        there = {mark_of(item) for item in target}
        added = {mark_of(item): item for item in reversed(patch)}
        merged = target + [added[m] for m in dict.fromkeys(map(mark_of, patch)) if m not in there]
        return _patched_first(merged, target, patch, "")
    if not key:
        raise Unclassified("cannot merge lists without merge key for struct")
    target, patch = _followed(target, patch, key)
    return _patched_first(_merge_keyed(schema, target, patch), target, patch, key)


def _are_objects(*lists: list[Any]) -> bool:
    """Whether the items of both lists are objects, which all must be or none. Errors: ApiError."""
    names = {type_name(item) for items in lists for item in items}
    if type_name([]) in names:
        raise unprocessable()
    if len(names) > 1:
        raise Unclassified(f"list element types are not identical: {printed(lists)}")
    return names == {type_name({})}


def _followed(target: list[Any], patch: list[Any], key: str) -> tuple[list[Any], list[Any]]:
    """Target and patch after the directives of the patch's items. Errors: Unclassified."""
    plain: list[Any] = []
    gone: set[Hashable] = set()
    is_replaced = False
    for item in patch:
        if _PATCH not in item:
            plain.append(item)
            continue
        match item[_PATCH]:
            case "delete":
                if key not in item:
                    raise _no_merge_key(item, key)
                gone.add(mark_of(item[key]))
            case "replace":
                is_replaced = True
            case "merge":
                raise Unclassified("merging lists cannot yet be specified in the patch")
            case other:
                raise _unknown_directive(other, item)
    if is_replaced:
        return plain, []
    if gone:
        target = [item for item in target if mark_of(item.get(key)) not in gone]
    return target, plain


def _merge_keyed(schema: Schema, target: list[Any], patch: list[Any]) -> list[Any]:
    """A list merged by key. Keys that occur twice in it stay twice: the first is merged with."""
    key = schema.merge_key
    result: list[Any] = list(target)
    places: dict[Hashable, int] = {}
    for index, item in enumerate(result):
        places.setdefault(mark_of(_key_of(item, key)), index)
    for item in patch:
        if key not in item:
            raise _no_merge_key(item, key)
        index = places.setdefault(mark_of(item[key]), len(result))
        if index == len(result):
            result.append(item)
        else:
            result[index] = _merge_object(schema.items, result[index], item)
    return result


def _put_in_order(schema: Schema | None, result: Obj, patch: Obj, name: str) -> None:
    """Follows `$setElementOrder`, with the patch of the list that it orders."""
    order = patch.pop(name)
    if not isinstance(order, list):
        raise _wrong_type([], order)
    field = _directed(name, _ORDER)
    old, sent = result.get(field, _GONE), patch.get(field, _GONE)
    for each in (old, sent):
        if each is not _GONE and not isinstance(each, list):
            raise _wrong_type([], each)
    child = _child(schema, field)
    key = child.merge_key if child is not None else ""
    wanted = cast("list[Any]", order)
    _check_order(sent if sent is not _GONE else [], wanted, key)
    if sent is _GONE:
        if old is _GONE:
            return
        merged = cast("list[Any]", old)
    elif old is _GONE:
        merged = cast("list[Any]", _undirected(sent))
    else:
        merged = _merge_list(child, old, sent) if child and child.merge else sent
    have = cast("list[Any]", [] if old is _GONE else old)
    if not merged and not have and not sent:
        raise Unclassified("no elements in any of the given slices")
    result[field] = _ordered(merged, wanted, have, key)
    patch.pop(field, None)


def _check_order(sent: list[Any], order: list[Any], key: str) -> None:
    """Items of the patch must be in the order, one after the other. Errors: Unclassified."""
    if not sent or not order:
        return
    for item in sent if key else ():
        if not isinstance(item, dict):
            raise _wrong_type({}, item)
    left: list[Any] = [item for item in sent if _directive_of(item) != "delete"]
    at, place = 0, 0
    while at < len(left) and place < len(order):
        if _directive_of(left[at]) is not _GONE:
            at += 1
            continue
        item, place = order[place], place + 1
        if key and not isinstance(item, dict):
            raise _wrong_type({}, item)
        pair = cast("list[Obj]", [left[at], item] if key else [])
        for each in pair:
            if key not in each:
                raise _no_merge_key(each, key)
        at += mark_of(_key_of(left[at], key)) == mark_of(_key_of(item, key))
    if at < len(left):
        raise Unclassified(
            f"The order in patch list:\n{printed(sent)}\n doesn't match {_ORDER} list:\n"
            f"{printed(order)}\n"
        )


def _directive_of(item: Any) -> Any:
    return cast("Obj", item).get(_PATCH, _GONE) if isinstance(item, dict) else _GONE


def _patched_first(
    merged: list[Any], patch_into: list[Any], patch: list[Any], key: str
) -> list[Any]:
    """What is patched in the patch's order; the rest keeps its place before what was there, too.

    So what is new comes first. Source: strategicpatch `mergeSlice`, normalizeElementOrder.
    """
    return _ordered(merged, patch, patch_into, key)


def _ordered(items: list[Any], order: list[Any], before: list[Any], key: str) -> list[Any]:
    """Items in the order asked for.

    Items that the order does not name (added by others) keep their place relative to what stood
    before them in the old list, as upstream's `mergeSortedSlice` does. Errors: Unclassified.
    """
    if key:
        for item in (*items, *order):
            if not isinstance(item, dict):
                raise _wrong_type({}, item)
            if key not in item:
                raise _no_merge_key(cast("Obj", item), key)
    marks = _marks(items, key)
    wanted: dict[Hashable, deque[int]] = {}  # a key may be there more than once
    for index, mark in enumerate(_marks(order, key)):
        wanted.setdefault(mark, deque()).append(index)
    rank: dict[int, int] = {}
    for index, mark in enumerate(marks):
        if mark in wanted:
            ranks = wanted[mark]
            rank[index] = ranks.popleft() if len(ranks) > 1 else ranks[0]
    named = sorted(rank, key=lambda index: rank[index])
    others = [index for index in range(len(items)) if index not in rank]
    old = {mark: index for index, mark in enumerate(_marks(before, key))}
    return [items[index] for index in _interleave(named, others, marks, old)]


def _marks(items: list[Any], key: str) -> list[Hashable]:
    return [mark_of(_key_of(item, key)) for item in items]


def _key_of(item: Any, key: str) -> Any:
    """The merge key of an item: its key field, or itself if there is none."""
    if not key:
        return item
    return cast("Mapping[str, Any]", item).get(key) if isinstance(item, dict) else item


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


# -- refusals -------------------------------------------------------------------------
_FORMATS = {_RETAIN: "retainKeys", _DELETE: "primitive list", _ORDER: "setElementOrder list"}


def _malformed(directive: str) -> BadRequest:
    return BadRequest(f"invalid patch format of {_FORMATS[directive]}")


def _directed(name: str, directive: str) -> str:
    """The field that a directive is about. Errors: BadRequest."""
    found, slash, field = name.partition("/")
    if found != directive or not slash:
        raise _malformed(directive)
    return field


def _list_of(value: Any, directive: str) -> list[Any]:
    if not isinstance(value, list):
        raise _malformed(directive)
    return cast("list[Any]", value)


def _unknown_directive(directive: Any, found: Obj) -> Unclassified:
    shown = directive if isinstance(directive, str) else f"%!s({type_name(directive)})"
    return Unclassified(f"unknown patch type: {shown} in map: {printed(found)}")


def _no_merge_key(item: Obj, key: str) -> Unclassified:
    return Unclassified(f"map: {printed(item)} does not contain declared merge key: {key}")


def _wrong_type(expected: Any, found: Any) -> Unclassified:
    return Unclassified(f"expected a {type_name(expected)}, but received a {type_name(found)}")
