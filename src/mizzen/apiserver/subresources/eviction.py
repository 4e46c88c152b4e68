"""The eviction of a pod: a deletion that its disruption budget must allow.

The budget's count, the pod's condition and its deletion are one commit. Source:
pkg/registry/core/pod/storage/eviction.go, Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.apiserver import operations
from mizzen.apiserver.admission_chain import EVICTION
from mizzen.apiserver.admission_subjects import admit
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import deleting, eviction, preconditions, refusals
from mizzen.apiserver.core.bodies import as_object, text
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.http import Request, Response, answer
from mizzen.apiserver.server import Server
from mizzen.apiserver.writes import commit, success, write_options
from mizzen.base.errors import BadRequest, InternalError
from mizzen.base.reading import part
from mizzen.store.store import ObjectKey


async def create(server: Server, served: Served, target: Target, request: Request) -> Response:
    body = as_object(request.json(), "the body must be an Eviction of policy/v1")
    if text(part(body, "metadata"), "name") != target.name:
        raise BadRequest("name in URL does not match name in Eviction object")
    options = deleting.of_body(part(body, "deleteOptions"))
    is_dry = options.is_dry or write_options(request, "CreateOptions").is_dry
    said = ("CreateOptions", request.params)
    key = ObjectKey(served.key, target.namespace, target.name)

    def work(draft: Draft) -> None:
        metadata = {"namespace": target.namespace, **part(body, "metadata")}
        asked = {"kind": "Eviction", "apiVersion": "policy/v1", **body, "metadata": metadata}
        asked = admit(draft, draft.admission, served.resource, EVICTION, key, asked)
        _evict(draft, served, target, deleting.of_body(part(asked, "deleteOptions")))

    draft, _ = await server.attempt(request.user, work, said, is_dry=is_dry)
    await commit(draft, is_dry)
    return answer(201, success(code=201))


def _evict(draft: Draft, served: Served, target: Target, options: DeleteOptions) -> None:
    pod = draft.read(served, target.namespace, target.name)
    if pod is None:
        raise refusals.not_found(served.resource, target.name)
    preconditions.check(served.resource, pod, options.uid, options.resource_version)
    if not eviction.is_free(pod):
        listed = draft.list(refusals.qualified(eviction.BUDGETS), target.namespace)
        budgets = [each for each in listed if eviction.covers(each, pod)]
        if len(budgets) > 1:
            raise InternalError(
                "This pod has more than one PodDisruptionBudget, which the eviction subresource "
                "does not support."
            )
        for budget in budgets:
            if eviction.minds(budget, pod):
                name = budget["metadata"]["name"]
                key = ObjectKey(refusals.qualified(eviction.BUDGETS), target.namespace, name)
                left = eviction.disrupt(budget, target.name, draft.now_ns)
                draft.put(key, left, "update/status")
    key = ObjectKey(served.key, target.namespace, target.name)
    draft.put(key, eviction.marked(pod, draft.now_ns), "update/status")
    free = DeleteOptions(options.grace_s, options.uid, "", options.propagation)
    operations.delete(draft, served, target.namespace, target.name, free, is_admitted=True)


HANDLERS = {"create": create}
