"""LimitRanges, quotas, budgets, policies and webhooks are refused, and refuse, in upstream's words."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mizzen.store.memory import MemoryStore
from support.admission_cases import NAMESPACE, Case, admitted, refused
from support.api_handlers import an_api
from support.real_cluster import Cluster

SETTLES_S = 15
Answer = tuple[int, Any]


def shown(case: Case, answer: Answer) -> Any:
    """What is compared of an answer: of refusals all, else what admission makes of objects. That
    a new quota tells at once what is used is ours."""
    code, body = answer
    if code >= 400:
        return code, body.get("reason"), body["message"]
    if case.method == "DELETE":
        return code
    containers = body.get("spec", {}).get("containers") or []
    used = body.get("status", {}).get("used") if case.method == "GET" else None
    return code, [c.get("resources") for c in containers], used


def settled(ask: Callable[[Case], Answer], case: Case) -> Answer:
    answer = ask(case)
    ends = time.monotonic() + SETTLES_S
    while case.settles and answer[0] < 400 and time.monotonic() < ends:
        name = case.body["metadata"]["name"] if case.body else ""
        ask(Case("DELETE", f"{case.path}/{name}?gracePeriodSeconds=0"))
        time.sleep(0.2)
        answer = ask(case)
    return answer


async def test_both_answer_alike(cluster: Cluster) -> None:
    api = await an_api(MemoryStore())
    cluster.make_namespace(NAMESPACE)
    body = {"metadata": {"name": NAMESPACE}}
    assert (await api.call("POST", "/api/v1/namespaces", body))[0] == 201
    found: list[str] = []
    try:
        for case in (*refused(), *admitted()):
            ours = shown(case, await api.call(case.method, case.path, case.body))
            answer = settled(lambda c: cluster.call(c.method, c.path, c.body), case)
            theirs = shown(case, answer)
            if ours != theirs:
                found.append(f"{case}:\n  ours   {ours}\n  theirs {theirs}")
    finally:
        cluster.call("DELETE", f"/api/v1/namespaces/{NAMESPACE}")
    assert found == [], "\n".join(found)
