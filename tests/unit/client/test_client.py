from types import SimpleNamespace

import pytest

from mizzen.base.errors import Conflict, NotFound, TooManyRequests, Unavailable
from mizzen.base.operations import Bind, Create, Delete, Patch
from mizzen.base.resources import NODES, PODS
from mizzen.client.client import Client
from mizzen.client.kubeconfig import Connection


def answer(body, status=200, **kwargs):
    return SimpleNamespace(
        status=status,
        body=body,
        lines=kwargs.get("lines"),
        hold=None,
        headers=kwargs.get("headers", {}),
    )


POD = {"metadata": {"name": "a", "namespace": "x", "resourceVersion": "7"}}
DISCOVERY = {"kind": "APIResourceList", "resources": [{"name": "plans"}, {"name": "x"}]}


async def test_requests_carry_path_token_and_agent(server):
    server.answers = [answer(POD)]
    assert await server.client.get(PODS, "a", "x") == POD
    seen = server.seen[0]
    assert (seen.method, seen.path) == ("GET", "/api/v1/namespaces/x/pods/a")
    assert seen.headers["Authorization"] == "Bearer secret"
    assert seen.headers["User-Agent"] == "test"


async def test_a_namespaced_get_without_namespace_uses_the_contexts(server):
    server.answers = [answer(POD), answer({"metadata": {"name": "n"}})]
    await server.client.get(PODS, "a")
    await server.client.get(NODES, "n")
    assert [s.path for s in server.seen] == [
        "/api/v1/namespaces/default/pods/a",
        "/api/v1/nodes/n",
    ]


async def test_list_follows_continue_and_completes_type_names(server):
    server.answers = [
        answer({"metadata": {"resourceVersion": "9", "continue": "t"}, "items": [POD]}),
        answer({"metadata": {"resourceVersion": "9"}, "items": []}),
    ]
    items, revision = await server.client.list(PODS, labels="a=b", fields="spec.nodeName=n")
    assert revision == 9
    assert items[0]["kind"] == "Pod"
    assert server.seen[0].path == "/api/v1/pods"
    assert server.seen[0].query["labelSelector"] == "a=b"
    assert server.seen[0].query["fieldSelector"] == "spec.nodeName=n"
    assert server.seen[1].query["continue"] == "t"


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [(404, "NotFound", NotFound), (409, "Conflict", Conflict), (503, "", Unavailable)],
)
async def test_a_status_becomes_its_error(server, code, reason, kind):
    server.answers = [answer({"kind": "Status", "reason": reason, "message": "no"}, code)]
    with pytest.raises(kind, match="no"):
        await server.client.get(PODS, "a", "x")


async def test_retry_after_header_is_kept(server):
    server.answers = [answer({"message": "later"}, 429, headers={"Retry-After": "3"})]
    with pytest.raises(TooManyRequests) as caught:
        await server.client.create(PODS, POD)
    assert caught.value.retry_after_s == 3


async def test_no_server_is_unavailable():
    async with Client(Connection("http://127.0.0.1:9"), user_agent="test") as client:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
            await client.get(PODS, "a", "x")


async def test_one_operation_is_a_plain_request(server):
    server.answers = [answer(POD)] * 4
    await server.client.commit([Create(PODS, POD)])
    await server.client.commit(
        [Patch(PODS, "x", "a", {"status": {}}, "status", resource_version="7", uid="u")]
    )
    await server.client.commit([Bind("x", "a", "node", uid="u")])
    await server.client.commit([Delete(PODS, "x", "a", grace_period_s=0, uid="u")])
    create, patch, bind, delete = server.seen
    assert (create.method, create.path) == ("POST", "/api/v1/namespaces/x/pods")
    assert create.body["kind"] == "Pod"
    assert (patch.method, patch.path) == ("PATCH", "/api/v1/namespaces/x/pods/a/status")
    assert patch.body == {"status": {}, "metadata": {"resourceVersion": "7", "uid": "u"}}
    assert patch.headers["Content-Type"] == "application/merge-patch+json"
    assert bind.path == "/api/v1/namespaces/x/pods/a/binding"
    assert bind.body["target"]["name"] == "node"
    assert delete.method == "DELETE"
    assert delete.body["preconditions"] == {"uid": "u"}
    assert delete.body["gracePeriodSeconds"] == 0


async def test_several_operations_are_one_plan(server):
    done = answer({"status": {"results": [POD, POD]}})
    server.answers = [answer(DISCOVERY), done, done]
    operations = [Create(PODS, POD), Bind("x", "a", "node")]
    assert await server.client.commit(operations) == [POD, POD]
    await server.client.commit(operations)
    assert [s.path for s in server.seen] == [
        "/apis/mizzen.dev/v1alpha1",
        "/apis/mizzen.dev/v1alpha1/plans",
        "/apis/mizzen.dev/v1alpha1/plans",
    ]
    assert [o["op"] for o in server.seen[1].body["spec"]["operations"]] == ["create", "bind"]


async def test_without_plans_operations_are_ordered_writes_and_stop_at_a_refusal(server):
    conflict = answer({"reason": "Conflict", "message": "stale"}, 409)
    server.answers = [answer({"message": "no such group"}, 404), answer(POD), conflict]
    operations = [Create(PODS, POD), Bind("x", "a", "node"), Delete(PODS, "x", "b")]
    with pytest.raises(Conflict):
        await server.client.commit(operations)
    assert [s.method for s in server.seen] == ["GET", "POST", "POST"]


async def test_logs_are_lines_of_any_length(server):
    long = "y" * 300_000
    server.answers = [answer(None, lines=["a", long])]
    lines = [line async for line in server.client.logs("a", "x", tail=5, follow=True)]
    assert [line.decode().strip('"\n') for line in lines] == ["a", long]
    assert server.seen[0].query == {"follow": "true", "tailLines": "5"}
