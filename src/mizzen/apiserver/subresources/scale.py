"""The scale subresource: one number of an object, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as replace_fields
from functools import cache
from typing import Any, cast

from mizzen.apiserver import operations
from mizzen.apiserver.admission_chain import SCALE
from mizzen.apiserver.admission_subjects import admit
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.conversions import in_version
from mizzen.apiserver.core import (
    applying,
    body_reading,
    envelope,
    field_managers,
    go_errors,
    patching,
    preconditions,
    protobuf,
    refusals,
    scale_managers,
    stamping,
)
from mizzen.apiserver.core.body_reading import STRICT, Reading, Strictness
from mizzen.apiserver.core.field_managers import Writer
from mizzen.apiserver.core.patching import Patch
from mizzen.apiserver.core.request_options import WriteOptions
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.core.scale_managers import SCALE_VERSION
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.http import Request, Response, answer
from mizzen.apiserver.server import Server
from mizzen.apiserver.writes import (
    commit,
    patch_options,
    read_configuration,
    read_patch,
    strictness,
    with_warnings,
    write_options,
)
from mizzen.base.clock import rfc3339
from mizzen.base.errors import InternalError, invalid
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.base.resources import REPLICATION_CONTROLLERS, Resource
from mizzen.base.selectors import selector_text
from mizzen.kinds import causes, reading
from mizzen.kinds.decoding import decode
from mizzen.kinds.kind import APPLY_PATCH, Kind
from mizzen.kinds.upstream import upstream_type
from mizzen.store.store import ObjectKey

_TYPE = "io.k8s.api.autoscaling.v1.Scale"
_SCALE = Resource("autoscaling", "v1", "scales", "Scale")


def _read(served: Served, obj: Obj) -> Obj:
    """The Scale (autoscaling/v1) of an object."""
    paths = served.kind.scale
    if paths is None:
        raise refusals.unserved()
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Obj = {"replicas": reading.get(obj, paths.status_replicas) or 0}
    if paths.selector and (text := _selector_text(obj["kind"], reading.get(obj, paths.selector))):
        status["selector"] = text
    replicas = reading.get(obj, paths.spec_replicas)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {k: v for k, v in obj["metadata"].items() if k in kept},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def _selector_text(kind: str, selector: Any) -> str:
    """A selector as text, which HorizontalPodAutoscalers find pods by."""
    if not isinstance(selector, dict):
        return str(selector or "")
    found = cast("Obj", selector)
    if kind == REPLICATION_CONTROLLERS.kind:
        return selector_text({"matchLabels": found})
    return selector_text(found)


def change(
    draft: Draft,
    served: Served,
    namespace: str,
    name: str,
    patch: Patch,
    strictness: Strictness = STRICT,
) -> Obj:
    """Applies a patch of the Scale to the object behind it; returns that object."""
    old = _behind(draft, served, namespace, name)
    scale = _with_managers(served, _read(served, old), old)
    patched = patch(scale)
    reading = body_reading.of_patch(patch, patched, strictness, draft.warnings)
    wanted = body_reading.typed(_SCALE, patch, patched, reading, name, is_typed=True)
    return _put(draft, served, old, _tracked(draft, scale, _decoded(wanted, reading)), "patch")


def replace(
    draft: Draft, served: Served, namespace: str, name: str, body: Any, strictness: Strictness
) -> Obj:
    """Does what a whole Scale says to the object behind it; returns that object."""
    wanted = stamping.check_envelope(body, _SCALE)
    stamping.place(wanted, served.resource, namespace)
    reading = body_reading.of_body(_SCALE, strictness, draft.warnings)
    wanted = _decoded(wanted, reading)
    refusals.check_meant(part(wanted, "metadata").get("name"), name)
    old = _behind(draft, served, namespace, name)
    scale = _with_managers(served, _read(served, old), old)
    return _put(draft, served, old, _tracked(draft, scale, wanted), "update")


def apply(
    draft: Draft,
    served: Served,
    namespace: str,
    name: str,
    config: Obj,
    strictness: Strictness,
    *,
    is_forced: bool,
) -> Obj:
    """Merges an applied Scale into the object behind it; returns that object."""
    old = _behind(draft, served, namespace, name)
    applying.check(_SCALE, _kind().schema, config)
    config = {**config, "metadata": dict(config.get("metadata") or {})}
    made = field_managers.apply(
        _kind(), _with_managers(served, _read(served, old), old), config,
        Writer(draft.manager, "scale"), rfc3339(draft.now_ns),
        is_forced=is_forced, is_builtin=True, is_served=_is_served,
    )  # fmt: skip
    draft.warnings.extend(applying.repeated(strictness.level, strictness.duplicates))
    if wanted := config["metadata"].get("resourceVersion"):
        made["metadata"]["resourceVersion"] = wanted  # the version that was meant
    reading = body_reading.of_configuration(_SCALE, config, draft.warnings)
    return _put(draft, served, old, _decoded(made, reading), "patch")


def _behind(draft: Draft, served: Served, namespace: str, name: str) -> Obj:
    old = draft.read(served, namespace, name)
    if old is None:
        raise refusals.not_found(served.resource, name)
    return old


def _decoded(wanted: Obj, reading: Reading) -> Obj:
    """Errors: BadRequest, Invalid."""
    schema = _kind().schema
    found = decode(schema, wanted)
    if reading.again is not None and (found.mistyped is not None or found.unknown):
        found = decode(schema, reading.again(schema, wanted))
    reading.check(schema, found, is_typed=True)
    spec = part(found.object, "spec")
    if spec.get("replicas") == 0:  # as upstream's type, which leaves it out: it is nobody's
        return {**found.object, "spec": {}}
    return found.object


@cache
def _kind() -> Kind:
    return Kind(resource=_SCALE, schema=upstream_type(_TYPE))


def _is_served(api_version: str) -> bool:
    return api_version == SCALE_VERSION


def _tracked(draft: Draft, old: Obj, new: Obj) -> Obj:
    """The new Scale with those who manage it once it is written."""
    new = {**new, "metadata": {**part(new, "metadata")}}
    field_managers.track_update(
        _kind(), old, new, None, Writer(draft.manager, "scale"), rfc3339(draft.now_ns),
        is_builtin=True, is_served=_is_served,
    )  # fmt: skip
    return new


def _put(draft: Draft, served: Served, old: Obj, wanted: Obj, verb: str) -> Obj:
    paths, metadata = served.kind.scale, part(wanted, "metadata")
    assert paths is not None, "it has been read"
    operations.check_identity(served.resource, metadata, old, verb)
    name = old["metadata"]["name"]
    uid = metadata.get("uid")
    if uid and uid != old["metadata"]["uid"] and served.is_builtin:
        scales = replace_fields(served.resource, plural=f"{served.resource.plural}/scale")
        preconditions.check(scales, old, uid, "")
    before = _read(served, old)
    asked = {**before, **wanted, "metadata": {**before["metadata"], **metadata}}
    key = ObjectKey(served.key, old["metadata"].get("namespace") or "", name)
    wanted = admit(draft, draft.admission, served.resource, SCALE, key, asked, before)
    replicas = part(wanted, "spec").get("replicas") or 0
    if not isinstance(replicas, int):
        raise InternalError("Internal error occurred: a webhook made replicas that are no number")
    if replicas < 0:
        problem = causes.invalid("spec.replicas", replicas, "must be greater than or equal to 0")
        raise invalid("Scale", "autoscaling", name, [problem])
    nested: Any = replicas
    for each in reversed(paths.spec_replicas.split(".")):
        nested = {each: nested}
    managed = scale_managers.of_object(
        old["metadata"].get("managedFields") or [],
        part(wanted, "metadata").get("managedFields") or [],
        _elements(served),
        served.resource.api_version,
    )
    return operations.scale(draft, served, old, nested, managed)


def _elements(served: Served) -> scale_managers.Paths:
    """Where the replicas are in each version of the kind."""
    paths = served.kind.scale
    assert paths is not None, "it has been read"
    path = tuple(f"f:{each}" for each in paths.spec_replicas.split("."))
    return dict.fromkeys(served.api_versions, path)


def _with_managers(served: Served, scale: Obj, old: Obj) -> Obj:
    """With those who manage the replicas."""
    managed: list[Obj] = old["metadata"].get("managedFields") or []
    entries = scale_managers.of_scale(managed, _elements(served))
    if not entries:
        return scale
    return {**scale, "metadata": {**scale["metadata"], "managedFields": entries}}


async def get(server: Server, served: Served, target: Target, request: Request) -> Response:
    stored = server.store.get(ObjectKey(served.key, target.namespace, target.name))
    if stored is None:
        raise refusals.not_found(served.resource, target.name)
    (stored,) = await in_version(served, [stored])
    return answer(200, _read(served, served.view_parsed(stored, stored.object)))


async def update(server: Server, served: Served, target: Target, request: Request) -> Response:
    options = write_options(request, "UpdateOptions")
    body = _received(request)
    level = strictness(request, options, body)

    def work(draft: Draft) -> Obj:
        return replace(draft, served, target.namespace, target.name, body, level)

    return await _write(server, served, request, work, options)


def _received(request: Request) -> Obj:
    """The body as a Scale. Errors: BadRequest, UnsupportedMediaType."""
    try:
        obj = envelope.opened(request.json())
    except envelope.NoJson as error:
        raise envelope.unrecognized(_SCALE, error.problem, request.body) from error
    if request.head.content_type != protobuf.MEDIA_TYPE:
        envelope.check_type(obj, _SCALE, request.body, go_errors.misfit_of, is_builtin=True)
    return obj


async def patch(server: Server, served: Served, target: Target, request: Request) -> Response:
    patching.check_type(request.head.patch_type, served.kind, is_builtin=served.is_builtin)
    options = patch_options(request)
    if request.head.patch_type == APPLY_PATCH:
        config, strict, is_forced = read_configuration(request, options)

        def applied(draft: Draft) -> Obj:
            return apply(
                draft, served, target.namespace, target.name, config, strict, is_forced=is_forced
            )

        return await _write(server, served, request, applied, options)

    def work(draft: Draft) -> Obj:
        found, level = read_patch(draft, served, target, request, options, upstream_type(_TYPE))
        return change(draft, served, target.namespace, target.name, found, level)

    return await _write(server, served, request, work, options)


async def _write(
    server: Server,
    served: Served,
    request: Request,
    work: Callable[[Draft], Obj],
    options: WriteOptions,
) -> Response:
    draft, made = await server.attempt(
        request.user, work, ("UpdateOptions", request.params), is_dry=options.is_dry,
        manager=options.manager,
    )  # fmt: skip
    await commit(draft, options.is_dry)
    return with_warnings(answer(200, _read(served, made)), draft)


HANDLERS = {"get": get, "update": update, "patch": patch}
