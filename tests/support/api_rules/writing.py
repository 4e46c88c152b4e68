"""Rules of create, update and patch."""

from __future__ import annotations

from typing import Any

from support.api_rules.registry import rule
from support.api_rules.talk import JSON_PATCH, STRATEGIC, Talk, config_map


def pod(name: str, **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "i"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"containers": [container], "automountServiceAccountToken": False, **spec}}  # fmt: skip


def account(api: Talk, namespace: str) -> str:
    """Pods want a ServiceAccount, which no controller makes here."""
    answer = api.post(f"{namespace}/serviceaccounts", {"metadata": {"name": "default"}})
    assert answer.status in (201, 409), answer.raw
    return namespace


@rule("the server sets uid, resourceVersion, creationTimestamp, and nobody else does")
def identity(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    wish = config_map("a")
    wish["metadata"] |= {"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z",
                         "selfLink": "/x", "deletionTimestamp": "2001-01-01T00:00:00Z"}  # fmt: skip
    metadata = api.post(path, wish).ok(201)["metadata"]
    assert metadata["uid"] != "mine" and not metadata["creationTimestamp"].startswith("2001")
    assert "selfLink" not in metadata and "deletionTimestamp" not in metadata
    assert int(metadata["resourceVersion"]) > 0


@rule("a resourceVersion may not be set on an object to be created")
def revision_on_create(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    wish = config_map("a")
    wish["metadata"]["resourceVersion"] = "5"
    said = api.post(path, wish).ok(500)
    assert "resourceVersion should not be set on objects to be created" in said["message"]


@rule("a second object of a name is AlreadyExists, with its kind and name")
def already_exists(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    api.post(path, config_map("a")).ok(201)
    said = api.post(path, config_map("a")).refused(409, "AlreadyExists")
    assert said["message"] == 'configmaps "a" already exists'
    assert said["details"] == {"name": "a", "kind": "configmaps"}


@rule("generateName: a name of its prefix and five characters")
def generated_names(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    wish = {"metadata": {"generateName": "some-"}}
    names = {api.post(path, wish).ok(201)["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5 and all(n.startswith("some-") and len(n) == 10 for n in names)
    long = api.post(path, {"metadata": {"generateName": "x" * 100}}).ok(201)
    assert len(long["metadata"]["name"]) == 63


@rule("an object without a name is Invalid, and says so of both fields")
def nameless(api: Talk) -> None:
    said = api.post(f"{api.namespace()}/configmaps", {"metadata": {}}).refused(422, "Invalid")
    (cause,) = said["details"]["causes"]
    assert cause["reason"] == "FieldValueRequired" and cause["field"] == "metadata.name"
    assert "name or generateName is required" in cause["message"]


@rule("the body's namespace, kind and version must be the path's")
def other_places(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    wish = config_map("a")
    wish["metadata"]["namespace"] = "other"
    said = api.post(path, wish).refused(400, "BadRequest")
    assert "the namespace of the provided object does not match" in said["message"]
    api.post(path, {**config_map("a"), "kind": "Secret"}).refused(400, "BadRequest")
    api.post(path, {**config_map("a"), "apiVersion": "v2"}).refused(400, "BadRequest")
    api.post(path, config_map("a")).ok(201)
    said = api.put(f"{path}/b", config_map("a")).refused(400, "BadRequest")
    assert "does not match the name on the URL" in said["message"]


@rule("fieldValidation: Strict refuses unknown and repeated fields, Warn warns, Ignore is silent")
def field_validation(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    wish = b'{"metadata":{"name":"NAME"},"data":{"a":"1","a":"2"},"colour":"red"}'
    said = api.post(path, wish.replace(b"NAME", b"s"), fieldValidation="Strict")
    text = said.refused(400, "BadRequest")["message"]
    assert 'unknown field "colour"' in text and 'duplicate field "data.a"' in text
    warned = api.post(path, wish.replace(b"NAME", b"w"), fieldValidation="Warn")
    made = warned.ok(201)
    assert made["data"] == {"a": "2"} and "colour" not in made
    assert sorted(warned.warnings) == ['duplicate field "data.a"', 'unknown field "colour"']
    by_default = api.post(path, wish.replace(b"NAME", b"d"))
    assert len(by_default.warnings) == 2
    silent = api.post(path, wish.replace(b"NAME", b"i"), fieldValidation="Ignore")
    assert silent.ok(201) and silent.warnings == []
    api.post(path, wish.replace(b"NAME", b"x"), fieldValidation="Maybe").refused(422, "Invalid")
    applied = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"},"data":{}}'
    how = {"fieldManager": "m", "fieldValidation": "Maybe"}
    apply = "application/apply-patch+yaml"
    api.patch(f"{path}/x", applied, apply, **how).refused(422, "Invalid")


@rule("patches are validated as strictly")
def strict_patches(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    api.post(path, config_map("a")).ok(201)
    patch = {"colour": "red"}
    for kind in ("application/merge-patch+json", STRATEGIC):
        answer = api.patch(f"{path}/a", patch, kind, fieldValidation="Strict")
        text = answer.refused(422, "Invalid")["message"]
        assert text.endswith('strict decoding error: unknown field "colour"'), text
        assert api.patch(f"{path}/a", patch, kind).warnings == ['unknown field "colour"']


@rule("an update with an old resourceVersion is a Conflict")
def optimistic(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    first = api.post(path, config_map("a")).ok(201)
    api.put(f"{path}/a", {**first, "data": {"k": "1"}}).ok()
    said = api.put(f"{path}/a", {**first, "data": {"k": "2"}}).refused(409, "Conflict")
    assert said["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; please '
        "apply your changes to the latest version and try again"
    )
    old = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}, "data": {}}
    api.patch(f"{path}/a", {**old, "data": {"k": "3"}}).refused(409, "Conflict")
    assert api.put(f"{path}/a", config_map("a", k="4")).ok()["data"] == {"k": "4"}


@rule("an update that names another uid is a Conflict")
def other_uid(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    first = api.post(path, config_map("a")).ok(201)
    first["metadata"] |= {"uid": "11111111-1111-1111-1111-111111111111"}
    said = api.put(f"{path}/a", first).refused(409, "Conflict")
    assert "Precondition failed: UID in precondition" in said["message"]


@rule("a write that changes nothing keeps the resourceVersion")
def no_op(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    first = api.post(path, config_map("a", k="v")).ok(201)
    again = api.put(f"{path}/a", first).ok()
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    patched = api.patch(f"{path}/a", {"data": {"k": "v"}}).ok()
    assert patched["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


@rule("generation counts changes of the wish, not of metadata or status")
def generations(api: Talk) -> None:
    path = account(api, api.namespace()) + "/pods"
    made = api.post(path, pod("a")).ok(201)
    assert made["metadata"]["generation"] == 1
    labelled = api.patch(f"{path}/a", {"metadata": {"labels": {"a": "b"}}}).ok()
    assert labelled["metadata"]["generation"] == 1
    told = api.patch(f"{path}/a/status", {"status": {"reason": "Because"}}).ok()
    assert told["metadata"]["generation"] == 1 and told["status"]["reason"] == "Because"
    changed = api.patch(f"{path}/a", {"spec": {"activeDeadlineSeconds": 50}}).ok()
    assert changed["metadata"]["generation"] == 2


@rule("a status is dropped on create and kept by an update; a Node keeps it")
def statuses(api: Talk) -> None:
    path = account(api, api.namespace()) + "/pods"
    made = api.post(path, {**pod("a"), "status": {"phase": "Running"}}).ok(201)
    assert made["status"]["phase"] == "Pending"
    api.patch(f"{path}/a/status", {"status": {"reason": "Because"}}).ok()
    changed = {**api.get(f"{path}/a").ok(), "status": {"reason": "Else"}}
    assert api.put(f"{path}/a", changed).ok()["status"]["reason"] == "Because"
    name = api.namespace().rpartition("/")[2]
    node = {"metadata": {"name": name}, "status": {"capacity": {"cpu": "3"}}}
    made = api.post("/api/v1/nodes", node).ok(201)
    try:
        assert made["status"]["capacity"] == {"cpu": "3"}
    finally:
        api.delete(f"/api/v1/nodes/{name}")


@rule("the status subresource changes the status alone")
def status_alone(api: Talk) -> None:
    path = account(api, api.namespace()) + "/pods"
    made = api.post(path, pod("a")).ok(201)
    made["spec"]["containers"][0]["image"] = "other"
    made["status"]["message"] = "hello"
    told = api.put(f"{path}/a/status", made).ok()
    assert told["spec"]["containers"][0]["image"] == "i" and told["status"]["message"] == "hello"


@rule("dryRun=All answers as if and stores nothing")
def dry_runs(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    made = api.post(path, config_map("a"), dryRun="All").ok(201)
    assert made["metadata"]["uid"]
    api.get(f"{path}/a").refused(404, "NotFound")
    first = api.post(path, config_map("a", k="1")).ok(201)
    assert api.put(f"{path}/a", config_map("a", k="2"), dryRun="All").ok()["data"] == {"k": "2"}
    assert api.patch(f"{path}/a", {"data": {"k": "3"}}, dryRun="All").ok()["data"] == {"k": "3"}
    api.delete(f"{path}/a", dryRun="All").ok()
    api.delete(path, dryRun="All").ok()
    now = api.get(f"{path}/a").ok()
    assert now["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    api.post(path, config_map("b"), dryRun="Some").refused(422, "Invalid")
    api.post(path, config_map("a"), dryRun="All").refused(409, "AlreadyExists")


@rule("a merge patch deletes by null and replaces lists")
def merge_patches(api: Talk) -> None:
    path = account(api, api.namespace()) + "/pods"
    taint = {"key": "a", "operator": "Exists"}
    api.post(path, pod("a", tolerations=[taint])).ok(201)
    api.patch(f"{path}/a", {"metadata": {"labels": {"x": "1", "y": "2"}}}).ok()
    changed = api.patch(f"{path}/a", {"metadata": {"labels": {"x": None}}}).ok()
    assert changed["metadata"]["labels"] == {"y": "2"}


@rule("a strategic patch merges lists by their key")
def strategic_patches(api: Talk) -> None:
    path = account(api, api.namespace()) + "/pods"
    api.post(path, pod("a")).ok(201)
    image = {"spec": {"containers": [{"name": "c", "image": "new"}]}}
    changed = api.patch(f"{path}/a", image, STRATEGIC).ok()
    assert [c["image"] for c in changed["spec"]["containers"]] == ["new"]


@rule("a JSON patch is applied in order; a test that fails refuses it")
def json_patches(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    api.post(path, config_map("a", k="1")).ok(201)
    steps = [{"op": "test", "path": "/data/k", "value": "1"},
             {"op": "replace", "path": "/data/k", "value": "2"},
             {"op": "add", "path": "/data/n", "value": "3"}]  # fmt: skip
    assert api.patch(f"{path}/a", steps, JSON_PATCH).ok()["data"] == {"k": "2", "n": "3"}
    api.patch(f"{path}/a", steps, JSON_PATCH).refused(422, "Invalid")
    api.patch(f"{path}/a", b"{", JSON_PATCH).refused(400, "BadRequest")


@rule("a patch of an unknown media type is UnsupportedMediaType")
def unknown_patches(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    api.post(path, config_map("a")).ok(201)
    api.patch(f"{path}/a", {}, "text/plain").refused(415, "UnsupportedMediaType")


@rule("the name and namespace of an object cannot be changed")
def fixed_names(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    api.post(path, config_map("a")).ok(201)
    answer = api.patch(f"{path}/a", {"metadata": {"name": "b"}})
    assert answer.status in (400, 422), answer.raw


@rule("what is invalid is a 422 with a cause for each field")
def causes(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    wish = config_map("Not A Name", {"bad key!": "x"})
    said = api.post(path, wish).refused(422, "Invalid")
    assert said["details"]["name"] == "Not A Name" and said["details"]["kind"] == "ConfigMap"
    fields = [cause["field"] for cause in said["details"]["causes"]]
    assert fields == ["metadata.name", "metadata.labels"]
    assert all(c["reason"] == "FieldValueInvalid" for c in said["details"]["causes"])


@rule("an unknown resource, path or object is NotFound, and says which")
def not_found(api: Talk) -> None:
    namespace = api.namespace()
    said = api.get(f"{namespace}/configmaps/none").refused(404, "NotFound")
    assert said["message"] == 'configmaps "none" not found'
    assert said["details"] == {"name": "none", "kind": "configmaps"}
    assert api.get(f"{namespace}/nothings").status == 404
    said = api.post(f"{namespace}-x/configmaps", config_map("a")).refused(404, "NotFound")
    assert said["message"].startswith("namespaces ")


@rule("a body that is no JSON, or no object, is a BadRequest")
def bad_bodies(api: Talk) -> None:
    path = f"{api.namespace()}/configmaps"
    for body in (b"{", b"[]", b'"x"', b""):
        api.call("POST", path, body).refused(400, "BadRequest")


@rule("Services: addresses are allocated, kept, refused when taken or out of range")
def service_addresses(api: Talk) -> None:
    path = f"{api.namespace()}/services"
    ports = [{"port": 80}]
    made = api.post(path, {"metadata": {"name": "a"}, "spec": {"ports": ports}}).ok(201)
    spec = made["spec"]
    assert spec["clusterIPs"] == [spec["clusterIP"]] and spec["type"] == "ClusterIP"
    assert spec["ports"] == [{"protocol": "TCP", "port": 80, "targetPort": 80}]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    assert (spec["sessionAffinity"], spec["internalTrafficPolicy"]) == ("None", "Cluster")
    assert made["status"] == {"loadBalancer": {}}
    twice = {"metadata": {"name": "b"}, "spec": {"ports": ports, "clusterIP": spec["clusterIP"]}}
    said = api.post(path, twice).refused(422, "Invalid")
    address = spec["clusterIP"]
    assert said["details"]["causes"][0] == {
        "reason": "FieldValueInvalid", "field": "spec.clusterIPs",
        "message": f'Invalid value: ["{address}"]: failed to allocate IP {address}: '
                   "provided IP is already allocated",
    }  # fmt: skip
    twice["spec"]["clusterIP"] = "192.0.2.7"
    said = api.post(path, twice).refused(422, "Invalid")
    assert said["details"]["causes"][0]["message"] == (
        'Invalid value: ["192.0.2.7"]: failed to allocate IP 192.0.2.7: the provided network does '
        "not match the current range"
    )
    said = api.patch(f"{path}/a", {"spec": {"clusterIP": "None", "clusterIPs": ["None"]}})
    said = said.refused(422, "Invalid")["details"]["causes"][0]
    assert said["field"] == "spec.clusterIPs[0]"
    assert said["message"] == 'Invalid value: ["None"]: may not change once set'


@rule("Services: types come and go with their fields")
def service_types(api: Talk) -> None:
    path = f"{api.namespace()}/services"
    made = api.post(path, {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}).ok(201)
    node_port = api.patch(f"{path}/a", {"spec": {"type": "NodePort"}}).ok()["spec"]
    assert 30_000 <= node_port["ports"][0]["nodePort"] <= 32_767
    assert node_port["externalTrafficPolicy"] == "Cluster"
    taken = {
        "type": "NodePort",
        "ports": [{"port": 1, "nodePort": node_port["ports"][0]["nodePort"]}],
    }
    said = api.post(path, {"metadata": {"name": "b"}, "spec": taken}).refused(422, "Invalid")
    assert said["details"]["causes"][0]["message"].endswith("provided port is already allocated")
    taken["ports"][0]["nodePort"] = 1
    said = api.post(path, {"metadata": {"name": "b"}, "spec": taken}).refused(422, "Invalid")
    assert said["details"]["causes"][0]["message"] == (
        "Invalid value: 1: provided port is not in the valid range. The range of valid ports is "
        "30000-32767"
    )
    balanced = api.patch(f"{path}/a", {"spec": {"type": "LoadBalancer"}}).ok()["spec"]
    assert balanced["allocateLoadBalancerNodePorts"] is True
    plain = api.patch(f"{path}/a", {"spec": {"type": "ClusterIP"}}).ok()["spec"]
    assert plain == made["spec"]
    external = {"type": "ExternalName", "externalName": "example.com"}
    gone = api.patch(f"{path}/a", {"spec": external}).ok()["spec"]
    assert not gone.keys() & {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}
    headless = {"clusterIP": "None", "selector": {"a": "b"}}
    spec = api.post(path, {"metadata": {"name": "h"}, "spec": headless}).ok(201)["spec"]
    assert spec["clusterIPs"] == ["None"] and spec["ipFamilies"] == ["IPv4"]


@rule("Services: what is wrong is said field by field")
def service_causes(api: Talk) -> None:
    path = f"{api.namespace()}/services"
    spec = {"ports": [{"port": 0, "targetPort": "a--b"}, {"port": 80}, {"port": 80}],
            "sessionAffinity": "x", "externalIPs": ["127.0.0.1"]}  # fmt: skip
    said = api.post(path, {"metadata": {"name": "a"}, "spec": spec}).refused(422, "Invalid")
    found = [(c["reason"], c["field"]) for c in said["details"]["causes"]]
    assert found == [
        ("FieldValueRequired", "spec.ports[0].name"),
        ("FieldValueInvalid", "spec.ports[0].port"),
        ("FieldValueInvalid", "spec.ports[0].targetPort"),
        ("FieldValueRequired", "spec.ports[1].name"),
        ("FieldValueRequired", "spec.ports[2].name"),
        ("FieldValueNotSupported", "spec.sessionAffinity"),
        ("FieldValueInvalid", "spec.externalIPs[0]"),
        ("FieldValueDuplicate", "spec.ports[2]"),
    ], found
