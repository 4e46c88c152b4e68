"""MutatingAdmissionPolicies are refused, and change writes, as by kube-apiserver."""

from __future__ import annotations

from typing import Any

from mizzen.store.memory import MemoryStore
from support.api_handlers import an_api
from support.both_servers import Answer, Case, differences, refusals
from support.mutation_cases import NAMESPACE, mutated, refused
from support.real_cluster import Cluster


def shown(case: Case, answer: Answer) -> Any:
    """Of what is made all that a policy may have changed; whether deletions find something hangs
    on the case before."""
    if case.method == "DELETE":
        return None
    body = answer.body
    if answer.code >= 400:
        return refusals(case, answer)
    metadata = body["metadata"]
    parts = {key: body.get(key) for key in ("data", "spec")}
    return answer.code, metadata.get("labels"), metadata.get("annotations"), parts


async def test_both_answer_alike(cluster: Cluster) -> None:
    api = await an_api(MemoryStore())
    cluster.make_namespace(NAMESPACE)
    body = {"metadata": {"name": NAMESPACE}}
    assert (await api.call("POST", "/api/v1/namespaces", body))[0] == 201
    try:
        found = await differences(api, cluster, [*refused(), *mutated()], shown)
    finally:
        cluster.call("DELETE", f"/api/v1/namespaces/{NAMESPACE}")
    assert found == [], "\n".join(found)
