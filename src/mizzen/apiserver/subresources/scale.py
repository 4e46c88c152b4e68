"""The scale subresource: one number of an object, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from mizzen.apiserver import operations
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.conversions import in_version
from mizzen.apiserver.core import patching, refusals
from mizzen.apiserver.core.bodies import as_object, text
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.http import Request, Response, answer, parse_json
from mizzen.apiserver.server import Server
from mizzen.apiserver.writes import commit, write_options
from mizzen.base.errors import Cause, invalid
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.base.resources import REPLICATION_CONTROLLERS
from mizzen.base.selectors import selector_text
from mizzen.kinds import reading
from mizzen.kinds.patches import merge_patch
from mizzen.kinds.report import quoted
from mizzen.store.store import ObjectKey

REPLICAS_MAX = (1 << 31) - 1  # an int32


def _read(served: Served, obj: Obj) -> Obj:
    """The Scale (autoscaling/v1) of an object."""
    paths = served.kind.scale
    if paths is None:
        raise refusals.unserved()
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Obj = {"replicas": reading.get(obj, paths.status_replicas) or 0}
    if paths.selector:
        status["selector"] = _selector_text(obj["kind"], reading.get(obj, paths.selector))
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {k: v for k, v in obj["metadata"].items() if k in kept},
        "spec": {"replicas": reading.get(obj, paths.spec_replicas) or 0},
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
    draft: Draft, served: Served, namespace: str, name: str, apply: Callable[[Obj], Any]
) -> Obj:
    """Applies a change of the Scale to the object behind it; returns that object."""
    paths = served.kind.scale
    old = draft.read(served, namespace, name)
    if old is None:
        raise refusals.not_found(served.resource, name)
    if paths is None:
        raise refusals.unserved()
    wanted = as_object(apply(_read(served, old)), "the body must be a Scale object")
    replicas = reading.get(wanted, "spec.replicas")
    is_number = isinstance(replicas, int) and not isinstance(replicas, bool)
    if not is_number or not 0 <= replicas <= REPLICAS_MAX:
        message = f"Invalid value: {quoted(replicas)}: must be an integer from 0 to {REPLICAS_MAX}"
        cause = Cause("spec.replicas", message)
        raise invalid("Scale", "autoscaling", name, [cause])
    nested: Any = replicas
    for each in reversed(paths.spec_replicas.split(".")):
        nested = {each: nested}
    metadata = part(wanted, "metadata")
    return operations.patch(
        draft,
        served,
        namespace,
        name,
        lambda obj: merge_patch(obj, nested),
        uid=text(metadata, "uid"),
        resource_version=text(metadata, "resourceVersion"),
        subresource="scale",
    )


async def get(server: Server, served: Served, target: Target, request: Request) -> Response:
    stored = server.store.get(ObjectKey(served.key, target.namespace, target.name))
    if stored is None:
        raise refusals.not_found(served.resource, target.name)
    (stored,) = await in_version(served, [stored])
    return answer(200, _read(served, served.view_parsed(stored, stored.object)))


async def update(server: Server, served: Served, target: Target, request: Request) -> Response:
    body = request.json()
    return await _write(server, served, target, request, lambda _: body)


async def patch(server: Server, served: Served, target: Target, request: Request) -> Response:
    body = parse_json(request.body)
    apply = patching.applier(request.content_type, served.kind, body)
    return await _write(server, served, target, request, apply)


async def _write(
    server: Server, served: Served, target: Target, request: Request, apply: Callable[[Obj], Any]
) -> Response:
    options = write_options(request, "UpdateOptions")
    is_dry, said = options.is_dry, (options.kind, request.params)
    draft, made = await server.attempt(
        request.user,
        lambda draft: change(draft, served, target.namespace, target.name, apply),
        said,
        is_dry=is_dry,
        manager=options.manager,
    )
    await commit(draft, is_dry)
    return answer(200, _read(served, made))


HANDLERS = {"get": get, "update": update, "patch": patch}
