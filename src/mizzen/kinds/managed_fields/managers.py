"""Managers: who owns which fields, after an update and after an applied configuration.

Source: apimachinery `util/managedfields/internal`, structured-merge-diff `merge/update.go`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from mizzen.base.objects import Obj
from mizzen.kinds.managed_fields import merging, sets
from mizzen.kinds.managed_fields.sets import SELF, Fields
from mizzen.kinds.managed_fields.walking import Comparison, Walker, compare, fields_of
from mizzen.kinds.schema import Schema

APPLY, UPDATE = "Apply", "Update"
UPDATERS_MAX = 10  # entries of operation Update
ANCIENT = "ancient-changes"  # what more than those have set
BEFORE_FIRST_APPLY = "before-first-apply"
UNKNOWN = "unknown"
_FIELDS_TYPE = "FieldsV1"
# Nobody's: the server sets them, or the request's path names them.
_STRIPPED = tuple(
    f"f:{name}"
    for name in (
        "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation",
        "managedFields", "resourceVersion",
    )
)  # fmt: skip


class Id(NamedTuple):
    """What tells managers of an object apart; an applier stays one whatever version it applies."""

    manager: str
    operation: str
    subresource: str = ""
    api_version: str = ""  # "" for Apply


class Entry(NamedTuple):
    """The fields of one manager, in order by name."""

    api_version: str
    fields: Fields
    time: str | None = None


Managers = dict[Id, Entry]


class Context(NamedTuple):
    """How the objects of a kind are gone through.

    `is_served` says of an apiVersion whether there still is one; `reset` are the fields that this
    kind of write cannot set; `implied` as in `walking`; `whole` gives every field of an object.
    """

    schema: Schema
    api_version: str
    implied: Mapping[str, Any]
    reset: Fields
    whole: Walker
    is_served: Callable[[str], bool]
    is_typed: bool = True  # upstream has Go types, which know no null


class Conflicts(Exception):
    """Fields that others own and the configuration would change, by their owners."""

    def __init__(self, found: Mapping[Id, Fields]) -> None:
        super().__init__("conflicts")
        self.found = found


class Malformed(Exception):
    """Managed fields that nobody can read; the message says why."""


def decode(entries: Sequence[Any], *, is_stored: bool = False) -> Managers:
    """`is_stored`: these were checked before they were written. Errors: Malformed."""
    found: Managers = {}
    for index, given in enumerate(entries):
        entry = cast("Obj", given) if isinstance(given, dict) else {}
        operation, version = entry.get("operation"), entry.get("apiVersion")
        if operation not in (APPLY, UPDATE):
            raise Malformed("operation must be `Apply` or `Update`")
        if not isinstance(version, str) or not version:
            raise Malformed("apiVersion must not be empty")
        if entry.get("fieldsType") != _FIELDS_TYPE:
            raise Malformed(f"missing fieldsType in managed fields entry {index}")
        fields = entry.get("fieldsV1")
        if fields is None:
            fields = {}
        if not is_stored:
            if not sets.valid(fields):
                raise Malformed(f"error decoding set: entry {index}")
            fields = sets.in_order(cast("Fields", fields))
        manager = Id(
            str(entry.get("manager") or ""),
            operation,
            str(entry.get("subresource") or ""),
            "" if operation == APPLY else version,
        )
        found[manager] = Entry(version, cast("Fields", fields), entry.get("time"))
    return found


def encode(managers: Managers) -> list[Obj]:
    """The entries as objects hold them: appliers first, then by time and name."""
    if len(managers) == 1:
        return [_encoded(manager, entry) for manager, entry in managers.items()]
    return encode_all(managers.items())


def encode_all(entries: Iterable[tuple[Id, Entry]]) -> list[Obj]:
    """The same, where one manager may have several entries."""
    return [
        _encoded(manager, entry)
        for manager, entry in sorted(
            entries,
            key=lambda item: (
                item[0].operation, item[1].time or "", item[0].manager, item[1].api_version,
                item[0].subresource,
            ),
        )
    ]  # fmt: skip


def _encoded(manager: Id, entry: Entry) -> Obj:
    version, fields, time = entry
    result: Obj = {
        "manager": manager.manager, "operation": manager.operation, "apiVersion": version,
    }  # fmt: skip
    if time is not None:
        result["time"] = time
    result["fieldsType"], result["fieldsV1"] = _FIELDS_TYPE, fields
    if manager.subresource:
        result["subresource"] = manager.subresource
    return result


def updated(
    context: Context, old: Obj, new: Obj, managers: Managers, own: Id, now: str
) -> Managers:
    """The managers after a write by `own` made `new` of `old`. Errors: elements.NoElement."""
    difference = compare(context.schema, old, new, context.implied)
    if difference.is_same:
        return managers
    removed, modified, added = _without_reset(context, difference)
    changed = sets.union(modified, added)
    fields = sets.in_order(stripped(changed))
    # What would be taken from `own` and given back at once is left where it is.
    spared = own if fields and not removed and fields == changed else None
    result = _taken(context, changed, removed, managers, spared, is_forced=True)
    if fields:
        previous = result.get(own)
        if previous is not None:
            fields = sets.union(previous.fields, fields)
        result[own] = Entry(context.api_version, fields, now)
    return _capped(result)


def stripped(fields: Fields) -> Fields:
    """The set without what nobody owns."""
    if "f:apiVersion" in fields or "f:kind" in fields:
        fields = {n: c for n, c in fields.items() if n not in ("f:apiVersion", "f:kind")}
    metadata = cast("Fields | None", fields.get("f:metadata"))
    if metadata is None:
        return fields
    metadata = {n: c for n, c in metadata.items() if n != SELF and n not in _STRIPPED}
    if metadata:
        return {**fields, "f:metadata": metadata}
    return {n: c for n, c in fields.items() if n != "f:metadata"}


def _without_reset(context: Context, difference: Comparison) -> Comparison:
    """The difference without what this path of the API leaves as it was."""
    if not (reset := context.reset):
        return difference
    return Comparison(*(sets.without(fields, reset) for fields in difference))


def _taken(
    context: Context,
    changed: Fields,
    removed: Fields,
    managers: Managers,
    own: Id | None,
    *,
    is_forced: bool,
) -> Managers:
    """The managers without what was changed or removed; all but `own`, whose is what it says.

    Errors: Conflicts unless it is forced.
    """
    result: Managers = {}
    conflicts: dict[Id, Fields] = {}
    for manager, entry in managers.items():
        if manager == own:
            result[manager] = entry
            continue
        if not context.is_served(entry.api_version):
            continue
        fields = entry.fields
        conflict = sets.intersection(fields, changed)
        if conflict:
            conflicts[manager] = conflict
            fields = sets.difference(fields, conflict)
        if removed:
            fields = sets.difference(fields, removed)
        if fields:
            is_same = fields is entry.fields or fields == entry.fields
            result[manager] = entry if is_same else Entry(entry.api_version, fields, entry.time)
    if conflicts and not is_forced:
        raise Conflicts(conflicts)
    return result


def applied(
    context: Context,
    live: Obj,
    config: Obj,
    managers: Managers,
    own: Id,
    *,
    is_forced: bool,
) -> tuple[Obj, Managers]:
    """The object after `own` applied a configuration, and its managers; the time is not set.

    The configuration replaces what this manager applied before: what it no longer mentions and
    nobody else owns is removed. Errors: Conflicts, elements.NoElement.
    """
    whole = merged = merging.merge(context.schema, live, config)
    last = managers.get(own)
    fields = sets.in_order(sets.without(fields_of(context.schema, config), context.reset))
    entry = Entry(context.api_version, fields, last.time if last is not None else None)
    result: Managers = {**managers, own: entry}
    is_known = last is not None and last.fields and context.is_served(last.api_version)
    if last is not None and is_known and not _says_as_much(config, fields, last.fields):
        merged = _pruned(context.schema, merged, result, last.fields)
    difference = compare(context.schema, live, merged, context.implied)
    if merged is not whole:
        merged = merging.settle_emptied(merged, is_typed=context.is_typed)
    removed, modified, added = _without_reset(context, difference)
    changed = sets.union(modified, added)
    result = _taken(context, changed, removed, result, own, is_forced=is_forced)
    fields = stripped(fields)
    if fields:
        result[own] = entry._replace(fields=fields)
    else:
        result.pop(own, None)
    return merged, result


def _says_as_much(config: Any, fields: Fields, last: Fields) -> bool:
    """True if a configuration has all that was applied last, each with a value: nothing can go."""
    return not sets.difference(last, fields) and not _has_empty(config)


def _has_empty(value: Any) -> bool:
    """True if there is a null, an empty map or an empty list in it."""
    if isinstance(value, dict):
        return not value or any(map(_has_empty, cast("Obj", value).values()))
    if isinstance(value, list):
        return not value or any(map(_has_empty, cast("list[Any]", value)))
    return value is None


def _pruned(schema: Schema, merged: Obj, managers: Managers, last: Fields) -> Obj:
    """Without what was applied last time, is not now, and nobody owns.

    What is emptied by that stays, as EMPTIED: it is whoever's it was.
    """

    def named(fields: Fields) -> Fields:
        return merging.with_named_fields(schema, fields)

    last = named(last)
    whole = named(fields_of(schema, merged))
    owned: Fields = {}
    for entry in managers.values():
        owned = sets.union(owned, entry.fields)
    left = merging.remove(schema, merged, last)
    # What others own stays, and so does what this manager never had.
    kept = sets.union(named(fields_of(schema, left)), named(owned))
    left = merging.remove(schema, merged, sets.difference(whole, kept))
    gone = sets.difference(whole, named(fields_of(schema, left)))
    gone = sets.intersection(gone, last)
    return merging.remove(schema, merged, gone) if gone else merged


def _capped(managers: Managers) -> Managers:
    """At most UPDATERS_MAX entries of updates: of more, the oldest become one of each version."""
    updaters = [manager for manager in managers if manager.operation == UPDATE]
    count = len(updaters)
    if count <= UPDATERS_MAX:
        return managers
    result = dict(managers)
    updaters.sort(key=lambda manager: (managers[manager].time or "", manager))
    first: dict[str, Id] = {}
    for manager in updaters:
        if count <= UPDATERS_MAX:
            break
        entry = managers[manager]
        bucket = Id(ANCIENT, UPDATE, "", entry.api_version)
        earlier = first.setdefault(entry.api_version, manager)
        if earlier == manager:
            continue
        if bucket not in result:
            result[bucket] = result.pop(earlier)
        fields = sets.union(entry.fields, result[bucket].fields)
        result[bucket] = Entry(entry.api_version, fields, entry.time)
        if manager != bucket:
            del result[manager]
            count -= 1
    return result
