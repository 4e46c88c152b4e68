"""A kind of three versions with a conversion webhook: what is asked of it, and what is answered.

The webhook does what an object's annotation `do` says, so that it needs to remember nothing.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from support.webhook_server import conversion

Obj = dict[str, Any]
Ask = Callable[[str, str, Any], tuple[int, Any]]
GROUP = "turning.example.com"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SETTLES_S = 20.0


class Step(NamedTuple):
    method: str
    path: str
    body: Any = None


def path(version: str, name: str = "") -> str:
    return f"/apis/{GROUP}/{version}/namespaces/default/things{name and '/'}{name}"


def _version(name: str, *fields: str, is_storage: bool = False) -> Obj:
    properties: Obj = {field: {"type": "string"} for field in fields}
    properties["count"] = {"type": "integer", "minimum": 1}
    properties[f"of{name}"] = {"type": "string", "default": name}
    spec = {"type": "object", "properties": properties}
    return {
        "name": name, "served": True, "storage": is_storage,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
        "subresources": {"scale": {
            "specReplicasPath": ".spec.count", "statusReplicasPath": ".status.count",
        }},
        "selectableFields": [{"jsonPath": f".spec.{fields[0]}"}],
    }  # fmt: skip


def definition(client: Obj | None, **conversion: Any) -> Obj:
    """`client` None: the strategy None."""
    versions = [
        _version("v1", "host", "port", "gone"),
        _version("v2", "address", is_storage=True),
        _version("v3", "target"),
    ]
    webhook = {"clientConfig": client, "conversionReviewVersions": ["v9", "v1"]}
    told: Obj = {"strategy": "Webhook", "webhook": webhook} if client else {"strategy": "None"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{GROUP}"},
        "spec": {
            "group": GROUP, "scope": "Namespaced", "versions": versions,
            "names": {"plural": "things", "kind": "Thing"}, "conversion": {**told, **conversion},
        },
    }  # fmt: skip


def answer(request: Obj) -> bytes:
    wanted = request["desiredAPIVersion"]
    made = [_converted(obj, wanted) for obj in request["objects"]]
    todo = {(obj["metadata"].get("annotations") or {}).get("do", "") for obj in request["objects"]}
    if "none" in todo:
        made = []
    review = json.loads(conversion(request, made))
    if "refuse" in todo or ("refuse-v1" in todo and wanted.endswith("v1")):
        review["response"]["result"] = {"status": "Failure", "message": "not in this way"}
    if "silent" in todo:
        review["response"]["result"] = {"status": "Perhaps"}
    if "uid" in todo:
        review["response"]["uid"] = "another"
    if "no-response" in todo:
        del review["response"]
    if "review" in todo:
        review["apiVersion"] = "apiextensions.k8s.io/v1beta1"
    return json.dumps(review).encode()


def _converted(obj: Obj, wanted: str) -> Obj:
    spec: Obj = dict(obj.get("spec") or {})
    host, _, port = spec.pop("address", spec.pop("target", "")).partition(":")
    host, port = spec.pop("host", host), spec.pop("port", port)
    version = wanted.rpartition("/")[2]
    if version == "v1":
        spec.update(host=host, port=port)
    else:
        spec[{"v2": "address", "v3": "target"}[version]] = f"{host}:{port}"
    metadata = dict(obj["metadata"])
    todo = (metadata.get("annotations") or {}).get("do", "")
    if todo == "label":
        metadata["labels"] = {"made": "yes"}
        metadata["finalizers"] = ["not/kept"]
    elif todo == "unlabel":
        metadata.pop("labels", None)
    elif todo == "bad-label":
        metadata["labels"] = {"made": "not a label!"}
    elif todo == "number-label":
        metadata["labels"] = {"made": 3}
    elif todo in ("name", "namespace", "uid-of-object"):
        metadata[{"uid-of-object": "uid"}.get(todo, todo)] = "other"
    elif todo == "no-metadata":
        return {"apiVersion": wanted, "kind": obj["kind"], "spec": spec}
    made = {**obj, "apiVersion": wanted, "metadata": metadata, "spec": spec}
    if todo == "kind":
        made["kind"] = "Other"
    if todo == "version":
        made["apiVersion"] = f"{GROUP}/v7"
    return made


WRONG = (
    "refuse", "silent", "uid", "no-response", "review", "none", "bad-label", "number-label",
    "name", "namespace", "uid-of-object", "no-metadata", "kind", "version",
)  # fmt: skip


def thing(name: str, todo: str = "", labels: Obj | None = None, **spec: Any) -> Obj:
    metadata: Obj = {"name": name}
    if todo:
        metadata["annotations"] = {"do": todo}
    if labels:
        metadata["labels"] = labels
    return {"metadata": metadata, "spec": spec}


def steps() -> Iterator[Step]:
    """What is asked once the kind is served."""
    for version, spec in (
        ("v1", {"host": "h", "port": "1", "gone": "x"}), ("v2", {"address": "h:2"}),
        ("v3", {"target": "h:3", "count": 3}),
    ):  # fmt: skip
        yield Step("POST", path(version), thing(f"of-{version}", **spec))
        for other in ("v1", "v2", "v3"):
            yield Step("GET", path(other, f"of-{version}"))
    for version in ("v1", "v2", "v3"):
        yield Step("GET", path(version))
        yield Step("GET", f"{path(version)}?limit=2")
    yield Step("GET", f"{path('v1')}?fieldSelector=spec.host=h")
    yield Step("GET", f"{path('v3')}?fieldSelector=spec.target=h:3")
    yield Step("GET", f"{path('v3')}?fieldSelector=spec.host=h")
    yield Step("PATCH", path("v1", "of-v3"), {"spec": {"host": "other"}})
    yield Step("PUT", path("v1", "of-v3"), thing("of-v3", host="h", port="1"))
    yield Step("PATCH", path("v1", "of-v3/scale"), {"spec": {"replicas": 5}})
    yield Step("GET", path("v3", "of-v3/scale"))
    yield Step("POST", f"{path('v1')}?dryRun=All", thing("dry", host="h", port="9", gone="x"))
    for todo in ("label", "unlabel"):
        yield Step("POST", path("v1"), thing(todo, todo, {"a": "b"}, host="h", port="1"))
        yield Step("GET", path("v3", todo))
        yield Step("GET", f"{path('v3')}?labelSelector=a=b")
    for todo in WRONG:
        yield Step("POST", path("v1"), thing(f"wrong-{todo}", todo, host="h", port="1"))
    yield Step("POST", path("v2"), thing("unreadable", "refuse-v1", address="h:1"))
    yield Step("GET", path("v1", "unreadable"))
    yield Step("GET", path("v3", "unreadable"))
    yield Step("PATCH", path("v1", "unreadable"), {"spec": {"host": "i"}})
    yield Step("DELETE", path("v1", "unreadable"))
    yield Step("DELETE", path("v2", "unreadable"))
    yield Step("DELETE", path("v1", "of-v1"))
    yield Step("DELETE", f"{path('v3')}?fieldSelector=spec.target=other:3")
    yield Step("GET", path("v2"))


def refused_definitions() -> Iterator[Obj]:
    """Each wrong in one thing."""
    good: Obj = {"url": "https://127.0.0.1:1/x"}
    for client in (
        {}, {"url": "http://a/b"}, {"url": "https://a/b?c=d"}, {"url": "https://u@a/b"},
        {**good, "service": {"name": "a", "namespace": "b"}},
        {"service": {"name": "a", "namespace": "b", "port": 70000}},
        {"service": {"name": "a", "namespace": "b", "path": "x"}},
        {"service": {"name": "a", "namespace": "b", "path": "/x//y"}},
    ):  # fmt: skip
        webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
        yield definition(good, webhook=webhook)
    for versions in (["v7"], ["v1", "v1"], ["V1"]):
        yield definition(good, webhook={"clientConfig": good, "conversionReviewVersions": versions})
    yield definition(None, strategy="Never")
    yield definition(good, webhook=None)
    yield definition(None, webhook={"clientConfig": good, "conversionReviewVersions": ["v1"]})


def answers(ask: Ask, client: Obj) -> dict[str, Any]:
    """What each step is answered, without what is of chance."""
    found: dict[str, Any] = {}
    for at, body in enumerate(refused_definitions()):
        found[f"definition {at}"] = shown(*ask("POST", CRDS, body))
    found["define"] = shown(*ask("POST", CRDS, definition(client)))
    ends = time.monotonic() + SETTLES_S
    while ask("GET", path("v3"), None)[0] != 200 and time.monotonic() < ends:
        time.sleep(0.1)
    for at, (method, where, body) in enumerate(steps()):
        if method != "PATCH" and body is not None:
            version = where.split("/")[3]
            body = {"apiVersion": f"{GROUP}/{version}", "kind": "Thing", **body}
        found[f"{at} {method} {where} {body}"] = shown(*ask(method, where, body))
    name = f"{CRDS}/things.{GROUP}"
    crd = _changed(ask, name, lambda version: {**version, "storage": version["name"] == "v3"})[1]
    found["stored versions"] = crd["status"]["storedVersions"]
    found["remove v2"] = shown(
        *_changed(ask, name, lambda version: None if version["name"] == "v2" else version)
    )
    found["delete"] = ask("DELETE", f"{CRDS}/things.{GROUP}", None)[0]
    return found


def _changed(ask: Ask, name: str, change: Callable[[Obj], Obj | None]) -> tuple[int, Any]:
    """The definition with other versions; its status is written at the same time by the server."""
    while True:
        _, crd = ask("GET", name, None)
        versions = [change(version) for version in crd["spec"]["versions"]]
        crd["spec"]["versions"] = [version for version in versions if version is not None]
        status, told = ask("PUT", name, crd)
        if status != 409:
            return status, told


def shown(status: int, body: Any) -> Any:
    """An answer without uids, times, revisions and ports."""
    if not isinstance(body, dict):
        return status, body
    if body.get("kind") == "Status":
        return status, body.get("reason"), _plain(body.get("message") or "")
    if "items" in body:
        return status, [shown(0, each)[1] for each in body["items"]]
    metadata = body["metadata"]
    kept = {n: metadata.get(n) for n in ("name", "labels", "finalizers", "generation")}
    if body["kind"] == "CustomResourceDefinition":
        stored = (body.get("status") or {}).get("storedVersions")
        conversion = json.loads(json.dumps(body["spec"]["conversion"]))
        conversion.get("webhook", {}).pop("clientConfig", None)
        return status, (kept["name"], conversion, stored)
    return status, (body["apiVersion"], kept, body.get("spec"))


def _plain(message: str) -> str:
    message = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "UID", message)
    return re.sub(r"127\.0\.0\.1:\d+", "HOST", message)
