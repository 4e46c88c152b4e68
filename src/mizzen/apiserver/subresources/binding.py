"""The binding of a pod to a node."""

from __future__ import annotations

from mizzen.apiserver import binding
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core.bodies import as_object, text
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.http import Request, Response, answer
from mizzen.apiserver.server import Server
from mizzen.apiserver.writes import commit, success, write_options
from mizzen.base.objects import Obj
from mizzen.base.reading import part


async def create(server: Server, served: Served, target: Target, request: Request) -> Response:
    body = as_object(request.json(), "the body must be a Binding object")
    metadata = part(body, "metadata")

    def work(draft: Draft) -> Obj:
        return binding.bind(
            draft,
            served,
            target.namespace,
            target.name or text(metadata, "name"),
            text(part(body, "target"), "name"),
            uid=text(metadata, "uid"),
            resource_version=text(metadata, "resourceVersion"),
        )

    options = write_options(request, "CreateOptions")
    is_dry, said = options.is_dry, (options.kind, request.params)
    draft, _ = await server.attempt(request.user, work, said, is_dry=is_dry)
    await commit(draft, is_dry)
    return answer(201, success(code=201))


HANDLERS = {"create": create}
