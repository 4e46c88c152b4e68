"""Who manages which fields of the objects that requests write.

Source: apiserver `endpoints/handlers/fieldmanager`, KEP-555.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from mizzen.apiserver.core.last_applied import (
    KUBECTL,
    fields_to_take_over,
    last_applied,
    noted,
)
from mizzen.base.errors import BadRequest, Cause, Conflict
from mizzen.base.limits import OBJECT_DEPTH_MAX
from mizzen.base.objects import Obj
from mizzen.kinds.kind import Kind
from mizzen.kinds.managed_fields import managers, sets
from mizzen.kinds.managed_fields.elements import NoElement, shown
from mizzen.kinds.managed_fields.implied_fields import implied_fields
from mizzen.kinds.managed_fields.managers import (
    APPLY,
    BEFORE_FIRST_APPLY,
    UPDATE,
    Conflicts,
    Context,
    Entry,
    Id,
    Malformed,
    Managers,
)
from mizzen.kinds.managed_fields.reset_fields import reset_fields
from mizzen.kinds.managed_fields.sets import Fields
from mizzen.kinds.managed_fields.walking import walker_of

# Of the sets of custom objects: deeper ones are not tracked, since an object has a greatest depth.
DEPTH_MAX = OBJECT_DEPTH_MAX - 10
_NONE: Obj = {}
_NOTHING: Obj = {"metadata": _NONE}
# Fields of the metadata that no comparison needs: they are nobody's.
_LEFT_OUT = ("managedFields", "resourceVersion", "generation")


class Writer(NamedTuple):
    """On whose behalf fields are set: the manager's name, and the subresource it writes to."""

    manager: str
    subresource: str = ""


def track_create(kind: Kind, new: Obj, writer: Writer, now: str, *, is_builtin: bool) -> None:
    """Records who made an object, in place; `new` has its defaults."""
    metadata = new["metadata"]
    given = metadata.pop("managedFields", None)
    context = _context(kind, writer.subresource, is_builtin, lambda version: True)
    if given and not _is_reset(given) and _can_be_read(given):
        metadata["managedFields"] = _updated(context, _NONE, new, given, writer, now)
        return
    try:
        fields = context.whole(new)
    except NoElement:
        return
    fields = sets.in_order(managers.stripped(sets.without(fields, context.reset)))
    if fields and (is_builtin or sets.depth(fields) <= DEPTH_MAX):
        own = _own(writer, context)
        metadata["managedFields"] = managers.encode({own: Entry(context.api_version, fields, now)})


def track_update(
    kind: Kind,
    old: Obj,
    new: Obj,
    given: Any,
    writer: Writer,
    now: str,
    *,
    is_builtin: bool,
    is_served: Callable[[str], bool],
) -> None:
    """Records who changed what, in place. `given` are the managed fields of the request itself."""
    context = _context(kind, writer.subresource, is_builtin, is_served)
    stored: list[Any] = old["metadata"].get("managedFields") or _NO_ENTRIES
    if writer.subresource or given is None or given is stored or given == stored:
        given = stored
    elif _is_reset(given):
        # Of custom objects an empty list is as none at all: upstream keeps them untyped.
        given = list[Any]() if is_builtin or given else stored
    elif not _can_be_read(given):
        given = stored
    if not given:  # never tracked and not begun by an update, or forgotten by this very one
        new["metadata"].pop("managedFields", None)
        return
    found = _updated(context, old, new, given, writer, now)
    if found:
        new["metadata"]["managedFields"] = found
    else:
        new["metadata"].pop("managedFields", None)


def _updated(
    context: Context, old: Obj, new: Obj, given: list[Any], writer: Writer, now: str
) -> list[Obj]:
    try:
        stored = old["metadata"].get("managedFields") if old else None
        before = managers.decode(given, is_stored=given is stored)
        own = _own(writer, context)
        after = managers.updated(context, _plain(old), _plain(new), before, own, now)
    except (Malformed, NoElement):
        return cast("list[Obj]", given)  # as upstream: no write fails by them
    if after is before:
        return cast("list[Obj]", given)
    return managers.encode(after)


def apply(
    kind: Kind,
    live: Obj | None,
    config: Obj,
    writer: Writer,
    now: str,
    *,
    is_forced: bool,
    is_builtin: bool,
    is_served: Callable[[str], bool],
) -> Obj:
    """The object that an applied configuration makes, its managed fields included.

    `live` None: there is none yet. Errors: Conflict with its causes; BadRequest.
    """
    context = _context(kind, writer.subresource, is_builtin, is_served)
    own = Id(writer.manager, APPLY, writer.subresource)
    before = _plain(live) if live is not None else _NONE
    stored: list[Any] = (live or _NOTHING)["metadata"].get("managedFields") or []
    try:
        found = managers.decode(stored, is_stored=True)
        if not found and live is not None:
            found = _before_first_apply(context, before, writer, now)
        merged, after = _applied(context, before, config, found, own, is_forced)
    except Malformed as error:
        raise BadRequest(f"failed to decode managed fields: {error}") from error
    except NoElement as error:
        raise BadRequest(f"failed to create typed patch object: {error}") from error
    except Conflicts as error:
        raise conflict(error.found) from error
    if writer.manager == KUBECTL and last_applied(merged):
        merged = noted(merged, config)
    if merged != before and own in after:
        after[own] = Entry(after[own].api_version, after[own].fields, now)
    metadata = dict(merged["metadata"])
    if live is not None:
        metadata |= {n: live["metadata"][n] for n in _LEFT_OUT if n in live["metadata"]}
    encoded = managers.encode(after)
    if encoded:
        metadata["managedFields"] = stored if encoded == stored else encoded
    else:
        metadata.pop("managedFields", None)
    return {**merged, "metadata": metadata}


def _applied(
    context: Context, live: Obj, config: Obj, found: Managers, own: Id, is_forced: bool
) -> tuple[Obj, Managers]:
    """Errors: Conflicts; kubectl's are none where client-side apply set the field before."""
    try:
        return managers.applied(context, live, config, found, own, is_forced=is_forced)
    except Conflicts as error:
        if own.manager != KUBECTL or not (free := fields_to_take_over(context, live)):
            raise
        left = {who: sets.difference(fields, free) for who, fields in error.found.items()}
        left = {who: fields for who, fields in left.items() if fields}
        if left:
            raise Conflicts(left) from error
    return managers.applied(context, live, config, found, own, is_forced=True)


def _before_first_apply(context: Context, live: Obj, writer: Writer, now: str) -> Managers:
    fields = context.whole(live)
    fields = sets.in_order(managers.stripped(sets.without(fields, context.reset)))
    if not fields:
        return {}
    manager = Id(BEFORE_FIRST_APPLY, UPDATE, writer.subresource, context.api_version)
    return {manager: Entry(context.api_version, fields, now)}


def conflict(found: Mapping[Id, Fields]) -> Conflict:
    """The refusal of a configuration that would change others' fields."""
    listed = [(manager, shown(path)) for manager in found for path in sets.paths(found[manager])]
    causes = [
        Cause(path, f"conflict with {_named(manager, found)}", "FieldManagerConflict")
        for manager, path in listed
    ]
    if len(listed) == 1:
        manager, path = listed[0]
        message = f"Apply failed with 1 conflict: conflict with {_named(manager, found)}: {path}"
    else:
        lines: list[str] = []
        for manager in sorted(found):
            lines.append(f"conflicts with {_named(manager, found)}:")
            lines += [f"- {path}" for owner, path in listed if owner == manager]
        message = f"Apply failed with {len(listed)} conflicts: " + "\n".join(lines)
    return Conflict(message, causes=causes)


def _named(manager: Id, found: Mapping[Id, Fields]) -> str:
    text = f'"{manager.manager}"'
    if manager.subresource:
        text += f' with subresource "{manager.subresource}"'
    if manager.operation == UPDATE:
        text += f" using {manager.api_version}"
    return text


def _own(writer: Writer, context: Context) -> Id:
    return Id(writer.manager, UPDATE, writer.subresource, context.api_version)


def _context(
    kind: Kind, subresource: str, is_builtin: bool, is_served: Callable[[str], bool]
) -> Context:
    cache = kind.schema.cache
    found = cache.get(("managed", subresource))
    if found is None:
        implied = implied_fields(kind.resource) if is_builtin else _NONE
        reset = reset_fields(
            kind.resource, subresource, has_status=kind.has_status, is_custom=not is_builtin
        )
        whole = walker_of(kind.schema, implied)
        found = cache["managed", subresource] = (implied, reset, whole)
    implied, reset, whole = found
    return Context(
        kind.schema, kind.resource.api_version, implied, reset, whole, is_served, is_builtin
    )


_NO_ENTRIES: list[Any] = []


def _plain(obj: Obj) -> Obj:
    """The object without what is nobody's and differs from write to write."""
    metadata = obj.get("metadata")
    if not metadata:
        return obj
    plain = dict(metadata)
    for name in _LEFT_OUT:
        plain.pop(name, None)
    return {**obj, "metadata": plain}


def _is_reset(given: Any) -> bool:
    """True if a request means to forget all managers: an empty list, or one of an empty entry."""
    return given == [] or given == [{}]


def _can_be_read(given: Any) -> bool:
    try:
        return isinstance(given, list) and bool(managers.decode(cast("list[Any]", given)))
    except Malformed:
        return False
