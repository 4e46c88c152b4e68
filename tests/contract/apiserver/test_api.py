"""Kubernetes' API conventions, one test for each rule, over plain HTTP."""

from __future__ import annotations

import json
import time
from typing import Any

from mizzen.apiserver.core.protobuf import decode
from support.api_process import ApiServer

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
ROOT_CA = "kube-root-ca.crt"  # in every namespace


def maps(namespace: str, name: str = "") -> str:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    return f"{path}/{name}" if name else path


def config(name: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **metadata}, "data": {"a": "1"}}


def pod(name: str, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": "mizzen.dev/python"}]
    return {"metadata": {"name": name}, "spec": {"containers": containers, **spec}}


def wait_gone(api: ApiServer, path: str) -> None:
    deadline = time.monotonic() + 60
    while api.call("GET", path)[0] != 404:
        assert time.monotonic() < deadline, f"{path} is still there"


def events(api: ApiServer, path: str, count: int, accept: str = "application/json") -> list[Any]:
    """The first events of a watch."""
    with api.open("GET", path, None, "admin", "application/json", accept) as response:
        return [json.loads(response.readline()) for _ in range(count)]


def test_who_asks_must_be_known_and_allowed(api: ApiServer) -> None:
    code, status = api.call("GET", "/api/v1/pods", identity="")
    assert (code, status["reason"]) == (401, "Unauthorized")
    code, status = api.call("GET", "/api/v1/secrets", identity="system:mizzen:gateway")
    assert code == 403
    assert 'User "system:mizzen:gateway" cannot list resource "secrets"' in status["message"]
    assert api.call("GET", "/api/v1/pods", identity="system:mizzen:gateway")[0] == 200
    log = "/api/v1/namespaces/default/pods/any/log"
    code, status = api.call("GET", log, identity="system:mizzen:gateway")
    assert code == 403 and 'cannot get resource "pods/log"' in status["message"]
    assert api.call("GET", log)[0] == 404
    assert api.call("GET", "/healthz", identity="") == (200, "ok")


def test_names_uids_and_times_are_the_servers(api: ApiServer, namespace: str) -> None:
    body = {"metadata": {"generateName": "x-", "uid": "mine", "resourceVersion": ""}}
    code, made = api.call("POST", maps(namespace), body)
    assert code == 201
    metadata = made["metadata"]
    assert metadata["name"].startswith("x-") and len(metadata["name"]) == 7
    assert metadata["uid"] != "mine" and metadata["creationTimestamp"].endswith("Z")
    code, status = api.call("POST", maps(namespace), config(metadata["name"]))
    assert (code, status["reason"]) == (409, "AlreadyExists")
    assert status["details"] == {"name": metadata["name"], "kind": "configmaps"}
    assert api.call("POST", maps("nowhere"), config("a"))[0] == 404


def test_generation_counts_changes_of_the_wish_alone(api: ApiServer, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    api.call("POST", path, pod("p"))
    change = {"metadata": {"labels": {"a": "b"}}, "status": {"phase": "Running"}}
    _, labelled = api.call("PATCH", f"{path}/p", change, content_type=MERGE)
    assert labelled["metadata"]["generation"] == 1
    assert labelled["status"]["phase"] == "Pending"
    change = {"status": {"phase": "Running"}, "spec": {"nodeName": "n"}}
    _, running = api.call("PATCH", f"{path}/p/status", change, content_type=MERGE)
    assert running["status"]["phase"] == "Running"
    assert "nodeName" not in running["spec"]


def test_an_update_that_changes_nothing_writes_nothing(api: ApiServer, namespace: str) -> None:
    _, made = api.call("POST", maps(namespace), config("a"))
    _, same = api.call("PATCH", maps(namespace, "a"), {"data": {"a": "1"}}, content_type=MERGE)
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_stale_updates_conflict(api: ApiServer, namespace: str) -> None:
    _, first = api.call("POST", maps(namespace), config("a"))
    assert api.call("PUT", maps(namespace, "a"), {**first, "data": {"a": "2"}})[0] == 200
    code, status = api.call("PUT", maps(namespace, "a"), {**first, "data": {"a": "3"}})
    assert (code, status["reason"]) == (409, "Conflict")
    assert status["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


def test_deletes_keep_their_preconditions(api: ApiServer, namespace: str) -> None:
    api.call("POST", maps(namespace), config("a"))
    body = {"preconditions": {"uid": "another"}}
    code, status = api.call("DELETE", maps(namespace, "a"), body)
    assert code == 409 and "the UID in the precondition (another)" in status["message"]
    code, status = api.call("DELETE", maps(namespace, "a"))
    assert (code, status["status"]) == (200, "Success")


def test_finalizers_hold_an_object(api: ApiServer, namespace: str) -> None:
    api.call("POST", maps(namespace), config("a", finalizers=["example.com/hold"]))
    code, marked = api.call("DELETE", maps(namespace, "a"))
    assert code == 200 and marked["metadata"]["deletionTimestamp"]
    change = {"metadata": {"finalizers": None}}
    assert api.call("PATCH", maps(namespace, "a"), change, content_type=MERGE)[0] == 200
    assert api.call("GET", maps(namespace, "a"))[0] == 404


def test_bound_pods_wait_for_their_agent_unbound_ones_go_at_once(
    api: ApiServer, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    for name in ("free", "bound"):
        api.call("POST", path, pod(name))
    binding = {"metadata": {"name": "bound"}, "target": {"kind": "Node", "name": "n1"}}
    other = {**binding, "metadata": {"name": "free"}}
    assert api.call("POST", f"{path}/bound/binding", other)[0] == 400
    assert api.call("POST", f"{path}/bound/binding", binding)[0] == 201
    code, status = api.call("POST", f"{path}/bound/binding", binding)
    assert code == 409 and 'already assigned to node "n1"' in status["message"]
    api.call("DELETE", f"{path}/free")
    assert api.call("GET", f"{path}/free")[0] == 404
    _, marked = api.call("DELETE", f"{path}/bound", {"gracePeriodSeconds": 7})
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 7
    assert api.call("GET", f"{path}/bound")[0] == 200
    api.call("DELETE", f"{path}/bound", {"gracePeriodSeconds": 0})
    assert api.call("GET", f"{path}/bound")[0] == 404


def test_dependents_follow_their_owner(api: ApiServer, namespace: str) -> None:
    for policy in ("Background", "Foreground", "Orphan"):
        _, owner = api.call("POST", maps(namespace), config("owner"))
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner",
                     "uid": owner["metadata"]["uid"], "blockOwnerDeletion": True}  # fmt: skip
        for name in ("d1", "d2"):
            api.call("POST", maps(namespace), config(name, ownerReferences=[reference]))
        api.call("DELETE", maps(namespace, "owner"), {"propagationPolicy": policy})
        wait_gone(api, maps(namespace, "owner"))
        if policy == "Orphan":
            _, kept = api.call("GET", maps(namespace, "d1"))
            assert "ownerReferences" not in kept["metadata"]
        else:
            wait_gone(api, maps(namespace, "d1"))
            wait_gone(api, maps(namespace, "d2"))


def test_lists_page_at_one_revision(api: ApiServer, namespace: str) -> None:
    for n in range(5):
        api.call("POST", maps(namespace), config(f"c{n}"))
    _, first = api.call("GET", maps(namespace) + "?limit=2")
    api.call("DELETE", maps(namespace, "c3"))
    more = first["metadata"]["continue"]
    _, second = api.call("GET", maps(namespace) + f"?limit=2&continue={more}")
    assert [i["metadata"]["name"] for i in second["items"]] == ["c2", "c3"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert first["metadata"]["remainingItemCount"] == 4  # the namespace has one of its own
    at = first["metadata"]["resourceVersion"]
    exact = f"?resourceVersion={at}&resourceVersionMatch=Exact"
    assert len(api.call("GET", maps(namespace) + exact)[1]["items"]) == 6
    assert len(api.call("GET", maps(namespace) + "?resourceVersion=0")[1]["items"]) == 5
    _, empty = api.call("GET", maps(namespace) + "?labelSelector=no=such")
    assert empty["items"] == []
    code, status = api.call("GET", maps(namespace) + "?resourceVersion=99999999")
    assert code == 504
    assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


def test_a_watch_with_a_selector_shows_entering_and_leaving(api: ApiServer, namespace: str) -> None:
    _, first = api.call("POST", maps(namespace), config("a"))
    since = first["metadata"]["resourceVersion"]
    for value in ("x", "y", "x"):
        change = {"metadata": {"labels": {"sel": value}}}
        api.call("PATCH", maps(namespace, "a"), change, content_type=MERGE)
    api.call("DELETE", maps(namespace, "a"))
    path = f"{maps(namespace)}?watch=1&labelSelector=sel%3Dx&resourceVersion={since}"
    seen = events(api, path, 4)
    assert [e["type"] for e in seen] == ["ADDED", "DELETED", "ADDED", "DELETED"]
    revisions = [int(e["object"]["metadata"]["resourceVersion"]) for e in seen]
    assert revisions == sorted(revisions)


def test_a_streaming_list_ends_in_its_bookmark(api: ApiServer, namespace: str) -> None:
    api.call("POST", maps(namespace), config("a"))
    options = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    added, own, end = events(api, f"{maps(namespace)}?watch=1&{options}", 3)
    assert own["object"]["metadata"]["name"] == ROOT_CA
    assert (added["type"], added["object"]["metadata"]["name"]) == ("ADDED", "a")
    annotations = end["object"]["metadata"]["annotations"]
    assert (end["type"], annotations) == ("BOOKMARK", {"k8s.io/initial-events-end": "true"})
    code, _ = api.call("GET", f"{maps(namespace)}?watch=1&sendInitialEvents=true")
    assert code == 422


def test_a_watch_ends_in_time_with_a_bookmark(api: ApiServer, namespace: str) -> None:
    path = f"{maps(namespace)}?watch=1&timeoutSeconds=1&allowWatchBookmarks=true"
    began = time.monotonic()
    with api.open("GET", path, None, "admin", "", "application/json") as response:
        lines = response.read().splitlines()
    assert time.monotonic() - began > 0.9
    assert json.loads(lines[-1])["type"] == "BOOKMARK"


def test_tables_and_metadata_only(api: ApiServer, namespace: str) -> None:
    api.call("POST", maps(namespace), config("a"))
    table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    _, shown = api.call("GET", maps(namespace), accept=table)
    assert shown["kind"] == "Table"
    assert [c["name"] for c in shown["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert shown["rows"][0]["cells"][:2] == ["a", 1]
    only = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    _, metadata = api.call("GET", maps(namespace), accept=only)
    assert metadata["kind"] == "PartialObjectMetadataList"
    assert set(metadata["items"][0]) == {"kind", "apiVersion", "metadata"}
    (event,) = events(api, f"{maps(namespace)}?watch=1", 1, table)
    assert event["object"]["rows"][0]["cells"][0] == "a"
    assert api.call("GET", maps(namespace), accept="application/xml")[0] == 406


def test_strictness(api: ApiServer, namespace: str) -> None:
    body = {**config("a"), "datta": {}}
    code, status = api.call("POST", maps(namespace) + "?fieldValidation=Strict", body)
    assert code == 400 and 'unknown field "datta"' in status["message"]
    twice = b'{"metadata":{"name":"a"},"data":{"k":"1","k":"2"}}'
    code, status = api.call("POST", maps(namespace) + "?fieldValidation=Strict", twice)
    assert code == 400 and 'duplicate field "data.k"' in status["message"]
    with api.open("POST", maps(namespace), body, "admin", "application/json", "") as response:
        assert response.status == 201
        assert 'unknown field \\"datta\\"' in response.headers["warning"]


def test_dry_run_changes_nothing(api: ApiServer, namespace: str) -> None:
    assert api.call("POST", maps(namespace) + "?dryRun=All", config("a"))[0] == 201
    assert api.call("GET", maps(namespace, "a"))[0] == 404
    api.call("POST", maps(namespace), config("a"))
    assert api.call("DELETE", maps(namespace, "a") + "?dryRun=All")[0] == 200
    assert api.call("GET", maps(namespace, "a"))[0] == 200


def test_strategic_patches_merge_lists_by_their_key(api: ApiServer, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    api.call("POST", path, pod("p"))
    change = {"spec": {"containers": [{"name": "c", "image": "mizzen.dev/engine"}]}}
    code, changed = api.call("PATCH", f"{path}/p", change, content_type=STRATEGIC)
    assert code == 200, changed
    assert changed["spec"]["containers"][0]["image"] == "mizzen.dev/engine"


def test_priority_classes_decide_priority(api: ApiServer, namespace: str) -> None:
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    api.call("POST", classes, {"metadata": {"name": "urgent"}, "value": 77})
    path = f"/api/v1/namespaces/{namespace}/pods"
    _, made = api.call("POST", path, pod("p", priorityClassName="urgent"))
    assert made["spec"]["priority"] == 77
    code, status = api.call("POST", path, pod("q", priorityClassName="nope"))
    assert code == 403 and "no PriorityClass with name nope was found" in status["message"]


def test_deletecollection_deletes_no_more_than_its_limit(api: ApiServer, namespace: str) -> None:
    for name in ("a", "b", "c"):
        api.call("POST", maps(namespace), config(name))
    code, deleted = api.call("DELETE", maps(namespace) + "?limit=1")
    assert (code, [each["metadata"]["name"] for each in deleted["items"]]) == (200, ["a"])
    left = api.call("GET", maps(namespace))[1]["items"]
    assert [each["metadata"]["name"] for each in left] == ["b", "c", ROOT_CA]


def test_deletecollection_follows_its_selector(api: ApiServer, namespace: str) -> None:
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        api.call("POST", maps(namespace), config(name, labels={"l": label}))
    assert api.call("DELETE", maps(namespace) + "?labelSelector=l=x")[0] == 200
    _, left = api.call("GET", maps(namespace))
    assert [i["metadata"]["name"] for i in left["items"]] == ["c", ROOT_CA]


def test_events_are_the_same_objects_in_both_their_versions(api: ApiServer, namespace: str) -> None:
    old = f"/api/v1/namespaces/{namespace}/events"
    new = f"/apis/events.k8s.io/v1/namespaces/{namespace}/events"
    about = {"kind": "Pod", "name": "p", "namespace": namespace}
    body = {
        "metadata": {"name": "e"}, "eventTime": "2027-01-15T08:00:00.000001Z", "type": "Normal",
        "reportingController": "example.com/c", "reportingInstance": "c-1", "action": "Running",
        "reason": "Ran", "note": "hello", "regarding": about,
    }  # fmt: skip
    code, made = api.call("POST", new, body)
    assert code == 201, made
    assert (made["apiVersion"], made["note"]) == ("events.k8s.io/v1", "hello")
    found = api.call("GET", f"{old}/e")[1]
    assert (found["apiVersion"], found["message"]) == ("v1", "hello")
    assert found["involvedObject"] == about
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    since = made["metadata"]["resourceVersion"]
    series = {"series": {"count": 2, "lastObservedTime": "2027-01-15T08:00:01.000000Z"}}
    code, patched = api.call(
        "PATCH", f"{new}/e", series, content_type="application/strategic-merge-patch+json"
    )
    assert code == 200 and patched["series"]["count"] == 2 and "message" not in patched
    for path in (old, new):
        (event,) = events(api, f"{path}?watch=1&resourceVersion={since}", 1)
        assert event["object"] == api.call("GET", f"{path}/e")[1]
    selector = "fieldSelector=regarding.name%3Dp,reportingController%3Dexample.com/c"
    (item,) = api.call("GET", f"{new}?{selector}")[1]["items"]
    assert item["regarding"] == about and item["apiVersion"] == "events.k8s.io/v1"
    assert api.call("GET", f"{new}?fieldSelector=regarding.name%3Dq")[1]["items"] == []
    code, refused = api.call("PATCH", f"{new}/e", {"note": "other"},
                             content_type="application/merge-patch+json")  # fmt: skip
    assert code == 422 and "message: Invalid value" in refused["message"]
    assert api.call("DELETE", f"{new}/e")[0] == 200
    assert api.call("GET", f"{old}/e")[0] == 404


def test_bad_requests_get_clear_refusals(api: ApiServer, namespace: str) -> None:
    path = maps(namespace)
    assert api.call("POST", path, b"{")[0] == 400
    assert api.call("POST", path, b"x" * (4 << 20))[0] == 413
    assert api.call("POST", path, b"{}", content_type="text/csv")[0] == 415
    assert api.call("PATCH", path + "/a", b"{}", content_type="text/plain")[0] == 415
    assert api.call("POST", path, {"kind": "Secret"})[0] == 400
    assert api.call("POST", path, config("Bad_Name"))[0] == 422
    assert api.call("GET", path + "?fieldSelector=data.a%3D1")[0] == 400
    assert api.call("GET", path + "?limit=x")[0] == 400
    assert api.call("GET", "/apis/nothing/v1/things")[0] == 404
    assert api.call("POST", "/api/v1/configmaps", config("a"))[0] == 405
    assert api.call("DELETE", "/api/v1/configmaps")[0] == 405
    not_yet = b"k8s\0" + b"\x0a\x12\x0a\x07apps/v1\x12\x07Unknown"
    protobuf = "application/vnd.kubernetes.protobuf"
    assert api.call("POST", path, not_yet, content_type=protobuf)[0] in (400, 415)


def test_clients_that_take_protobuf_alone_get_it(api: ApiServer, namespace: str) -> None:
    protobuf = "application/vnd.kubernetes.protobuf"
    created = api.call("POST", maps(namespace), config("p"))[1]

    def raw(path: str) -> tuple[int, str, bytes]:
        with api.open("GET", path, None, "admin", "application/json", protobuf) as response:
            return response.status, response.headers["content-type"], response.read()

    code, media, body = raw(maps(namespace, "p"))
    assert (code, media) == (200, protobuf)
    assert decode(body) == created
    assert raw(maps(namespace))[2].startswith(b"k8s\0")
    code, media, body = raw(maps(namespace, "none"))
    assert (code, media, decode(body)["reason"]) == (404, protobuf, "NotFound")
    assert raw("/apis/mizzen.dev/v1alpha1/usagerecords")[0] == 406
    code, media, body = raw(f"{maps(namespace)}?watch=1&timeoutSeconds=1")
    assert media == f"{protobuf};stream=watch"
    length = int.from_bytes(body[:4], "big")
    assert body[4:11] == b"\x0a\x05ADDED" and len(body) >= length + 4
    both = f"{protobuf},application/json"
    assert api.call("GET", maps(namespace, "p"), accept=both)[1] == created


def test_discovery_in_all_its_forms(api: ApiServer) -> None:
    _, legacy = api.call("GET", "/api/v1")
    assert {"pods", "pods/status", "pods/log", "pods/binding"} <= {
        r["name"] for r in legacy["resources"]
    }
    _, ours = api.call("GET", "/apis/mizzen.dev/v1alpha1")
    assert "plans" in {r["name"] for r in ours["resources"]}
    for version, code in (("v2", 200), ("v2beta1", 406)):
        accept = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        with api.open("GET", "/apis", None, "admin", "", accept) as response:
            assert response.status == code
            if code != 200:
                continue
            assert response.headers["content-type"] == accept
            assert json.load(response)["kind"] == "APIGroupDiscoveryList"
    _, index = api.call("GET", "/openapi/v3")
    url = index["paths"]["api/v1"]["serverRelativeURL"]
    with api.open("GET", url, None, "admin", "", "application/json") as response:
        assert response.headers["cache-control"] == "public, immutable"
        assert response.headers["etag"]


def test_a_client_that_leaves_frees_its_watch(api: ApiServer, namespace: str) -> None:
    def open_watches() -> int:
        _, text = api.call("GET", "/metrics", accept="*/*")
        line = next(x for x in text.splitlines() if x.startswith("mizzen_store_watchers "))
        return int(line.split()[1])

    before = open_watches()
    path = f"{maps(namespace)}?watch=1"
    with api.open("GET", path, None, "admin", "application/json", "application/json"):
        assert open_watches() == before + 1
    deadline = time.monotonic() + 60
    while open_watches() != before:
        assert time.monotonic() < deadline, "the watch goes on without its client"
