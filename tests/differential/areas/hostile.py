"""Paths, queries and bodies that nobody should send."""

from __future__ import annotations

from differential.draws import Draws
from differential.steps import APPLY, JSON, Step

_PATHS = (
    "/api/v1/namespaces/<<ns>>/configmaps", "/api/v1/namespaces/<<ns>>/pods",
    "/apis/example.dev/v1/namespaces/<<ns>>/widgets", "/apis/apps/v1/namespaces/<<ns>>/deployments",
)  # fmt: skip
_BODIES = (
    "", "null", "[]", "5", '"x"', "{", '{"kind":', '{"metadata":null}', '{"metadata":[]}', '{"metadata":5}',
    '{"metadata":{"name":5}}', '{"metadata":{"name":null}}', "{}", '{"kind":"ConfigMap"}{"x":1}', "\ufeff{}",
    '{"metadata":{"name":"a"},"data":{"a":"\\ud800"}}', '{"metadata":{"name":"a"},"data":{"a":1e400}}',
    '{"metadata":{"name":"a","labels":{"a":"\\u0000"}}}', "a: 1", "{'a': 1}", '{"a":1,}', "nul", "NaN",
    '{"metadata":{"name":"a"},"spec":[]}', '{"metadata":{"name":"a"},"spec":"x"}',
    '{"metadata":{"name":"a"},"spec":{"replicas":99999999999999999999}}', '{"metadata":{"name":"a"}} x',
    '{"metadata":{"name":"a"},"spec":{"size":1.0}}', '{"metadata":{"name":"a"},"spec":{"size":1e1}}',
    '{"metadata":{"name":"a","namespace":5}}', '{"apiVersion":5,"kind":[],"metadata":{"name":"a"}}',
    '{"metadata":{"name":"a","ownerReferences":{}}}', '{"Metadata":{"Name":"a"}}', '{"metadata":{"NAME":"a"}}',
)  # fmt: skip
_ODD_PATHS = (
    "/api", "/api/v1", "/api/v2", "/apis/none", "/apis/apps", "/apis/apps/v9/deployments", "/api/v1/nothing",
    "/api/v1/namespaces/<<ns>>/nothing", "/api/v1/namespaces/<<ns>>/configmaps/a/b", "/api/v1/configmaps/a",
    "/api/v1/namespaces/<<ns>>/pods/a/log", "/api/v1/namespaces/<<ns>>/pods/a/exec", "/api/v1/nodes/a/proxy",
    "/api/v1/namespaces/<<ns>>/configmaps/", "//api/v1/namespaces", "/api/v1/namespaces/<<ns>>/pods/a/scale",
    "/apis/apps/v1/namespaces/<<ns>>/deployments/a/scale", "/nothing", "/api/v1/namespaces/none/configmaps",
    "/api/v1/namespaces/<<ns>>/configmaps/A_B", "/api/v1/namespaces/<<ns>>/configmaps/%2e%2e",
    "/api/v1/namespaces/<<ns>>/nodes", "/api/v1/namespaces/<<ns>>/pods/a/status", "/apis/example.dev/v1",
    "/api/v1/namespaces/<<ns>>/finalize", "/api/v1/namespaces/<<ns>>/status", "/api/v1/watch/namespaces/<<ns>>/x",
    "/api/v1/namespaces/<<ns>>/configmaps/a%2fb", "/api/v1/namespaces/<<ns>>/pods/a/eviction",
    "/api/v1/namespaces/<<ns>>/serviceaccounts/default/token", "/api/v1/namespaces/<<ns>>/bindings",
)  # fmt: skip


def sequence(draws: Draws) -> list[Step]:
    return [draws.choice((_body, _body, _path))(draws, number) for number in range(1, 8)]


def _body(draws: Draws, number: int) -> Step:
    path, raw = draws.choice(_PATHS), draws.choice(_BODIES)
    method = draws.choice(("POST", "POST", "PUT", "PATCH", "DELETE"))
    one = path if method == "POST" else f"{path}/a"
    kind = draws.choice(
        (JSON, JSON, JSON, "application/yaml", "text/plain", "", "application/json; charset=utf-8")
    )
    if method == "PATCH":
        kind = draws.choice(
            (APPLY, "application/merge-patch+json", "application/strategic-merge-patch+json")
        )
        one += "?fieldManager=m1"
    return Step(number, method, one, raw=raw, kind=kind)


def _path(draws: Draws, number: int) -> Step:
    method = draws.choice(("GET", "GET", "POST", "PUT", "PATCH", "DELETE"))
    body = None if method in ("GET", "DELETE") else {}
    kind = "application/merge-patch+json" if method == "PATCH" else JSON
    return Step(number, method, draws.choice(_ODD_PATHS), body, kind=kind)
