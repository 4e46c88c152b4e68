"""Rules of get, list, watch and their forms."""

from __future__ import annotations

import itertools
from typing import Any

from support.api_rules.registry import rule
from support.api_rules.talk import PARTIAL, PARTIAL_LIST, TABLE, Talk, secret

FUTURE = 1 << 40


def _three(api: Talk) -> str:
    path = f"{api.namespace()}/secrets"
    for name, tier in (("a", "x"), ("b", "y"), ("c", "x")):
        api.post(path, secret(name, {"tier": tier, "n": name})).ok(201)
    return path


def _names(body: Any) -> list[str]:
    return [each["metadata"]["name"] for each in body["items"]]


@rule("an empty list has items [], not null")
def empty_list(api: Talk) -> None:
    body = api.get(f"{api.namespace()}/secrets").ok()
    assert body["items"] == [] and body["kind"] == "SecretList"
    assert int(body["metadata"]["resourceVersion"]) > 0


@rule("pages show the list as it was at the first one, and say how many remain")
def pages(api: Talk) -> None:
    path = _three(api)
    first = api.get(path, limit=1).ok()
    assert _names(first) == ["a"] and first["metadata"]["remainingItemCount"] == 2
    api.delete(f"{path}/b").ok()
    api.post(path, secret("d")).ok(201)
    second = api.get(path, limit=5, **{"continue": first["metadata"]["continue"]}).ok()
    assert _names(second) == ["b", "c"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "continue" not in second["metadata"]


@rule("with a selector the number of what remains is not told")
def pages_of_a_selection(api: Talk) -> None:
    first = api.get(_three(api), limit=1, labelSelector="tier=x").ok()
    assert _names(first) == ["a"] and first["metadata"]["continue"]
    assert "remainingItemCount" not in first["metadata"]


@rule("a continue token that the server did not make is a BadRequest")
def bad_token(api: Talk) -> None:
    said = api.get(_three(api), **{"continue": "nonsense"}).refused(400, "BadRequest")
    assert said["message"].startswith("invalid continue token: continue key is not valid")


@rule("resourceVersion and continue exclude each other")
def token_and_revision(api: Talk) -> None:
    path = _three(api)
    first = api.get(path, limit=1).ok()
    token = first["metadata"]["continue"]
    api.get(path, resourceVersion="1", **{"continue": token}).refused(400, "BadRequest")


@rule("resourceVersion=0 lists what there is")
def any_revision(api: Talk) -> None:
    assert _names(api.get(_three(api), resourceVersion="0").ok()) == ["a", "b", "c"]


@rule("a list at an exact revision shows that moment")
def exact(api: Talk) -> None:
    path = _three(api)
    then = api.get(path).ok()["metadata"]["resourceVersion"]
    api.delete(f"{path}/a").ok()
    found = api.get(path, resourceVersion=then, resourceVersionMatch="Exact").ok()
    assert _names(found) == ["a", "b", "c"] and found["metadata"]["resourceVersion"] == then
    newer = api.get(path, resourceVersion=then, resourceVersionMatch="NotOlderThan").ok()
    assert _names(newer) == ["b", "c"]


@rule("resourceVersionMatch wants a resourceVersion, a known word, and for Exact no 0")
def match_words(api: Talk) -> None:
    path = _three(api)
    for query in (
        {"resourceVersionMatch": "Exact"},
        {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
        {"resourceVersionMatch": "Nearly", "resourceVersion": "1"},
    ):
        api.get(path, **query).refused(422, "Invalid")


@rule("a resourceVersion that is no number is a BadRequest")
def no_number(api: Talk) -> None:
    api.get(_three(api), resourceVersion="x").refused(400, "BadRequest")


@rule("a revision of the future is a Timeout with cause ResourceVersionTooLarge")
def future(api: Talk) -> None:
    path = _three(api)
    for answer in (
        api.get(path, resourceVersion=FUTURE),
        api.get(f"{path}/a", resourceVersion=FUTURE),
    ):
        said = answer.refused(504, "Timeout")
        assert said["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
        assert said["details"]["retryAfterSeconds"] == 1


@rule("label selectors: equality, sets, existence")
def label_selectors(api: Talk) -> None:
    path = _three(api)
    for selector, names in (
        ("tier=x", ["a", "c"]),
        ("tier==x,n!=a", ["c"]),
        ("n in (a,b)", ["a", "b"]),
        ("n notin (a,b)", ["c"]),
        ("tier", ["a", "b", "c"]),
        ("!tier", []),
        ("tier in (x),n notin (c)", ["a"]),
    ):
        assert _names(api.get(path, labelSelector=selector).ok()) == names, selector


@rule("a selector that cannot be read is a BadRequest")
def bad_selectors(api: Talk) -> None:
    path = _three(api)
    for selector in ("tier in (", "=x", "a=b=c", "tier in x"):
        api.get(path, labelSelector=selector).refused(400, "BadRequest")
    api.get(path, fieldSelector="metadata.name").refused(400, "BadRequest")


@rule("fields that clients select by: names, nodes, phases; others are a BadRequest")
def field_selectors(api: Talk) -> None:
    path = _three(api)
    assert _names(api.get(path, fieldSelector="metadata.name=b").ok()) == ["b"]
    assert _names(api.get(path, fieldSelector="metadata.name!=b").ok()) == ["a", "c"]
    said = api.get("/api/v1/configmaps", fieldSelector="data.x=1").refused(400, "BadRequest")
    known = 'only "metadata.name", "metadata.namespace"'
    assert said["message"] == f'"data.x" is not a known field selector: {known}'
    said = api.get("/api/v1/pods", fieldSelector="spec.x=1").refused(400, "BadRequest")
    assert said["message"] == "field label not supported: spec.x"
    for selector in ("spec.nodeName=n,status.phase=Running", "spec.restartPolicy=Never",
                     "status.podIP=1.2.3.4", "spec.schedulerName=x", "spec.hostNetwork=true",
                     "spec.serviceAccountName=x", "status.nominatedNodeName=x"):  # fmt: skip
        api.get("/api/v1/pods", fieldSelector=selector).ok()
    for selector in ("involvedObject.kind=Pod", "involvedObject.uid=x", "reason=x", "type=Normal",
                     "involvedObject.name=x,involvedObject.namespace=y", "source=x",
                     "reportingComponent=x", "involvedObject.fieldPath=x"):  # fmt: skip
        api.get("/api/v1/events", fieldSelector=selector).ok()
    for path, selector in (
        ("/api/v1/secrets", "type=Opaque"),
        ("/api/v1/nodes", "spec.unschedulable=false"),
        ("/api/v1/services", "spec.clusterIP=None,spec.type=ClusterIP"),
        ("/api/v1/namespaces", "status.phase=Active"),
        ("/apis/batch/v1/jobs", "status.successful=1"),
        ("/api/v1/replicationcontrollers", "status.replicas=1"),
    ):
        api.get(path, fieldSelector=selector).ok()


@rule("a Table has rows of cells with the object's metadata, by includeObject")
def tables(api: Talk) -> None:
    path = _three(api)
    table = api.get(path, accept=TABLE, limit=1).ok()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Type", "Data", "Age"]
    assert table["metadata"]["continue"] and table["metadata"]["remainingItemCount"] == 2
    (row,) = table["rows"]
    assert (
        row["cells"][:3] == ["a", "Opaque", 0] and row["object"]["kind"] == "PartialObjectMetadata"
    )
    one = api.get(f"{path}/a", accept=TABLE, includeObject="Object").ok()
    assert one["rows"][0]["object"]["kind"] == "Secret"
    none = api.get(f"{path}/a", accept=TABLE, includeObject="None").ok()
    assert none["rows"][0].get("object") is None
    api.get(path, accept=TABLE, includeObject="Some").refused(400, "BadRequest")


@rule("a watch of Tables has a Table in each event, columns in the first alone")
def watched_tables(api: Talk) -> None:
    path = _three(api)
    events = list(itertools.islice(api.watch(path, accept=TABLE, resourceVersion="0"), 3))
    first, second = events[0]["object"], events[1]["object"]
    assert first["kind"] == second["kind"] == "Table"
    assert first["columnDefinitions"] and not second.get("columnDefinitions")
    assert {each["object"]["rows"][0]["cells"][0] for each in events} == {"a", "b", "c"}


@rule("PartialObjectMetadata and its list are the metadata alone")
def partial(api: Talk) -> None:
    path = _three(api)
    one = api.get(f"{path}/a", accept=PARTIAL).ok()
    assert one["kind"] == "PartialObjectMetadata" and "data" not in one
    assert one["metadata"]["labels"] == {"tier": "x", "n": "a"}
    many = api.get(path, accept=PARTIAL_LIST).ok()
    assert many["kind"] == "PartialObjectMetadataList"
    assert _names(many) == ["a", "b", "c"]
    event = next(api.watch(path, accept=PARTIAL, resourceVersion="0"))
    assert event["object"]["kind"] == "PartialObjectMetadata"


@rule("what cannot be given in an accepted form is NotAcceptable")
def not_acceptable(api: Talk) -> None:
    api.get(_three(api), accept="application/xml").refused(406, "NotAcceptable")


@rule("a list above 128 KiB is compressed for those who take it")
def compressed(api: Talk) -> None:
    path = f"{api.namespace()}/secrets"
    for index in range(3):
        api.post(path, secret(f"m{index}", text="x" * 100_000)).ok(201)
    answer = api.get(path, more={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == ["gzip"]
    assert len(answer.ok()["items"]) >= 3
    assert "content-encoding" not in api.get(path).headers
    small = api.get(f"{path}?limit=1", more={"Accept-Encoding": "gzip"})
    assert small.status == 200


@rule("a watch begins after its revision and tells additions, changes, deletions in order")
def watching(api: Talk) -> None:
    path = _three(api)
    since = api.get(path).ok()["metadata"]["resourceVersion"]
    api.post(path, secret("d")).ok(201)
    api.patch(f"{path}/d", {"stringData": {"k": "v"}}).ok()
    api.delete(f"{path}/d").ok()
    events = list(itertools.islice(api.watch(path, resourceVersion=since), 3))
    assert [each["type"] for each in events] == ["ADDED", "MODIFIED", "DELETED"]
    revisions = [int(each["object"]["metadata"]["resourceVersion"]) for each in events]
    assert revisions == sorted(set(revisions))


@rule("what enters a watch's selection is added, what leaves it deleted")
def selection_watch(api: Talk) -> None:
    path = _three(api)
    since = api.get(path).ok()["metadata"]["resourceVersion"]
    api.patch(f"{path}/b", {"metadata": {"labels": {"tier": "x"}}}).ok()
    api.patch(f"{path}/b", {"metadata": {"labels": {"tier": "y"}}}).ok()
    query = {"resourceVersion": since, "labelSelector": "tier=x"}
    events = list(itertools.islice(api.watch(path, **query), 2))
    assert [each["type"] for each in events] == ["ADDED", "DELETED"]


@rule("timeoutSeconds ends a watch")
def watch_ends(api: Talk) -> None:
    path = _three(api)
    assert list(api.watch(f"{path}", fieldSelector="metadata.name=none", timeoutSeconds=1)) == []


@rule("sendInitialEvents: what there is, then a bookmark that says so")
def initial_events(api: Talk) -> None:
    path = _three(api)
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan",
             "allowWatchBookmarks": "true", "labelSelector": "tier"}  # fmt: skip
    events = list(itertools.islice(api.watch(path, **query), 4))
    assert [each["type"] for each in events] == ["ADDED", "ADDED", "ADDED", "BOOKMARK"]
    end = events[3]["object"]
    assert end["kind"] == "Secret" and end["apiVersion"] == "v1"
    assert end["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(end["metadata"]["resourceVersion"]) > 0


@rule("sendInitialEvents wants resourceVersionMatch=NotOlderThan, which wants it")
def initial_words(api: Talk) -> None:
    path = _three(api)
    for query in (
        {"sendInitialEvents": "true"},
        {"sendInitialEvents": "true", "resourceVersionMatch": "Exact", "resourceVersion": "1"},
        {"resourceVersionMatch": "NotOlderThan", "resourceVersion": "1"},
    ):
        api.get(path, watch="true", timeoutSeconds=1, **query).refused(422, "Invalid")


@rule("a watch from the future tells of nothing before it (Mizzen: Timeout at once)")
def watch_bounds(api: Talk) -> None:
    path = _three(api)
    answer = api.get(path, watch="true", timeoutSeconds=1, resourceVersion=FUTURE)
    assert answer.raw == b"" or answer.refused(504, "Timeout")


@rule("a single object is watched by its name")
def watch_one(api: Talk) -> None:
    path = _three(api)
    query = {"fieldSelector": "metadata.name=a", "resourceVersion": "0"}
    event = next(api.watch(path, **query))
    assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")
