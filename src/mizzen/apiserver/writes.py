"""Create, update, patch, delete and their subresources over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from mizzen.apiserver import lists, operations
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.conversions import in_version
from mizzen.apiserver.core import (
    applying,
    deleting,
    envelope,
    go_errors,
    json_bodies,
    patching,
    protobuf,
    refusals,
    unconditional,
    unread,
    warnings,
)
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.body_reading import Strictness
from mizzen.apiserver.core.list_options import ListOptions
from mizzen.apiserver.core.negotiate import form_of
from mizzen.apiserver.core.request_options import WriteOptions
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.core.stamping import DeleteOptions, orphans_unless_said
from mizzen.apiserver.draft import Draft, at_once
from mizzen.apiserver.http import JSON, YAML, Request, Response, answer
from mizzen.apiserver.reads import show
from mizzen.apiserver.server import Server
from mizzen.base import query
from mizzen.base.errors import BadRequest
from mizzen.base.objects import Obj
from mizzen.kinds import doubled, strict
from mizzen.kinds.kind import APPLY_PATCH
from mizzen.kinds.schema import Schema
from mizzen.store.store import ObjectKey, Stored

# Whose deletion upstream answers with the object, not with a Status.
# Source: ReturnDeletedObject in pkg/registry.
_DELETES_ANSWER_WITH_OBJECTS = frozenset(
    [
        ("", "namespaces"),
        ("", "persistentvolumeclaims"),
        ("", "persistentvolumes"),
        ("", "pods"),
        ("", "podtemplates"),
        ("", "resourcequotas"),
        ("", "serviceaccounts"),
        ("", "services"),
        ("resource.k8s.io", "deviceclasses"),
        ("resource.k8s.io", "devicetaintrules"),
        ("resource.k8s.io", "resourceclaims"),
        ("resource.k8s.io", "resourceclaimtemplates"),
        ("resource.k8s.io", "resourcepoolstatusrequests"),
        ("resource.k8s.io", "resourceslices"),
        ("storage.k8s.io", "csidrivers"),
        ("storage.k8s.io", "csinodes"),
        ("storage.k8s.io", "storageclasses"),
        ("storage.k8s.io", "volumeattachments"),
        ("storage.k8s.io", "volumeattributesclasses"),
    ]
)

_ORPHANS = (
    "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to "
    "remove them or set propagationPolicy=Orphan to suppress this warning"
)


async def create(server: Server, served: Served, target: Target, request: Request) -> Response:
    options = write_options(request, "CreateOptions")
    text = request.body if request.head.content_type in ("", JSON) else b""

    def read() -> tuple[Any, Strictness]:
        return _read(request, served, options)

    def work(draft: Draft) -> Obj:
        return server.templates.create(draft, served, target.namespace, text, options.level, read)

    return await _attempt(server, served, request, work, options, 201)


async def update(server: Server, served: Served, target: Target, request: Request) -> Response:
    options = write_options(request, "UpdateOptions")
    body, level = _read(request, served, options)

    def work(draft: Draft) -> tuple[Obj, bool]:
        key = ObjectKey(served.key, target.namespace, target.name)
        if unconditional.makes_what_is_missing(served.resource) and not draft.exists(key):
            _check_may_create(server, served, target, request)
            made = operations.create_by_update(
                draft, served, target.namespace, target.name, body, level
            )
            return made, True
        made = operations.update(
            draft, served, target.namespace, target.name, body,
            subresource=target.subresource, strictness=level,
        )  # fmt: skip
        return made, False

    said = (options.kind, request.params)
    draft, (made, is_new) = await server.attempt(
        request.user, work, said, is_dry=options.is_dry, manager=options.manager
    )
    return await _finish(server, served, request, draft, made, 201 if is_new else 200)


def _check_may_create(server: Server, served: Served, target: Target, request: Request) -> None:
    """That who asks may make what is not there. Errors: Forbidden."""
    resource = served.resource
    access = Access(
        request.user, "create", resource.group, resource.plural, target.subresource,
        target.namespace, target.name,
    )  # fmt: skip
    if not server.authorize(access):
        raise server.denial(access)


async def patch(server: Server, served: Served, target: Target, request: Request) -> Response:
    patching.check_type(request.head.patch_type, served.kind, is_builtin=served.is_builtin)
    options = patch_options(request)
    if request.head.patch_type == APPLY_PATCH:
        return await _apply(server, served, target, request, options)

    def work(draft: Draft) -> Obj:
        change, level = read_patch(draft, served, target, request, options)
        return operations.patch(
            draft, served, target.namespace, target.name, change,
            subresource=target.subresource, strictness=level,
        )  # fmt: skip

    return await _attempt(server, served, request, work, options, 200)


def patch_options(request: Request) -> WriteOptions:
    """Errors: Invalid."""
    agent = request.headers.get("user-agent", "")
    is_apply = request.head.patch_type == APPLY_PATCH
    return WriteOptions.of_patch(request.params, agent, is_apply=is_apply)


def read_patch(
    draft: Draft,
    served: Served,
    target: Target,
    request: Request,
    options: WriteOptions,
    schema: Schema | None = None,
) -> tuple[patching.Patch, Strictness]:
    """The body of a patch, which is not looked at where there is nothing to patch; `schema` is that
    of what is patched where it is not the object itself.

    Errors: NotFound, BadRequest.
    """
    refusals.check_name(target.name)
    if not draft.exists(ObjectKey(served.key, target.namespace, target.name)):
        raise refusals.not_found(served.resource, target.name)
    try:
        body = json_bodies.parse(request.body)
    except envelope.NoJson as error:
        problem = error.syntax or error.problem
        raise patching.unread(request.head.patch_type, options.level, problem) from error
    found = patching.patch_of(
        request.head.patch_type, schema or served.kind.schema, body, options.level
    )
    return found, strictness(request, options, body)


async def _attempt(
    server: Server,
    served: Served,
    request: Request,
    work: Callable[[Draft], Obj],
    options: WriteOptions,
    status: int,
) -> Response:
    """Does the work, asks whom it may concern, commits and answers with the object as written."""
    kind = "UpdateOptions" if options.kind == "PatchOptions" else options.kind  # for admission
    draft, made = await server.attempt(
        request.user, work, (kind, request.params), is_dry=options.is_dry, manager=options.manager
    )
    return await _finish(server, served, request, draft, made, status)


async def _apply(
    server: Server, served: Served, target: Target, request: Request, options: WriteOptions
) -> Response:
    """Server-side apply: an object that is not there is made, by whoever may create it."""
    config, strict_level, is_forced = read_configuration(request, options)

    def work(draft: Draft) -> tuple[Obj, bool]:
        old = draft.read(served, target.namespace, target.name)
        if old is None and not target.subresource:
            _check_may_create(server, served, target, request)
        made = operations.apply(
            draft, served, target.namespace, target.name, config, old,
            subresource=target.subresource, strictness=strict_level, is_forced=is_forced,
        )  # fmt: skip
        return made, old is None

    said = (options.kind, request.params)
    draft, (made, is_new) = await server.attempt(
        request.user, work, said, is_dry=options.is_dry, manager=options.manager
    )
    return await _finish(server, served, request, draft, made, 201 if is_new else 200)


def read_configuration(request: Request, options: WriteOptions) -> tuple[Obj, Strictness, bool]:
    """The configuration that a request applies, and whether it takes fields from others by force.

    Errors: BadRequest, TooLarge.
    """
    config, duplicates = applying.configuration(request.body)
    return config, Strictness(options.level, duplicates), query.is_true(request.params.get("force"))


def write_options(request: Request, kind: str) -> WriteOptions:
    """Errors: Invalid."""
    return WriteOptions.of(kind, request.params, request.headers.get("user-agent", ""))


async def delete(server: Server, served: Served, target: Target, request: Request) -> Response:
    form_of(request.head.accept)
    options = delete_options(request)

    def work(draft: Draft) -> tuple[Obj, bool]:
        draft.warnings.extend(_warnings_of_orphans(served, options))
        return operations.delete(draft, served, target.namespace, target.name, options)

    said = ("DeleteOptions", request.params)
    draft, (obj, gone) = await server.attempt(request.user, work, said, is_dry=options.is_dry)
    await commit(draft, options.is_dry)
    if not gone or (served.resource.group, served.resource.plural) in _DELETES_ANSWER_WITH_OBJECTS:
        status = 202 if options.cascades and not gone else 200
        response = show(server, served, orjson.dumps(obj), request, status)
        return with_warnings(response, draft)
    resource = served.resource
    details: Obj = {"name": target.name, "kind": resource.plural, "uid": obj["metadata"]["uid"]}
    if resource.group:
        details["group"] = resource.group
    return with_warnings(answer(200, {**success(), "details": details}), draft)


def _warnings_of_orphans(served: Served, options: DeleteOptions) -> list[str]:
    """Source: pkg/registry/batch/job/storage; of replication controllers upstream says nothing."""
    is_job = bool(served.resource.group) and orphans_unless_said(served.resource)
    return [_ORPHANS] if is_job and not options.propagation else []


async def delete_collection(
    server: Server, served: Served, target: Target, request: Request
) -> Response:
    """Deletes what the selectors choose, `limit` of them where that is said, some at a time; what
    vanishes meanwhile is no error."""
    form = form_of(request.head.accept)
    listed = ListOptions.of(served.kind, request.params)
    selection = listed.selection
    options = delete_options(request)
    form.check_listing(is_list=True, of=f"{served.internal_type}List")
    page = await lists.select(server, served, target.namespace, listed)
    dry = options.is_dry
    for some in at_once(page.items):

        def work(draft: Draft, some: Sequence[Stored] = some) -> None:
            # Its schema may have changed while others wrote.
            now = server.catalog.find(target.group, target.version, target.plural) or served
            draft.warnings.extend(_warnings_of_orphans(served, options))
            for stored in some:
                current = server.store.peek(stored.key)
                if current is None:
                    continue  # others wrote between two commits
                namespace, name = stored.key.namespace, stored.key.name
                if current.revision != stored.revision:
                    found = draft.read(now, namespace, name)
                    if found is None or not selection.matches(found):
                        continue
                operations.delete(draft, now, namespace, name, options)

        said = ("DeleteOptions", request.params)
        draft, _ = await server.attempt(request.user, work, said, is_dry=dry)
        await commit(draft, dry)
        await asyncio.sleep(0)
    response = await lists.show_page(server, served, request, listed, page)
    response.headers = (
        *response.headers,
        *warnings.headers(_warnings_of_orphans(served, options)),
    )
    return response


def _read(request: Request, served: Served, options: WriteOptions) -> tuple[Obj, Strictness]:
    """The body as an object of this kind, and how strictly its fields are looked at.

    Errors: BadRequest, UnsupportedMediaType.
    """
    body = received(request, served)
    try:
        level = strictness(request, options, body)
        if level.raw and served.is_typed:
            repeated = level.duplicates
            if options.level == "Ignore":
                repeated = strict.duplicate_fields(level.raw, body)
            if repeated:
                body = envelope.opened(doubled.merged(level.raw, served.kind.schema))
    except RecursionError as error:  # who look for fields that come twice go down to the last one
        raise json_bodies.TooDeep(None) from error
    return body, level


def received(request: Request, served: Served) -> Obj:
    """The body as an object of this kind. Errors: BadRequest, UnsupportedMediaType."""
    beyond: json_bodies.NoNumber | None = None
    try:
        try:
            value = request.json((served.resource.api_version, served.resource.kind))
        except json_bodies.NoNumber as error:
            value, beyond = error.value, error
            if not served.is_builtin:  # what is not typed is read before it is asked what it is
                raise _unreadable(served, error.problem) from error
        except json_bodies.TooDeep as error:
            value = _shallow(served, error)
        obj = envelope.opened(value)
    except envelope.NoJson as error:
        raise envelope.unreadable(served.resource, error, request.body) from error
    envelope.check_type(
        obj, served.resource, request.body, go_errors.misfit_of, is_builtin=served.is_builtin
    )
    if beyond is not None:
        is_told = served.is_typed and all(
            go_errors.fits_no_number(served.kind.schema, path) for path in beyond.paths
        )
        if not is_told:  # by who reads the fields
            raise _unreadable(served, beyond.problem) from beyond
    return obj


def _shallow(served: Served, error: json_bodies.TooDeep) -> Any:
    """The body where all that is too deep in it is read by none of the kind's fields. Errors: the
    given one otherwise."""
    if not served.is_typed or error.value is None:
        raise error
    try:
        value = unread.without_unread(served.kind.schema, error.value)
        json_bodies.check_depth(value)
    except (TypeError, RecursionError):
        raise error from None
    return value


def _unreadable(served: Served, problem: str) -> BadRequest:
    return BadRequest(go_errors.undecodable(served.resource, problem))


def strictness(request: Request, options: WriteOptions, parsed: Any = None) -> Strictness:
    """The treatment of unknown and duplicate fields; `parsed` is the body where it has been read."""
    level = options.level
    if request.head.content_type == protobuf.MEDIA_TYPE:
        return Strictness(level)
    if request.head.content_type == YAML:
        from mizzen.apiserver.core import yaml_bodies  # slow to import, and seldom needed

        repeated = () if level == "Ignore" else yaml_bodies.parse(request.body)[1]
        return Strictness(level, of_yaml=repeated)
    if level == "Ignore":
        return Strictness(level, raw=request.body)
    repeated = tuple(strict.duplicate_fields(request.body, parsed))
    return Strictness(level, repeated, raw=request.body)


def delete_options(request: Request) -> DeleteOptions:
    """From the body or, where there is none, from the query. Errors: BadRequest, Invalid."""
    if not request.body:
        return deleting.of_params(request.params)
    try:
        value = request.json(deleting.EXPECTED)
    except json_bodies.NoNumber as error:
        value = error.value  # which has no field for such a number
    return deleting.of_body(envelope.opened(value), request.body)


def success(code: int = 200) -> Obj:
    """A Status that says all went well."""
    status: Obj = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if code != 200:
        status["code"] = code
    return status


async def commit(draft: Draft, dry: bool) -> None:
    done = draft.commit(dry=dry)
    if done is not None:
        await done


async def _finish(
    server: Server, served: Served, request: Request, draft: Draft, made: Obj, status: int
) -> Response:
    """Commits and answers with the object as written."""
    # An answer that cannot be given is refused before it is too late.
    form_of(request.head.accept).check_listing(is_list=False, of=served.internal_type)
    is_removed = draft.removes(_key(served, made))  # and answered as it was asked for, as upstream
    done = draft.commit(dry=draft.is_dry)
    data = None
    if done is not None:
        stored = await done
        # What was committed is answered in the very bytes that were stored, and beside it may lie
        # what plug-ins wrote.
        found = stored if len(stored) == 1 else [s for s in stored if s.key == _key(served, made)]
        if found and not is_removed:
            (shown,) = await in_version(served, found[:1])
            data = served.view(shown)
    elif served.versions is not None and (kept := draft.get(_key(served, made))) is not None:
        # What would have been stored may say less than what was sent.
        would_be = Stored(_key(served, made), 0, orjson.dumps(kept))
        (shown,) = await in_version(served, [would_be])
        data = served.view(shown)
    response = show(server, served, data or orjson.dumps(made), request, status)
    return with_warnings(response, draft)


def _key(served: Served, obj: Obj) -> ObjectKey:
    metadata = obj["metadata"]
    return ObjectKey(served.key, metadata.get("namespace") or "", metadata["name"])


def with_warnings(response: Response, draft: Draft) -> Response:
    if draft.warnings:
        response.headers = warnings.headers(draft.warnings)
    return response
