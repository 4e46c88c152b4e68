"""The tokens of a service account: serviceaccounts/NAME/token, made and kept nowhere.

Source: pkg/registry/core/serviceaccount/storage/token.go, Kubernetes 1.36.
"""

from __future__ import annotations

import copy

from mizzen.apiserver import audit_annotations, operations
from mizzen.apiserver.admission_chain import TOKEN
from mizzen.apiserver.admission_subjects import admit
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import node_tokens, refusals, warnings
from mizzen.apiserver.core.access import Access
from mizzen.apiserver.core.field_managers import Writer, track_create
from mizzen.apiserver.core.node_access import AGENT, node_of
from mizzen.apiserver.core.routing import Target
from mizzen.apiserver.core.service_tokens import API_AUDIENCES, make_claims
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.http import Request, Response, answer
from mizzen.apiserver.server import Server
from mizzen.apiserver.writes import received, strictness, write_options
from mizzen.base.clock import rfc3339
from mizzen.base.errors import BadRequest, Cause, Conflict, invalid
from mizzen.base.objects import Obj
from mizzen.base.reading import part, text
from mizzen.base.resources import NODES, PODS, SECRETS, SERVICE_ACCOUNTS, Resource
from mizzen.kinds.authentication.reviews import TOKEN_REQUEST
from mizzen.store.store import ObjectKey

LIFE_S_MIN, LIFE_S, LIFE_S_MAX = 10 * 60, 60 * 60, 1 << 32
_NS = 1_000_000_000
_BOUND = {"Pod": PODS, "Secret": SECRETS, "Node": NODES}
_RESOURCE = TOKEN_REQUEST.resource
_LISTED_POD = Resource("", "v1", "pod", "Pod")  # upstream's lister calls it so
_ISSUED = "authentication.kubernetes.io/issued-credential-id"
_SERVED = Served(TOKEN_REQUEST, is_builtin=True)


async def create(server: Server, served: Served, target: Target, request: Request) -> Response:
    signer = server.token_signer
    if signer is None:
        raise refusals.method_not_allowed(served.resource, "token")
    draft = server.draft(request.user)
    options = write_options(request, "CreateOptions")
    draft.manager, level = options.manager, strictness(request, options)
    wish = operations.decode_virtual(
        draft, _SERVED, target.namespace, received(request, _SERVED), level
    )
    _restrict(server, draft, target, part(wish, "spec"))
    said = text(wish, "metadata", "name")
    if said and said != target.name:
        why = f'Invalid value: "{said}": must match the service account name if specified'
        raise invalid(_RESOURCE.kind, _RESOURCE.group, target.name, [Cause("metadata.name", why)])
    account = draft.get(ObjectKey(served.key, target.namespace, target.name))
    if account is None:
        raise refusals.not_found(served.resource, target.name)
    wish["metadata"] |= {"name": target.name, "namespace": target.namespace}
    wish["spec"] = {"boundObjectRef": None, "expirationSeconds": LIFE_S, **part(wish, "spec")}
    _track(draft, wish)
    wish["status"] = {"token": "", "expirationTimestamp": None}
    created = rfc3339(draft.now_ns)
    wish = await _admitted(server, served, target, request, wish, account, created)
    spec = part(wish, "spec")
    life_s: int = spec["expirationSeconds"]
    bound = _bound(draft, account, spec.get("boundObjectRef"))
    now_s = draft.now_ns // _NS
    claims = make_claims(
        account, bound, spec["audiences"], now_s=now_s, life_s=life_s, token_id=draft.new_id()
    )
    audit_annotations.note({_ISSUED: f"JTI={claims['jti']}"})
    ends = rfc3339((now_s + life_s) * _NS)
    status = {"token": signer.sign(claims), "expirationTimestamp": ends}
    response = answer(201, {**wish, "status": status})
    if draft.warnings:
        response.headers = warnings.headers(draft.warnings)
    return response


def _track(draft: Draft, wish: Obj) -> None:
    """Records who wrote the wish, of which nothing is known that nobody said, in place."""
    said = {name: value for name, value in part(wish, "spec").items() if value is not None}
    metadata = {**wish["metadata"]}
    metadata.pop("managedFields", None)
    tracked = {**wish, "metadata": metadata, "spec": said}
    writer, now = Writer(draft.manager, "token"), rfc3339(draft.now_ns)
    track_create(TOKEN_REQUEST, tracked, writer, now, is_builtin=True)
    wish["metadata"] = metadata


def _restrict(server: Server, draft: Draft, target: Target, spec: Obj) -> None:
    """Holds a node to the tokens of its own pods. Errors: Forbidden, NotFound."""
    user = draft.user
    node = server.config.node_name if user.name == AGENT else node_of(user)
    if node is None:
        return

    def refuse(problem: str) -> None:
        if problem:
            raise refusals.forbidden(SERVICE_ACCOUNTS, target.name, problem)

    def find(resource: str, name: str) -> Obj | None:
        namespace = target.namespace if resource == node_tokens.CLAIMS else ""
        return draft.look(ObjectKey(resource, namespace, name))

    def may_ask(audience: str) -> bool:
        verb = node_tokens.AUDIENCE_VERB
        return server.authorize(Access(user, verb, "", audience, "", target.namespace, target.name))

    if not node:
        refuse(f'could not determine node from user "{user.name}"')
    reference = part(spec, "boundObjectRef")
    refuse(node_tokens.reference_problem(reference))
    pod = draft.get(ObjectKey(PODS.plural, target.namespace, reference["name"]))
    if pod is None:
        raise refusals.not_found(_LISTED_POD, reference["name"])
    refuse(node_tokens.pod_problem(node, reference, pod))
    audiences: list[str] = spec.get("audiences") or []
    refuse(node_tokens.audience_problem(user.name, audiences, pod, find, may_ask))


async def _admitted(
    server: Server,
    served: Served,
    target: Target,
    request: Request,
    wish: Obj,
    account: Obj,
    created: str,
) -> Obj:
    """The wish with all that it left out, which those see who only look. Errors: ApiError where
    somebody refuses."""
    key = ObjectKey(served.key, target.namespace, target.name)

    def complete(wish: Obj) -> Obj:
        said, real = text(wish, "metadata", "uid"), account["metadata"]["uid"]
        if said and said != real:
            why = (
                f"the UID in the token request ({said}) does not match the UID of the service "
                f"account ({real})"
            )
            raise _conflict(_RESOURCE.kind, _RESOURCE.group, target.name, why)
        metadata = {
            **part(wish, "metadata"),
            "name": target.name,
            "namespace": target.namespace,
            "uid": real,
            "creationTimestamp": created,
        }
        spec: Obj = {"audiences": list(API_AUDIENCES), **_said(part(wish, "spec"))}
        _check_life(spec["expirationSeconds"])
        return {**wish, "metadata": metadata, "spec": spec}

    def work(draft: Draft) -> Obj:
        asked, chain = copy.deepcopy(wish), draft.admission
        return admit(draft, chain, served.resource, TOKEN, key, asked, complete=complete)

    said = ("CreateOptions", request.params)
    _, admitted = await server.attempt(request.user, work, said, is_dry=False)
    return admitted


def _said(spec: Obj) -> Obj:
    """The fields that ask for something; upstream writes the reference in any case."""
    said = {name: value for name, value in spec.items() if value}
    return {
        "expirationSeconds": spec.get("expirationSeconds", LIFE_S),
        "boundObjectRef": None,
        **said,
    }


def _check_life(life_s: int) -> None:
    bound = "less than 10 minutes" if life_s < LIFE_S_MIN else "larger than 2^32 seconds"
    if not LIFE_S_MIN <= life_s <= LIFE_S_MAX:
        why = f"Invalid value: {life_s}: may not specify a duration {bound}"
        cause = Cause("spec.expirationSeconds", why)
        raise invalid(_RESOURCE.kind, _RESOURCE.group, "", [cause])


def _conflict(kind: str, group: str, name: str, why: str) -> Conflict:
    """Upstream names the kind here, where other conflicts name the resource."""
    what = f"{kind}.{group}" if group else kind
    message = f'Operation cannot be fulfilled on {what} "{name}": {why}'
    return Conflict(message, group=group, kind=kind, name=name)


def _bound(draft: Draft, account: Obj, reference: Obj | None) -> dict[str, Obj]:
    """The objects that the token is bound to, by their kinds in lower case.

    Errors: BadRequest, NotFound, Conflict.
    """
    if not reference:
        return {}
    kind, version = text(reference, "kind"), text(reference, "apiVersion")
    resource = _BOUND.get(kind)
    if resource is None or "/" in version:
        group, _, number = version.rpartition("/")
        raise BadRequest(f"cannot bind token to object of type {group}/{number}, Kind={kind}")
    name, metadata = text(reference, "name"), account["metadata"]
    namespace = metadata["namespace"] if resource.namespaced else ""
    found = draft.get(ObjectKey(refusals.qualified(resource), namespace, name))
    if found is None:
        raise refusals.not_found(resource, name)
    bound = {kind.lower(): found}
    if resource is PODS:
        if text(found, "spec", "serviceAccountName") != metadata["name"]:
            raise BadRequest(
                f'cannot bind token for serviceaccount "{metadata["name"]}" to pod running with '
                "different serviceaccount name."
            )
        node = text(found, "spec", "nodeName")
        if node:
            key = ObjectKey(refusals.qualified(NODES), "", node)
            bound["node"] = draft.get(key) or {"metadata": {"name": node}}
    uid = text(reference, "uid")
    if uid and uid != found["metadata"]["uid"]:
        why = (
            f"the UID in the bound object reference ({uid}) does not match the UID in record. The "
            "object might have been deleted and then recreated"
        )
        raise _conflict(kind, "", name, why)
    return bound


HANDLERS = {"create": create}
