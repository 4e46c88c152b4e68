"""The binding of a pod to a node. Source: pkg/registry/core/pod/storage BindingREST."""

from __future__ import annotations

from mizzen.apiserver import binding, operations
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core.bodies import text
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.http import Request, Response, answer
from mizzen.apiserver.server import Server
from mizzen.apiserver.writes import commit, received, strictness, success, write_options
from mizzen.base.errors import BadRequest, Unclassified
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.kinds.core.binding import KIND, check_binding

_SERVED = Served(KIND, is_builtin=True)


async def create(server: Server, served: Served, target: Target, request: Request) -> Response:
    """Of the pod that the path names, or of the one that the body names where it names none."""
    options = write_options(request, "CreateOptions")
    body = received(request, _SERVED)
    strict = strictness(request, options, body)

    def work(draft: Draft) -> Obj:
        said = operations.decode_virtual(draft, _SERVED, target.namespace, body, strict)
        name, metadata = text(said["metadata"], "name"), said["metadata"]
        if target.name and name != target.name:
            raise BadRequest("name in URL does not match name in Binding object")
        causes = check_binding(said)
        if causes:
            told = [f"{cause.field}: {cause.message}" for cause in causes]
            raise Unclassified(told[0] if len(told) == 1 else f"[{', '.join(told)}]")
        return binding.bind(
            draft,
            served,
            target.namespace,
            name,
            text(part(said, "target"), "name"),
            uid=text(metadata, "uid"),
            resource_version=text(metadata, "resourceVersion"),
            binding=said,
        )

    is_dry, asked = options.is_dry, (options.kind, request.params)
    draft, _ = await server.attempt(request.user, work, asked, is_dry=is_dry)
    await commit(draft, is_dry)
    return answer(201, success(code=201))


HANDLERS = {"create": create}
