"""Rules of discovery: which groups, kinds and schemas there are, and in which forms they are told."""

from __future__ import annotations

from support.api_rules.registry import rule
from support.api_rules.talk import Talk
from support.api_rules.writing import account, pod

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
PROTOBUF = "application/vnd.kubernetes.protobuf"
# Of each what both serve by default.
KINDS = {
    "/api/v1": {"pods", "pods/log", "pods/exec", "services", "nodes", "configmaps", "bindings"},
    "/apis/apps/v1": {"deployments", "deployments/scale", "deployments/status", "daemonsets"},
    "/apis/batch/v1": {"jobs", "jobs/status", "cronjobs", "cronjobs/status"},
    "/apis/policy/v1": {"poddisruptionbudgets", "poddisruptionbudgets/status"},
    "/apis/networking.k8s.io/v1": {"ingresses", "networkpolicies", "ipaddresses", "servicecidrs"},
}


@rule("each group version lists its resources and subresources with their verbs")
def resources(api: Talk) -> None:
    for path, wanted in KINDS.items():
        found = api.get(path).ok()
        names = {r["name"] for r in found["resources"]}
        assert found["kind"] == "APIResourceList" and wanted <= names, wanted - names
        assert all(r["verbs"] and r["kind"] for r in found["resources"])
    (pods,) = [r for r in api.get("/api/v1").ok()["resources"] if r["name"] == "pods"]
    assert (pods["singularName"], pods["namespaced"], pods["shortNames"]) == ("pod", True, ["po"])
    assert pods["verbs"] == ["create", "delete", "deletecollection", "get", "list", "patch",
                             "update", "watch"]  # fmt: skip
    (spaces,) = [r for r in api.get("/api/v1").ok()["resources"] if r["name"] == "namespaces"]
    assert "deletecollection" not in spaces["verbs"]
    api.delete("/api/v1/namespaces").refused(405, "MethodNotAllowed")


@rule("aggregated discovery tells all groups at once, and says by an ETag that nothing is new")
def aggregated(api: Talk) -> None:
    answer = api.get("/apis", accept=AGGREGATED)
    found = answer.ok()
    assert found["kind"] == "APIGroupDiscoveryList"
    groups = {item["metadata"]["name"]: item["versions"] for item in found["items"]}
    assert {r["resource"] for r in groups["apps"][0]["resources"]} >= {"deployments", "daemonsets"}
    (tag,) = answer.headers["etag"]
    again = api.get("/apis", accept=AGGREGATED, more={"If-None-Match": tag})
    assert (again.status, again.raw) == (304, b"")


@rule("OpenAPI v3 is listed by group with a hash, under which a document never changes")
def openapi_v3(api: Talk) -> None:
    listed = api.get("/openapi/v3").ok()["paths"]
    url = listed["apis/apps/v1"]["serverRelativeURL"]
    assert url.startswith("/openapi/v3/apis/apps/v1?hash=")
    answer = api.get(url)
    assert "io.k8s.api.apps.v1.Deployment" in answer.ok()["components"]["schemas"]
    assert "immutable" in answer.headers["cache-control"][0]


@rule("OpenAPI v2 is one document of all kinds")
def openapi_v2(api: Talk) -> None:
    found = api.get("/openapi/v2").ok()
    assert found["swagger"] == "2.0"
    kind = found["definitions"]["io.k8s.api.core.v1.Pod"]["x-kubernetes-group-version-kind"]
    assert kind == [{"group": "", "kind": "Pod", "version": "v1"}]


@rule("/version says major and minor, and the probes answer ok")
def version(api: Talk) -> None:
    found = api.get("/version").ok()
    assert (found["major"], found["minor"]) == ("1", "36")
    for path in ("/healthz", "/livez", "/readyz"):
        answer = api.get(path)
        assert (answer.status, answer.raw) == (200, b"ok")
    assert b"[+]ping ok" in api.get("/readyz", verbose="true").raw


@rule("an object is told as protobuf to those who ask for it, and taken so")
def protobuf(api: Talk) -> None:
    answer = api.get("/api/v1/namespaces/default", accept=PROTOBUF)
    assert answer.headers["content-type"] == [PROTOBUF] and answer.raw[:4] == b"k8s\x00"
    answer = api.put("/api/v1/namespaces/default", answer.raw, kind=PROTOBUF)
    assert answer.ok()["metadata"]["name"] == "default"


@rule("a body and an answer may be YAML")
def yaml_bodies(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {k: 'yes'}\n"
    answer = api.post(path, body, kind="application/yaml", accept="application/yaml")
    assert answer.status == 201 and answer.headers["content-type"] == ["application/yaml"]
    assert b"\n  name: a\n" in answer.raw and api.get(f"{path}/a").ok()["data"] == {"k": "yes"}


@rule("a pod is bound by a Binding of its own subresource, or of the collection of bindings")
def bindings(api: Talk) -> None:
    space = account(api, api.namespace())
    body = {"target": {"kind": "Node", "name": "n1"}}
    for name, path in (("a", f"{space}/pods/a/binding"), ("b", f"{space}/bindings")):
        api.post(f"{space}/pods", pod(name)).ok(201)
        api.post(path, {"metadata": {"name": name}, **body}).ok(201)
        assert api.get(f"{space}/pods/{name}").ok()["spec"]["nodeName"] == "n1"
        api.post(path, {"metadata": {"name": name}, **body}).refused(409, "Conflict")
    api.post(f"{space}/bindings", {"metadata": {"name": "none"}, **body}).refused(404, "NotFound")
