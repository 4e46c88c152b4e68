"""Plans: several operations, one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from mizzen.apiserver import binding, operations
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.bodies import as_list, as_object, grace_seconds, text
from mizzen.apiserver.core.patching import Patch
from mizzen.apiserver.core.request_options import check_propagation
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.http import Request, Response
from mizzen.apiserver.server import Server
from mizzen.apiserver.subresources import scale
from mizzen.apiserver.writes import write_options
from mizzen.base.errors import ApiError, BadRequest, Cause, Forbidden, Passed, TooLarge
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.base.resources import PLANS
from mizzen.kinds.names import dns_subdomain
from mizzen.kinds.report import quoted
from mizzen.store.store import ObjectKey, Stored

# Nobody else is served meanwhile: about 0.2 ms each. A gang is bound, and its formation is written,
# in one plan, one operation for each of its pods (three where each has a claim of its own).
OPERATIONS_MAX = 5000
# Of objects that its operations change, as often as they do: those of 5000 pods have about 30 MiB.
READ_BYTES_MAX = 64 << 20
_HEAD = b'{"apiVersion":"%s","kind":"%s","metadata":' % (
    PLANS.api_version.encode(),
    PLANS.kind.encode(),
)
_Result = tuple[ObjectKey, Obj]  # the object as one operation left it


async def commit(server: Server, served: Served, target: Target, request: Request) -> Response:
    """All operations or none. The answer is the Plan with status.revision and status.results.

    Errors: the first failing operation's own, with `spec.operations[i]` as its first cause.
    """
    body = request.json()
    entries, name = _parse(body)

    def work(draft: Draft) -> tuple[str, list[_Result]]:
        plan_id = name or draft.new_id()
        results: list[_Result] = []
        for index, entry in enumerate(entries):
            try:
                results.append(_carry_out(server, draft, entry))
                _check_read(draft)
            except ApiError as error:
                raise _at(error, index) from error
        return plan_id, results

    options = write_options(request, "CreateOptions")
    is_dry, said = options.is_dry, (options.kind, request.params)
    draft, (plan_id, results) = await server.attempt(
        request.user, work, said, is_dry=is_dry, manager=options.manager
    )
    revision, stored = server.store.revision, list[Stored]()
    done = _commit(draft, plan_id, results, is_dry)
    if done is not None:
        stored = await done
        revision = stored[-1].revision
    return Response(201, _answer(draft, body["spec"], plan_id, results, stored, revision))


def _check_read(draft: Draft) -> None:
    if draft.read_bytes > READ_BYTES_MAX:
        raise TooLarge(
            f"the objects that this operation and those before it change have {draft.read_bytes} "
            f"bytes, of at most {READ_BYTES_MAX} in one plan; split the plan"
        )


def _commit(
    draft: Draft, plan_id: str, results: list[_Result], dry: bool
) -> asyncio.Future[list[Stored]] | None:
    """Errors: what the store cannot take, as the last operation's that wrote it."""
    try:
        return draft.commit(plan_id, dry=dry)
    except ApiError as error:
        for index, (key, _) in reversed(list(enumerate(results))):
            if (key.resource, key.name) == (error.kind, error.name):
                raise _at(error, index) from error
        raise


def _answer(
    draft: Draft,
    spec: Any,
    plan_id: str,
    results: list[_Result],
    stored: list[Stored],
    revision: int,
) -> bytes:
    """The Plan; objects that were written are included in the very bytes that were stored."""
    written = {each.key: each.data for each in stored}
    shown: list[bytes] = []
    for key, obj in results:
        latest = draft.latest(key, obj)
        data = written.get(key) if latest is not None else None
        shown.append(data or orjson.dumps(latest or obj))
    return b"".join(
        (
            _HEAD,
            orjson.dumps({"name": plan_id}),
            b',"spec":',
            orjson.dumps(spec),
            b',"status":{"revision":%d,"results":[' % revision,
            b",".join(shown),
            b"]}}",
        )
    )


def _parse(body: Any) -> tuple[list[Obj], str]:
    """The operations and the plan's own name. Errors: BadRequest."""
    plan = as_object(body, "the body must be a Plan of mizzen.dev/v1alpha1")
    if plan.get("kind") != PLANS.kind:
        raise BadRequest("the body must be a Plan of mizzen.dev/v1alpha1")
    missing = "spec.operations: Required value: a plan needs at least one operation"
    entries = as_list(part(plan, "spec").get("operations"), missing)
    if not entries:
        raise BadRequest(missing)
    if len(entries) > OPERATIONS_MAX:
        raise BadRequest(
            f"spec.operations: {len(entries)} operations are more than the {OPERATIONS_MAX} "
            "that one plan may have; split the plan"
        )
    operations = [
        as_object(entry, f"spec.operations[{index}]: an operation must be an object")
        for index, entry in enumerate(entries)
    ]
    name = text(part(plan, "metadata"), "name")
    problem = dns_subdomain(name) if name else ""
    if problem:  # the history has it with every write
        raise BadRequest(f"metadata.name: Invalid value: {quoted(name)}: {problem}")
    return operations, name


def _carry_out(server: Server, draft: Draft, entry: Obj) -> _Result:
    op = str(entry.get("op"))
    carry = _OPERATIONS.get(op)
    if carry is None:
        raise BadRequest(f"op {entry.get('op')!r} is unknown: use {', '.join(_OPERATIONS)}")
    unknown = entry.keys() - _FIELDS[op]
    if unknown:
        name = min(unknown)
        raise BadRequest(f"unknown field {quoted(name)}: {op} has {', '.join(sorted(_FIELDS[op]))}")
    return carry(server, draft, entry)


def _create(server: Server, draft: Draft, entry: Obj) -> _Result:
    obj = as_object(entry.get("object"), "object: Required value: what to create")
    served = _served(server, entry, str(obj.get("apiVersion") or ""))
    metadata = part(obj, "metadata")
    namespace = text(metadata, "namespace")
    _authorize(server, draft, "create", served, namespace, text(metadata, "name"))
    return _result(served, operations.create(draft, served, namespace, obj))


def _patch(server: Server, draft: Draft, entry: Obj) -> _Result:
    served = _served(server, entry, str(entry.get("apiVersion") or ""))
    subresource = str(entry.get("subresource") or "")
    if subresource not in ("", "status", "scale"):
        raise BadRequest(
            f"subresource {subresource!r} cannot be patched in a plan: use status or scale"
        )
    if subresource and served.kind.subresource(subresource) is None:
        raise refusals.unserved()
    change = as_object(entry.get("patch"), "patch: Required value: a merge patch")
    namespace, name = _place(entry)
    _authorize(server, draft, "patch", served, namespace, name, subresource)
    if subresource == "scale":
        scaled = scale.change(draft, served, namespace, name, Patch(change))
        return _result(served, scaled)
    obj = operations.patch(
        draft,
        served,
        namespace,
        name,
        Patch(change),
        subresource=subresource,
        uid=str(entry.get("uid") or ""),
        resource_version=str(entry.get("resourceVersion") or ""),
    )
    return _result(served, obj)


def _bind(server: Server, draft: Draft, entry: Obj) -> _Result:
    served = _served(server, entry, str(entry.get("apiVersion") or "v1"))
    if served.kind.subresource("binding") is None:
        raise BadRequest(f"{served.key} cannot be bound; only pods can")
    namespace, name = _place(entry)
    _authorize(server, draft, "create", served, namespace, name, "binding")
    obj = binding.bind(
        draft,
        served,
        namespace,
        name,
        str(entry.get("nodeName") or ""),
        uid=str(entry.get("uid") or ""),
        resource_version=str(entry.get("resourceVersion") or ""),
    )
    return _result(served, obj)


def _delete(server: Server, draft: Draft, entry: Obj) -> _Result:
    served = _served(server, entry, str(entry.get("apiVersion") or ""))
    namespace, name = _place(entry)
    _authorize(server, draft, "delete", served, namespace, name)
    options = DeleteOptions(
        grace_seconds(entry.get("gracePeriodSeconds")),
        str(entry.get("uid") or ""),
        str(entry.get("resourceVersion") or ""),
        str(entry.get("propagationPolicy") or ""),
    )
    if causes := check_propagation(options.propagation or None, None):
        raise BadRequest(f"{causes[0].field}: {causes[0].message}")
    obj, _ = operations.delete(draft, served, namespace, name, options)
    return _result(served, obj)


def _result(served: Served, obj: Obj) -> _Result:
    metadata = obj["metadata"]
    return ObjectKey(served.key, metadata.get("namespace") or "", metadata["name"]), obj


_OPERATIONS: Mapping[str, Callable[[Server, Draft, Obj], _Result]] = {
    "create": _create,
    "patch": _patch,
    "bind": _bind,
    "delete": _delete,
}


_TARGET = frozenset({"op", "apiVersion", "resource", "namespace", "name", "uid", "resourceVersion"})
_FIELDS: Mapping[str, frozenset[str]] = {
    "create": frozenset({"op", "resource", "object"}),
    "patch": _TARGET | {"patch", "subresource"},
    "bind": _TARGET | {"nodeName"},
    "delete": _TARGET | {"gracePeriodSeconds", "propagationPolicy"},
}


def _served(server: Server, entry: Obj, api_version: str) -> Served:
    group, _, version = api_version.rpartition("/")
    served = server.catalog.find(group, version, str(entry.get("resource") or ""))
    if served is None or not served.kind.is_stored:
        raise BadRequest(f'no resource "{entry.get("resource")}" in apiVersion "{api_version}"')
    return served


def _place(entry: Obj) -> tuple[str, str]:
    return str(entry.get("namespace") or ""), str(entry.get("name") or "")


def _authorize(
    server: Server,
    draft: Draft,
    verb: str,
    served: Served,
    namespace: str,
    name: str,
    subresource: str = "",
) -> None:
    resource = served.resource
    scope = namespace if resource.namespaced else ""  # a right in a namespace reaches no further
    access = Access(draft.user, verb, resource.group, resource.plural, subresource, scope, name)
    if not server.authorize(access):
        what = f"{served.key}/{subresource}" if subresource else served.key
        raise Forbidden(f'User "{draft.user.name}" cannot {verb} resource "{what}" in a plan')


def _at(error: ApiError, index: int) -> ApiError:
    """The same error, saying which operation it was."""
    first = Cause(f"spec.operations[{index}]", error.message, "FieldValueInvalid")
    if isinstance(error, Passed):
        return error.with_cause(first)
    return type(error)(
        error.message,
        group=error.group,
        kind=error.kind,
        name=error.name,
        causes=[first, *error.causes],
        retry_after_s=error.retry_after_s,
    )


HANDLERS = {"create": commit}
