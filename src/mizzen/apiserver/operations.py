"""Create, update, patch, delete: one write each, into a draft.

A plain request is a draft with one of these, a plan a draft with several. All of them are
synchronous: what they read cannot change before the draft is committed.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

from mizzen.apiserver.admission_chain import (
    CREATE,
    DELETE,
    SCALE,
    UPDATE,
    UPDATE_APPROVAL,
    UPDATE_STATUS,
)
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import (
    applying,
    body_reading,
    field_managers,
    preconditions,
    refusals,
    stamping,
    unconditional,
)
from mizzen.apiserver.core.bodies import as_object, text
from mizzen.apiserver.core.body_reading import (
    IGNORE,
    STRICT,
    Reading,
    Strictness,
    wrong_patch,
)
from mizzen.apiserver.core.field_managers import Writer, track_create, track_update
from mizzen.apiserver.core.patching import Patch
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.draft import Draft
from mizzen.base.clock import rfc3339
from mizzen.base.errors import (
    ApiError,
    BadRequest,
    Cause,
    Unclassified,
    invalid,
)
from mizzen.base.objects import Obj
from mizzen.base.resources import Resource
from mizzen.base.strconv import parse_uint
from mizzen.kinds.decoding import Decoded
from mizzen.kinds.managed_fields.implied_fields import implied_status
from mizzen.kinds.patches import merge_patch
from mizzen.kinds.report import Unserved
from mizzen.kinds.treatment import Refused
from mizzen.store.store import ObjectKey

_NAME_TRIES = 8
_OF_STATUS = {"status": UPDATE_STATUS, "approval": UPDATE_APPROVAL}  # all else stays as it is


def create(
    draft: Draft,
    served: Served,
    namespace: str,
    body: Any,
    strictness: Strictness = STRICT,
    *,
    applied: Reading | None = None,
) -> Obj:
    """`applied`: how it is read where it was applied, so that it says who manages its fields."""
    kind, resource, is_managed = served.kind, served.resource, applied is not None
    obj = stamping.check_envelope(body, resource)
    reading = applied or body_reading.of_body(resource, strictness, draft.warnings)
    _check_head(served, obj, reading)
    revision = obj["metadata"].get("resourceVersion") or ""
    try:
        stamping.place(obj, resource, namespace)
    except BadRequest:
        _decode(served, obj, reading)  # what cannot be read is told before
        raise
    give_name(draft, served, obj, namespace)
    decoded = _decode(served, obj, reading, is_merged=is_managed)
    new = decoded.object
    noted = _noted(draft, served, text(obj["metadata"], "name"), decoded, decoded.unserved)
    name = text(new["metadata"], "name")
    key = ObjectKey(served.key, namespace if resource.namespaced else "", name)
    given = new["metadata"].get("managedFields")
    stamping.stamp_create(new["metadata"], draft.now_ns, draft.new_id())
    kind.prepare_create(new)
    _begin_status(served, new)
    kind.default(new)
    if is_managed:
        if given:
            new["metadata"]["managedFields"] = given
    else:
        if given:
            new["metadata"]["managedFields"] = given
        writer, now = Writer(draft.manager), rfc3339(draft.now_ns)
        track_create(kind, new, writer, now, is_builtin=served.is_builtin)
    kind.complete(new)
    draft.admission.mutate(draft, served, CREATE, key, new)
    is_settled = not noted and kind.is_settled(new)
    if not is_settled:
        kind.default(new)
    kind.stamp(new, None, rfc3339(draft.now_ns))
    if not is_settled or kind.check_new_metadata(new):
        causes = kind.check(new, None, noted)
        if causes:
            raise invalid(resource.kind, resource.group, name, causes)
        warnings = kind.warn(new)
        draft.warnings.extend(warnings)
        if not warnings:
            kind.settle(new)
    draft.admission.admit(draft, served, CREATE, key, new)
    # Upstream's storage says so, after all else: it takes what is no number for none, and is not
    # asked for a dry run.
    is_number = revision.isascii() and revision.isdigit() and int(revision[:20]) > 0
    if is_number and not draft.is_dry:
        raise Unclassified("resourceVersion should not be set on objects to be created")
    if draft.exists(key):
        raise refusals.already_exists(resource, name, draft.get(key))
    if draft.removes(key):
        raise refusals.deleted_by_the_same_plan(resource, name)
    draft.put(key, draft.stored_form(served, new), "create")
    return new


def _begin_status(served: Served, new: Obj) -> None:
    """Puts into a status what upstream's type always has, in place."""
    status = (
        implied_status(served.resource) if served.is_builtin and served.kind.has_status else None
    )
    if status is not None:
        new["status"] = {**copy.deepcopy(status), **(new.get("status") or {})}


def decode_virtual(
    draft: Draft, served: Served, namespace: str, body: Any, strictness: Strictness
) -> Obj:
    """The body of a kind that is answered and not stored, with right types and defaults.

    Errors: BadRequest, Invalid.
    """
    obj = stamping.check_envelope(body, served.resource)
    stamping.place(obj, served.resource, namespace)
    reading = body_reading.of_body(served.resource, strictness, draft.warnings)
    decoded = _decode(served, obj, reading)
    causes = decoded.causes + _unserved(draft, decoded.unserved)
    if causes:
        name = text(obj["metadata"], "name")
        raise invalid(served.resource.kind, served.resource.group, name, causes)
    writer, now = Writer(draft.manager), rfc3339(draft.now_ns)
    track_create(served.kind, decoded.object, writer, now, is_builtin=served.is_builtin)
    return decoded.object


def update(
    draft: Draft,
    served: Served,
    namespace: str,
    name: str,
    body: Any,
    *,
    subresource: str = "",
    strictness: Strictness = STRICT,
) -> Obj:
    obj = stamping.check_envelope(body, served.resource)
    reading = body_reading.of_body(served.resource, strictness, draft.warnings)
    _check_head(served, obj, reading)
    try:
        old = _meant(draft, served, namespace, name, obj)
    except ApiError:
        _decode(served, obj, reading)  # what cannot be read is told before
        raise
    return _replace(draft, served, old, obj, "update", subresource, reading)


def create_by_update(
    draft: Draft,
    served: Served,
    namespace: str,
    name: str,
    body: Any,
    strictness: Strictness = STRICT,
) -> Obj:
    """Makes what an update would replace, were it there."""
    obj = stamping.check_envelope(body, served.resource)
    reading = body_reading.of_body(served.resource, strictness, draft.warnings)
    _check_head(served, obj, reading)
    metadata = obj["metadata"]
    try:
        _check_named(served, namespace, name, obj)
        if uid := text(metadata, "uid"):
            preconditions.check_uid(
                served.resource, namespace, name, "", uid, is_builtin=served.is_builtin
            )
    except ApiError:
        _decode(served, obj, reading)  # what cannot be read is told before
        raise
    seen = metadata.pop("resourceVersion", None)
    _revision(seen)
    made = create(draft, served, namespace, obj, strictness)
    if draft.is_dry and seen:  # no storage has given it another
        made["metadata"]["resourceVersion"] = seen
    return made


def _check_named(served: Served, namespace: str, name: str, obj: Obj) -> None:
    """That an update says what its path says; puts the namespace in. Errors: BadRequest."""
    if served.resource.namespaced:
        stamping.place(obj, served.resource, namespace)
    refusals.check_meant(obj["metadata"].get("name"), name)
    refusals.check_name(name)


def _meant(draft: Draft, served: Served, namespace: str, name: str, obj: Obj) -> Obj:
    """The object that an update replaces. Errors: BadRequest, NotFound, Conflict, Invalid."""
    _check_named(served, namespace, name, obj)
    old = draft.read(served, namespace, name)
    if old is None:
        raise refusals.not_found(served.resource, name)
    if isinstance(uid := obj["metadata"].get("uid"), str) and uid:
        preconditions.check_uid(
            served.resource, namespace, name, old["metadata"]["uid"], uid,
            is_builtin=served.is_builtin,
        )  # fmt: skip
    if obj["metadata"].get("resourceVersion") in (None, "", "0") and unconditional.needs_revision(
        served.resource, is_builtin=served.is_builtin
    ):
        raise unconditional.revision_missing(served.resource, name)
    return old


def _check_head(served: Served, obj: Obj, reading: Reading) -> None:
    """Errors: BadRequest where the metadata cannot be read."""
    metadata = obj["metadata"]
    if isinstance(metadata, dict):
        head = cast("Obj", metadata)
        names = ("name", "generateName", "namespace", "resourceVersion")
        if all(isinstance(head.get(name) or "", str) for name in names):
            return
    _decode(served, obj, reading)
    as_object(metadata, "metadata must be an object")
    raise BadRequest("metadata: names must be strings")


def patch(
    draft: Draft,
    served: Served,
    namespace: str,
    name: str,
    apply: Patch,
    *,
    subresource: str = "",
    uid: str = "",
    resource_version: str = "",
    strictness: Strictness = STRICT,
) -> Obj:
    old = draft.read(served, namespace, name)
    if old is None:
        raise refusals.not_found(served.resource, name)
    preconditions.check(served.resource, old, uid, resource_version)
    patched = apply(old)
    reading = body_reading.of_patch(apply, patched, strictness, draft.warnings)
    is_typed = served.is_typed
    obj = body_reading.typed(served.resource, apply, patched, reading, name, is_typed=is_typed)
    return _replace(draft, served, old, obj, "patch", subresource, reading)


def scale(draft: Draft, served: Served, old: Obj, spec: Obj, managed: list[Obj]) -> Obj:
    """Writes what a Scale says to the object behind it: `spec` is merged in, and `managed` are its
    managed fields from now on."""
    obj = merge_patch(old, spec)
    obj["metadata"] = {**old["metadata"], "managedFields": managed}
    unshown = Reading(IGNORE, draft.warnings, lambda problem: wrong_patch("", problem))
    return _replace(draft, served, old, obj, "patch", "scale", unshown, is_managed=True)


def apply(
    draft: Draft,
    served: Served,
    namespace: str,
    name: str,
    config: Obj,
    old: Obj | None,
    *,
    subresource: str,
    strictness: Strictness,
    is_forced: bool,
) -> Obj:
    """Merges a configuration into what is there (`old`, as read), by who manages which field."""
    resource = served.resource
    if old is None and subresource:
        raise refusals.not_found(resource, name)
    applying.check(resource, served.kind.schema, config)
    config = {**config, "metadata": dict(config.get("metadata") or {})}
    new = field_managers.apply(
        served.kind, old, config, Writer(draft.manager, subresource), rfc3339(draft.now_ns),
        is_forced=is_forced, is_builtin=served.is_builtin,
        is_served=served.api_versions.__contains__,
    )  # fmt: skip
    draft.warnings.extend(applying.repeated(strictness.level, strictness.duplicates))
    reading = body_reading.of_configuration(resource, config, draft.warnings)
    if old is None:
        _check_new(resource, namespace, name, new["metadata"])
        return create(draft, served, namespace, new, applied=reading)
    if wanted := config["metadata"].get("resourceVersion"):
        new["metadata"]["resourceVersion"] = wanted  # the version that was meant
    return _replace(draft, served, old, new, "patch", subresource, reading, is_managed=True)


def _check_new(resource: Resource, namespace: str, name: str, metadata: Obj) -> None:
    """That an object made by applying is what the path names. Errors: BadRequest, Conflict."""
    uid = text(metadata, "uid")
    if uid:
        raise refusals.conflict(
            resource, name, f"uid mismatch: the provided object specified uid {uid}, and no "
            "existing object was found",
        )  # fmt: skip
    stamping.place({"metadata": dict(metadata)}, resource, namespace)
    refusals.check_meant(metadata.get("name"), name)


def delete(
    draft: Draft,
    served: Served,
    namespace: str,
    name: str,
    options: DeleteOptions,
    *,
    is_admitted: bool = False,
) -> tuple[Obj, bool]:
    """The object's last form and whether it is gone; else it is marked and waits.

    `is_admitted`: admission has been asked already, about what brings the deletion about.
    """
    refusals.check_name(name)
    old = draft.read(served, namespace, name)
    if old is None:
        raise refusals.not_found(served.resource, name)
    preconditions.check_meant(served.resource, old, options)
    key = ObjectKey(served.key, namespace, name)
    if not is_admitted:
        shown = stamping.options_shown(served.resource, old, options)
        draft.admission.admit(draft, served, DELETE, key, old, old, options=shown)
    new = stamping.mark_deleted(served.resource, old, options, draft.now_ns)
    if stamping.is_removable(served.resource, new):
        is_pod = served.resource.kind == "Pod" and not served.resource.group
        gone = {**old, "metadata": dict((new if is_pod else old)["metadata"])}
        marked = {**gone, "metadata": dict(gone["metadata"])} if is_pod else None
        draft.remove(key, draft.stored_form(served, gone), marked)
        return gone, True
    if new == old:
        return old, False
    draft.put(key, draft.stored_form(served, new), "delete")
    return new, False


def _replace(
    draft: Draft,
    served: Served,
    old: Obj,
    obj: Obj,
    verb: str,
    subresource: str,
    reading: Reading,
    *,
    is_managed: bool = False,
) -> Obj:
    """The second half of updates and patches: what may change, changes."""
    kind, resource = served.kind, served.resource
    name = old["metadata"]["name"]
    decoded = _decode(served, obj, reading, _kept(served, obj, old), is_merged=is_managed)
    check_identity(resource, decoded.object["metadata"], old, verb)
    news = decoded.unserved
    if news:  # what is stored already does not keep an object from being changed
        before = {found.path: found for found in kind.decode(old).unserved}
        news = [found for found in news if found != before.get(found.path)]
    noted = _noted(draft, served, name, decoded, news, old, subresource)
    new = decoded.object
    if new["metadata"] is old["metadata"]:
        new["metadata"] = dict(old["metadata"])
    given = new["metadata"].get("managedFields")
    stamping.stamp_update(new, old)
    if not kind.rules_on_spec_alone or new.get("spec") is not old.get("spec"):
        kind.default(new)  # what was kept had its defaults when it was stored
    if subresource in kind.parts:
        kind.prepare_part(subresource, new, old)
    _track(draft, served, old, new, given, subresource, is_managed)
    key = ObjectKey(served.key, old["metadata"].get("namespace") or "", name)
    if subresource in _OF_STATUS:
        operation = _OF_STATUS[subresource]
        kind.prepare_status(new, old)
        _begin_status(served, new)
        draft.admission.mutate(draft, served, operation, key, new, old)
        kind.default(new)
        kind.stamp_status(new, old, rfc3339(draft.now_ns))
        causes = kind.check_status(new, old, noted)
    elif subresource in kind.parts:
        operation = f"{UPDATE}/{subresource}"
        draft.admission.mutate(draft, served, operation, key, new, old)
        kind.default(new)
        causes = kind.check_part(subresource, new, old, noted)
    elif subresource == "scale":  # the Scale has been admitted
        operation = SCALE
        kind.stamp(new, old, rfc3339(draft.now_ns))
        kind.prepare_update(new, old)
        causes = kind.check(new, old, noted)
    else:
        operation = UPDATE
        draft.admission.mutate(draft, served, operation, key, new, old)
        kind.stamp(new, old, rfc3339(draft.now_ns))  # or a moment left out would be a new wish
        kind.prepare_update(new, old)  # defaults again, for what plug-ins have changed
        causes = kind.check(new, old, noted)
    if causes:
        raise invalid(resource.kind, resource.group, name, causes)
    if kind.warn_of_update is not None and not subresource:
        draft.warnings.extend(kind.warn_of_update(new, old))
    if new == old:
        return old
    generations = [each["metadata"].get("generation") for each in (new, old)]
    if (
        kind.warn_of_update is None and resource.group and generations[0] != generations[1]
    ):  # as upstream's workloads
        draft.warnings.extend(kind.warn(new))
    if operation != SCALE:
        draft.admission.admit(draft, served, operation, key, new, old)
    if stamping.is_removable(resource, new):
        draft.remove(key, draft.stored_form(served, old))  # watchers are told what was stored last
    else:
        stored = draft.stored_form(served, new)
        draft.put(key, stored, f"{verb}/{subresource}" if subresource else verb)
    return new


def check_identity(resource: Resource, metadata: Any, old: Obj, verb: str) -> None:
    """That it is still the object, and the version of it, that was meant. Errors: ApiError."""
    before = old["metadata"]
    if not isinstance(metadata, dict):
        return  # of a kind whose decoder tells all that is wrong together
    said = cast("Obj", metadata)
    if verb == "patch":
        stamping.place({"metadata": dict(said)}, resource, before.get("namespace") or "")
    name = said.get("name")
    if not name:
        raise refusals.unnamed(before["name"])
    if name != before["name"]:
        raise refusals.renamed(name, before["name"])
    wanted = said.get("resourceVersion")
    if wanted and wanted != before.get("resourceVersion"):
        _revision(wanted)
        raise refusals.conflict(resource, name)


def _revision(said: Any) -> None:
    """That a revision is one. Errors: Unclassified."""
    try:
        parse_uint(said or "0")
    except ValueError as error:
        raise Unclassified(str(error)) from error


def _track(
    draft: Draft, served: Served, old: Obj, new: Obj, given: Any, subresource: str, done: bool
) -> None:
    """Records whose fields the new object's are, in place."""
    metadata, stored = new["metadata"], old["metadata"].get("managedFields")
    if done:
        if given:
            metadata["managedFields"] = given
        return
    if stored is not None:
        metadata["managedFields"] = stored
    track_update(
        served.kind, old, new, given, Writer(draft.manager, subresource), rfc3339(draft.now_ns),
        is_builtin=served.is_builtin, is_served=served.api_versions.__contains__,
    )  # fmt: skip


def _kept(served: Served, obj: Obj, old: Obj) -> frozenset[str]:
    """The parts that a patch left alone, the very same objects: they were decoded when they
    were stored. A kind that a definition makes may have another schema by now."""
    if not served.is_builtin:
        return frozenset()
    return frozenset(n for n, v in obj.items() if type(v) is dict and v is old.get(n))


def _decode(
    served: Served,
    obj: Obj,
    reading: Reading,
    kept: frozenset[str] = frozenset(),
    *,
    is_merged: bool = False,
) -> Decoded:
    """`is_merged`: the object is what a configuration was merged into, and no body."""
    decoded = served.kind.decode(obj, kept, keeps_nulls=is_merged)
    if reading.again is not None and (decoded.mistyped is not None or decoded.unknown):
        obj = reading.again(served.kind.schema, obj)
        decoded = served.kind.decode(obj, kept, keeps_nulls=is_merged)
    reading.check(served.kind.schema, decoded, is_typed=served.is_typed)
    return decoded


def _noted(
    draft: Draft,
    served: Served,
    name: str,
    decoded: Decoded,
    unserved: Sequence[Unserved],
    old: Obj | None = None,
    subresource: str = "",
) -> list[Cause]:
    """What is wrong by the schema, to be told together with what validators find. Errors: Invalid
    where they are not asked: upstream has no type for it, or it asks for what is refused."""
    causes, refused = decoded.causes, _unserved(draft, unserved)
    if causes and not served.is_builtin:
        causes = served.kind.refusal(decoded.object, old, causes, subresource)
    if refused or (causes and not served.is_typed):
        resource = served.resource
        raise invalid(resource.kind, resource.group, name, [*causes, *refused])
    return causes


def _unserved(draft: Draft, found: Sequence[Unserved]) -> list[Cause]:
    """Causes for fields that are refused; the others become warnings."""
    draft.warnings.extend(x.warning for x in found if not isinstance(x.treatment, Refused))
    return [each.cause for each in found if isinstance(each.treatment, Refused)]


def give_name(draft: Draft, served: Served, obj: Obj, namespace: str) -> None:
    """Makes a name from generateName where there is none, in place."""
    metadata = obj["metadata"]
    prefix = metadata.get("generateName")
    if not metadata.get("name") and not prefix and served.kind.is_named_by_uid:
        metadata["name"] = draft.new_id()
    if metadata.get("name") or not isinstance(prefix, str) or not prefix:
        return
    for _ in range(_NAME_TRIES):
        metadata["name"] = prefix[:58] + draft.new_suffix()
        if not draft.exists(ObjectKey(served.key, namespace, metadata["name"])):
            return
