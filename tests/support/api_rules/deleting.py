"""Rules of deletion: options, graces, finalizers, collections, namespaces."""

from __future__ import annotations

import itertools
import time
from typing import Any

from support.api_rules.registry import rule
from support.api_rules.talk import Talk, config_map
from support.api_rules.writing import account, pod


@rule("a delete answers a Status with the object's name, kind and uid")
def deleting(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    made = api.post(path, config_map("a")).ok(201)
    said = api.delete(f"{path}/a").ok()
    assert said["status"] == "Success"
    details = {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    assert said["details"] == details
    api.delete(f"{path}/a").refused(404, "NotFound")


@rule("a delete of a Pod, a Service, a claim and some more kinds answers the object itself")
def returned(api: Talk) -> None:
    namespace = account(api, api.namespace())
    api.post(f"{namespace}/pods", pod("a")).ok(201)
    said = api.delete(f"{namespace}/pods/a", {"gracePeriodSeconds": 0}).ok()
    assert said["kind"] == "Pod" and said["spec"]["containers"]
    spec = {"ports": [{"port": 80}]}
    for plural, body, kind in (
        ("services", {"metadata": {"name": "a"}, "spec": spec}, "Service"),
        ("serviceaccounts", {"metadata": {"name": "a"}}, "ServiceAccount"),
        ("resourcequotas", {"metadata": {"name": "a"}, "spec": {}}, "ResourceQuota"),
        ("endpoints", {"metadata": {"name": "a"}}, "Status"),
        ("limitranges", {"metadata": {"name": "a"}, "spec": {"limits": []}}, "Status"),
        ("secrets", {"metadata": {"name": "a"}}, "Status"),
    ):
        api.post(f"{namespace}/{plural}", body).ok(201)
        assert api.delete(f"{namespace}/{plural}/a").ok()["kind"] == kind, plural


@rule("preconditions on uid and resourceVersion that fail are a Conflict")
def preconditions(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    metadata = api.post(path, config_map("a")).ok(201)["metadata"]
    for wrong in ({"uid": "11111111-1111-1111-1111-111111111111"}, {"resourceVersion": "1"}):
        said = api.delete(f"{path}/a", {"preconditions": wrong}).refused(409, "Conflict")
        assert "in the precondition" in said["message"]
        assert said["details"] == {"name": "a", "kind": "ConfigMap"}
    right = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}
    api.delete(f"{path}/a", {"preconditions": right}).ok()


@rule("an object with finalizers is marked and goes with the last of them")
def finalizers(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    wish = config_map("a")
    wish["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
    api.post(path, wish).ok(201)
    marked = api.delete(f"{path}/a").ok()
    assert marked["kind"] == "ConfigMap" and marked["metadata"]["deletionTimestamp"]
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
    more = {"metadata": {"finalizers": ["example.com/a", "example.com/b", "example.com/c"]}}
    api.patch(f"{path}/a", more).refused(422, "Invalid")
    api.patch(f"{path}/a", {"metadata": {"finalizers": ["example.com/b"]}}).ok()
    assert api.get(f"{path}/a").status == 200
    api.patch(f"{path}/a", {"metadata": {"finalizers": None}}).ok()
    api.get(f"{path}/a").refused(404, "NotFound")


@rule("deletecollection takes what the selectors choose, and answers with it")
def collections(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    for name, tier in (("a", "x"), ("b", "y"), ("c", "x")):
        api.post(path, config_map(name, {"tier": tier})).ok(201)
    gone = api.delete(path, labelSelector="tier=x").ok()
    assert gone["kind"] == "ConfigMapList"
    assert sorted(each["metadata"]["name"] for each in gone["items"]) == ["a", "c"]
    left = [each["metadata"]["name"] for each in api.get(path).ok()["items"]]
    assert "b" in left and "a" not in left


@rule("a pod without a node goes at once, one with a node after its grace")
def graces(api: Talk) -> None:
    path = account(api, api.namespace()) + "/pods"
    api.post(path, pod("free")).ok(201)
    api.delete(f"{path}/free").ok()
    api.get(f"{path}/free").refused(404, "NotFound")
    api.post(path, pod("bound", nodeName="nowhere", terminationGracePeriodSeconds=7)).ok(201)
    marked = api.delete(f"{path}/bound").ok()["metadata"]
    assert marked["deletionGracePeriodSeconds"] == 7 and marked["deletionTimestamp"]
    shorter = api.delete(f"{path}/bound", gracePeriodSeconds=3).ok()["metadata"]
    assert shorter["deletionGracePeriodSeconds"] == 3
    longer = api.delete(f"{path}/bound", gracePeriodSeconds=60).ok()["metadata"]
    assert longer["deletionGracePeriodSeconds"] == 3
    api.delete(f"{path}/bound", gracePeriodSeconds=0).ok()
    api.get(f"{path}/bound").refused(404, "NotFound")


@rule("a negative grace counts as one second")
def negative_grace(api: Talk) -> None:
    path = account(api, api.namespace()) + "/pods"
    api.post(path, pod("bound", nodeName="nowhere")).ok(201)
    marked = api.delete(f"{path}/bound", gracePeriodSeconds=-1).ok()["metadata"]
    assert marked["deletionGracePeriodSeconds"] == 1
    api.delete(f"{path}/bound", gracePeriodSeconds=0).ok()


@rule("options that contradict or are misspelt delete nothing")
def bad_options(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    api.post(path, config_map("a")).ok(201)
    both = {"propagationPolicy": "Orphan", "orphanDependents": True}
    api.delete(f"{path}/a", both).refused(422, "Invalid")
    api.delete(f"{path}/a", {"propagationPolicy": "Sideways"}).refused(422, "Invalid")
    api.delete(f"{path}/a", {"dryRun": ["Some"]}).refused(422, "Invalid")
    assert api.get(f"{path}/a").status == 200


@rule("foreground and orphan deletion leave their finalizer for the collector")
def propagation(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    wish = config_map("a")
    wish["metadata"]["finalizers"] = ["example.com/a"]
    api.post(path, wish).ok(201)
    marked = api.delete(f"{path}/a", {"propagationPolicy": "Foreground"}).ok()
    assert set(marked["metadata"]["finalizers"]) == {"example.com/a", "foregroundDeletion"}
    api.patch(f"{path}/a", {"metadata": {"finalizers": None}}).ok()


@rule("a namespace that is deleted is Terminating and takes nothing new")
def namespaces(api: Talk) -> None:
    namespace = api.namespace()
    wish = config_map("a")
    wish["metadata"]["finalizers"] = ["example.com/a"]
    api.post(f"{namespace}/configmaps", wish).ok(201)
    marked = api.delete(namespace).ok()
    assert marked["status"]["phase"] == "Terminating" and marked["spec"]["finalizers"]
    said = api.post(f"{namespace}/configmaps", config_map("b")).refused(403, "Forbidden")
    name = namespace.rpartition("/")[2]
    assert said["message"] == (
        f'configmaps "b" is forbidden: unable to create new content in namespace {name} because it '
        "is being terminated"
    )
    assert said["details"]["causes"] == [
        {"reason": "NamespaceTerminating", "field": "metadata.namespace",
         "message": f"namespace {name} is being terminated"}
    ]  # fmt: skip
    api.patch(f"{namespace}/configmaps/a", {"metadata": {"finalizers": None}}).ok()


@rule("the namespaces of the system cannot be deleted")
def permanent_namespaces(api: Talk) -> None:
    for name in ("default", "kube-system", "kube-public"):
        said = api.delete(f"/api/v1/namespaces/{name}").refused(403, "Forbidden")
        assert said["message"].endswith("this namespace may not be deleted")


@rule("a namespace is made Active, with its finalizer and its name as a label")
def new_namespaces(api: Talk) -> None:
    made = api.get(api.namespace()).ok()
    assert made["status"] == {"phase": "Active"} and made["spec"]["finalizers"] == ["kubernetes"]
    name = made["metadata"]["name"]
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": name}


@rule("watchers of a deletion see the object's last state with a newer revision")
def deletion_events(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    made = api.post(path, config_map("a", k="v")).ok(201)
    api.delete(f"{path}/a").ok()
    query: dict[str, Any] = {"resourceVersion": made["metadata"]["resourceVersion"]}
    (event,) = itertools.islice(api.watch(path, **query), 1)
    assert event["type"] == "DELETED" and event["object"]["data"] == {"k": "v"}
    newer = int(event["object"]["metadata"]["resourceVersion"])
    assert newer > int(made["metadata"]["resourceVersion"])


@rule("a name is free again once its object is gone, and has another uid")
def reuse(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    first = api.post(path, config_map("a")).ok(201)["metadata"]
    api.delete(f"{path}/a").ok()
    deadline = time.monotonic() + 5
    while (answer := api.post(path, config_map("a"))).status == 409:
        assert time.monotonic() < deadline
    assert answer.ok(201)["metadata"]["uid"] != first["uid"]
