"""What clients in other languages send, from public reports of what broke under it."""

from __future__ import annotations

import base64
import itertools
import json
import threading
import time
from typing import Any

import orjson
import pytest

from support.api_process import ApiServer

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_numbers = itertools.count()


def define(api: ApiServer, **properties: Any) -> str:
    """The path of the objects of a kind with this spec."""
    group = f"clients{next(_numbers)}.example.com"
    status, answer = api.call("POST", CRDS, definition(group, **properties))
    assert status == 201, answer
    path = f"/apis/{group}/v1/namespaces/default/things"
    eventually_served(api, path)
    return path


def definition(group: str, **properties: Any) -> dict[str, Any]:
    spec = {"type": "object", "properties": properties}
    schema = {"type": "object", "properties": {"spec": spec}}
    columns = [
        {"name": n, "type": "number", "jsonPath": f".spec.{n}"} for n in properties if len(n) == 1
    ]
    version = {"name": "v1", "served": True, "storage": True, "additionalPrinterColumns": columns,
               "schema": {"openAPIV3Schema": schema}}  # fmt: skip
    names = {"plural": "things", "kind": "Thing"}
    spec = {"group": group, "scope": "Namespaced", "names": names, "versions": [version]}
    return {"metadata": {"name": f"things.{group}"}, "spec": spec}


def thing(path: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    _, _, group, version, *_ = path.split("/")
    api_version = f"{group}/{version}"
    metadata = {"name": name}
    return {"apiVersion": api_version, "kind": "Thing", "metadata": metadata, "spec": spec}


def eventually_served(api: ApiServer, path: str, *, served: bool = True) -> None:
    deadline = time.monotonic() + 60
    while (api.call("GET", path)[0] == 200) != served:
        assert time.monotonic() < deadline


def test_deleting_by_a_strategic_patch_what_is_not_there_makes_nothing(
    api: ApiServer, namespace: str
) -> None:
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    container = {"name": "main", "image": "/bin/true"}
    spec = {"suspend": True,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}  # fmt: skip
    _, made = api.call("POST", path, {"metadata": {"name": "smp"}, "spec": spec})
    gone = {"name": "main", "env": [{"$patch": "delete", "name": "GONE"}]}
    change = {"spec": {"template": {"spec": {"containers": [gone]}}}}
    for _ in range(3):
        status, after = api.call("PATCH", f"{path}/smp", change, content_type=STRATEGIC)
        assert (status, after) == (200, made)  # neither its generation nor its version has moved
    assert "env" not in made["spec"]["template"]["spec"]["containers"][0]


@pytest.mark.parametrize("labels", [{}, {"a": "b"}])
def test_directives_of_a_strategic_patch_are_never_stored(
    api: ApiServer, namespace: str, labels: dict[str, str]
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    metadata = {"name": "c", "labels": labels, "finalizers": ["example.com/a", "example.com/b"]}
    assert api.call("POST", path, {"metadata": metadata})[0] == 201
    for change in (
        {"$deleteFromPrimitiveList/finalizers": ["example.com/a"],
         "$setElementOrder/finalizers": ["example.com/b"]},
        {"labels": {"$patch": "delete"}},
    ):  # fmt: skip
        status, after = api.call("PATCH", f"{path}/c", {"metadata": change}, content_type=STRATEGIC)
        assert status == 200 and "$" not in json.dumps(after)
    assert after["metadata"]["finalizers"] == ["example.com/b"]
    assert "labels" not in after["metadata"]


def test_elements_with_one_key_stay_in_order(api: ApiServer, namespace: str) -> None:
    env = [{"name": n, "value": v} for n, v in (("M", "first"), ("K", "k"), ("M", "second"))]
    ports = [{"name": p.lower(), "containerPort": 53, "protocol": p} for p in ("UDP", "TCP")]
    container = {"name": "c", "image": "/bin/true", "env": env, "ports": ports}
    path = f"/api/v1/namespaces/{namespace}/pods"
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [container]}}
    with api.open("POST", path, pod, "admin", "application/json", "application/json") as response:
        assert response.status == 201
        assert "hides previous definition of" in response.headers["warning"]
    for change in ({"metadata": {"labels": {"x": "y"}}},
                   {"spec": {"containers": [{"name": "c", "image": "/bin/false"}]}}):  # fmt: skip
        status, after = api.call("PATCH", f"{path}/p", change, content_type=STRATEGIC)
        assert status == 200
        assert after["spec"]["containers"][0]["env"] == env
        assert after["spec"]["containers"][0]["ports"] == ports
    spec = {"clusterIP": "None", "ports": [
        {"name": p.lower(), "port": 53, "protocol": p, "targetPort": 53} for p in ("UDP", "TCP")
    ]}  # fmt: skip
    path = f"/api/v1/namespaces/{namespace}/services"
    assert api.call("POST", path, {"metadata": {"name": "s"}, "spec": spec})[0] == 201
    change = {"metadata": {"annotations": {"x": "y"}}}
    _, after = api.call("PATCH", f"{path}/s", change, content_type=STRATEGIC)
    assert after["spec"]["ports"] == spec["ports"]


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ([{"op": "replace", "path": "/data/a", "value": "2"},
          {"op": "test", "path": "/data/a", "value": "9"}], 422),
        ([{"op": "add", "path": "invalid", "value": 1}], 422),
        ([{"op": "add", "path": "/metadata/annotations/a~1b", "value": "v"}], 422),
        ([{"op": "remove", "path": "/data/none"}], 422),
        ([{"op": "test", "path": "/data/none", "value": ""}], 422),
        ([{"op": "move", "from": "/data", "path": "/data/a"}], 422),
        ([{"op": "frobnicate", "path": "/data"}], 422),
        ({"op": "add"}, 400),
        ([{"op": "test", "path": "/data/a", "value": "1"}] * 10_001, 413),
        ([{"op": "add", "path": "", "value": None}], 422),
    ],
)  # fmt: skip
def test_a_json_patch_that_fails_is_a_status_and_changes_nothing(
    api: ApiServer, request: pytest.FixtureRequest, patch: Any, expected: int
) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    name = f"json-{next(_numbers)}"
    _, made = api.call("POST", path, {"metadata": {"name": name}, "data": {"a": "1"}})
    status, answer = api.call("PATCH", f"{path}/{name}", patch, content_type=JSON)
    assert (status, answer["kind"], answer["code"]) == (expected, "Status", expected), answer
    assert api.call("GET", f"{path}/{name}")[1] == made


def test_a_json_patch_with_a_charset_and_a_slash_in_a_key(api: ApiServer, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    api.call("POST", path, {"metadata": {"name": "c"}})
    patch = [{"op": "add", "path": "/metadata/annotations", "value": {}},
             {"op": "add", "path": "/metadata/annotations/example.com~1k", "value": "v"}]  # fmt: skip
    media_type = f"{JSON}; charset=utf-8"
    status, after = api.call("PATCH", f"{path}/c", patch, content_type=media_type)
    assert (status, after["metadata"]["annotations"]) == (200, {"example.com/k": "v"})


def test_a_new_kind_is_seen_by_all_at_once_and_its_second_life_is_another(api: ApiServer) -> None:
    for _ in range(30):
        group = f"lives{next(_numbers)}.example.com"
        path = f"/apis/{group}/v1/namespaces/default/things"
        first = _Watch(api, f"/apis/{group}/v1/things?watch=1")
        assert api.call("POST", CRDS, definition(group, x={"type": "string"}))[0] == 201
        eventually_served(api, path)
        status, made = api.call("POST", path, thing(path, "w", {"x": "a"}))
        assert status == 201
        _, listed = api.call("GET", path)
        assert [item["metadata"]["name"] for item in listed["items"]] == ["w"]
        versions = [int(each["metadata"]["resourceVersion"]) for each in (listed, made)]
        assert versions[0] >= versions[1]
        first.wait_for(1)
        assert api.call("DELETE", f"{CRDS}/things.{group}")[0] == 200
        first.wait_until_ended()
        assert first.types == ["ADDED", "DELETED"]
        eventually_served(api, path, served=False)
        deadline = time.monotonic() + 60
        integer = definition(group, x={"type": "integer"})
        while api.call("POST", CRDS, integer)[0] != 201:  # the old one is just going
            assert time.monotonic() < deadline
        eventually_served(api, path)
        assert api.call("GET", path)[1]["items"] == []
        assert api.call("POST", path, thing(path, "w", {"x": "a"}))[0] == 422
        assert api.call("POST", path, thing(path, "w", {"x": 1}))[0] == 201


class _Watch:
    """The types of events of a watch that begins as soon as it is served."""

    def __init__(self, api: ApiServer, path: str) -> None:
        self.types: list[str] = []
        self._api, self._path = api, path
        self._came = threading.Condition()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            media_type = "application/json"
            with self._api.open("GET", self._path, None, "admin", media_type, media_type) as lines:
                if lines.status != 200:
                    lines.read()
                    continue
                for line in lines:
                    with self._came:
                        self.types.append(json.loads(line)["type"])
                        self._came.notify()
                return

    def wait_for(self, count: int) -> None:
        with self._came:
            assert self._came.wait_for(lambda: len(self.types) >= count, 60)

    def wait_until_ended(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


def test_large_numbers_keep_their_digits(api: ApiServer) -> None:
    path = define(api, n={"type": "integer", "format": "int64"}, m={"type": "number"})
    spec = {"n": 9007199254740993, "m": 1000000}
    assert api.call("POST", path, thing(path, "a", spec))[0] == 201
    label = {"metadata": {"labels": {"a": "b"}}}
    assert api.call("PATCH", f"{path}/a", label, content_type=MERGE)[1]["spec"] == spec
    more = [{"op": "add", "path": "/metadata/labels/c", "value": "d"}]
    assert api.call("PATCH", f"{path}/a", more, content_type=JSON)[1]["spec"] == spec
    assert api.call("GET", f"{path}/a")[1]["spec"] == spec
    status, answer = api.call("PATCH", f"{path}/a", label, content_type=STRATEGIC)
    assert status == 415 and STRATEGIC not in answer["message"].partition("types include")[2]
    _, table = api.call("GET", f"{path}/a", accept=TABLE)
    assert table["rows"][0]["cells"] == ["a", 9007199254740993, 1000000]
    watched = _Watch(api, f"{path}?watch=1&timeoutSeconds=1")
    watched.wait_for(1)


@pytest.mark.parametrize(
    "number", ["9223372036854775808", "-9223372036854775809", "7.5", "1e400", "1e30", "1e19"]
)
def test_what_is_no_int64_is_refused_not_rounded(api: ApiServer, number: str) -> None:
    if not (path := _paths.get("int64")):
        path = _paths["int64"] = define(api, n={"type": "integer", "format": "int64"})
    body = orjson.dumps(thing(path, f"n{next(_numbers)}", {"n": 7}))
    assert api.call("POST", path, body.replace(b":7}", b":%s}" % number.encode()))[0] in (400, 422)
    assert api.call("POST", path, body)[0] == 201, "the number alone was wrong"


_paths: dict[str, str] = {}


@pytest.mark.parametrize(
    ("resource", "written", "read"),
    [
        ("cpu", "1.441", "1441m"), ("cpu", "1e3", "1e3"), ("cpu", ".5", "500m"),
        ("cpu", "5.", "5"), ("cpu", "+1", "1"), ("cpu", "1e-3", "1e-3"), ("memory", "400m", "400m"),
        ("memory", "0.1Gi", "107374182400m"), ("memory", "2000E", "2000E"),
    ],
)  # fmt: skip
def test_quantities_of_every_form(api: ApiServer, resource: str, written: str, read: str) -> None:
    status, made = api.call("POST", _PODS + "?dryRun=All", asking(resource, written))
    assert status == 201
    assert made["spec"]["containers"][0]["resources"]["requests"] == {resource: read}


@pytest.mark.parametrize("text", ["1 Gi", "1 1", "٣", "0x10", "1e999999999", "-1", "NaN", ""])
def test_what_is_no_quantity_is_refused(api: ApiServer, text: str) -> None:
    for resource in ("cpu", "memory"):
        assert api.call("POST", _PODS + "?dryRun=All", asking(resource, text))[0] in (400, 422)


_PODS = "/api/v1/namespaces/default/pods"


def asking(resource: str, amount: str) -> dict[str, Any]:
    container = {"name": "c", "image": "/bin/true", "resources": {"requests": {resource: amount}}}
    return {"metadata": {"name": "q"}, "spec": {"containers": [container]}}


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000Z"),
        ("2026-01-02T03:04:05.123Z", "2026-01-02T03:04:05.123000Z"),
        ("2026-01-02T03:04:05.1234567Z", "2026-01-02T03:04:05.123456Z"),
        ("2026-01-02T03:04:05.123456+02:00", "2026-01-02T01:04:05.123456Z"),
    ],
)
def test_moments_are_stored_in_one_form_and_written_back_change_nothing(
    api: ApiServer, written: str, read: str
) -> None:
    event = {"involvedObject": {"kind": "Pod", "namespace": "default"}, "reason": "R",
             "reportingComponent": "x.y/z", "reportingInstance": "i", "action": "A",
             "type": "Normal", "eventTime": written}  # fmt: skip
    for path, body, where in (
        ("/api/v1/namespaces/default/events", event, ("eventTime",)),
        ("/apis/coordination.k8s.io/v1/namespaces/default/leases",
         {"spec": {"holderIdentity": "x", "renewTime": written}}, ("spec", "renewTime")),
    ):  # fmt: skip
        name = f"moment-{next(_numbers)}"
        status, made = api.call("POST", path, {**body, "metadata": {"name": name}})
        assert status == 201, made
        found = made
        for part in where:
            found = found[part]
        assert found == read
        assert api.call("PUT", f"{path}/{name}", made) == (200, made)
    pod = {"metadata": {"name": f"moment-{next(_numbers)}"}, "spec": asking("cpu", "1")["spec"]}
    api.call("POST", _PODS, pod)
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": written}
    path = f"{_PODS}/{pod['metadata']['name']}"
    _, made = api.call(
        "PATCH", f"{path}/status", {"status": {"conditions": [condition]}}, content_type=MERGE
    )
    moment = made["status"]["conditions"][0]["lastTransitionTime"]
    assert moment == read.partition(".")[0] + "Z"
    assert api.call("PUT", f"{path}/status", made) == (200, made)


def test_what_is_nested_without_end_is_refused(api: ApiServer) -> None:
    """Upstream takes up to 10,000 levels; here there is one limit for all objects (docs/api.md)."""
    for depth in (500, 1010, 100_000):
        body = b'{"metadata":{"generateName":"d"},"data":%s1%s}' % (b"[" * depth, b"]" * depth)
        status, answer = api.call("POST", "/api/v1/namespaces/default/configmaps", body)
        assert (status, answer["reason"]) == (400, "BadRequest")
    for depth in (70, 300):
        inner = (
            b'{"type":"object","properties":{"a":' * depth + b'{"type":"string"}' + b"}}" * depth
        )
        group = f"deep{depth}.example.com"
        crd = json.dumps(definition(group, a="HERE")).encode().replace(b'"HERE"', inner)
        status, answer = api.call("POST", CRDS, crd)
        assert status in (400, 422) and "nested deeper" in answer["message"]


@pytest.mark.parametrize(
    "path",
    ["/api/v1/namespaces//pods", "/api/v1//pods", "/api//v1/pods",
     "/api/v1/namespaces/default//pods", "/apis/batch//namespaces/default/jobs"],
)  # fmt: skip
def test_an_empty_part_of_a_path_names_nothing(api: ApiServer, path: str) -> None:
    status, answer = api.call("GET", path)
    assert (status, answer["kind"]) == (404, "Status")


def test_an_empty_group_is_no_path_that_there_is(api: ApiServer) -> None:
    assert api.call("GET", "/apis//v1/pods") == (404, "404 page not found\n")


@pytest.mark.parametrize(
    "options",
    [
        {"dryRun": "All"}, {"dryRun": ["Foo"]}, {"dryRun": ["All", "Foo"]}, {"dryRun": 1},
        {"preconditions": 5}, {"preconditions": {"uid": 5}}, {"preconditions": ["uid"]},
        {"orphanDependents": "yes"}, {"orphanDependents": True, "propagationPolicy": "Foreground"},
        {"propagationPolicy": "foreground"}, {"gracePeriodSeconds": "0"}, [],
    ],
)  # fmt: skip
def test_a_deletion_that_asks_for_what_is_not_understood_deletes_nothing(
    api: ApiServer, options: Any
) -> None:
    path = "/api/v1/namespaces/default/configmaps"
    name = f"kept-{next(_numbers)}"
    _, made = api.call("POST", path, {"metadata": {"name": name}})
    status, answer = api.call("DELETE", f"{path}/{name}", options)
    # What cannot be read is a BadRequest, what is read and means nothing Invalid, as upstream.
    assert (status, answer["reason"]) in ((400, "BadRequest"), (422, "Invalid"))
    assert api.call("DELETE", f"{path}?labelSelector=none=such", options)[0] == status
    for said in ({"dryRun": ["All"]}, rb'{"dry\u0052un": ["All"]}'):
        assert api.call("DELETE", f"{path}/{name}", said)[0] == 200
    assert api.call("GET", f"{path}/{name}") == (200, made)


@pytest.mark.parametrize(
    "token", [[True, "default", "a"], [0, "a", "b"], [-5, "a", "b"], [1, None, None],
              ["1", "a", "b"], [1, "a"], {"a": 1}, 5, [10**30, "a", "b"]]
)  # fmt: skip
def test_a_continue_token_of_another_make_is_refused(api: ApiServer, token: Any) -> None:
    written = base64.urlsafe_b64encode(json.dumps(token).encode()).decode()
    path = f"/api/v1/namespaces/default/configmaps?limit=2&continue={written}"
    status, answer = api.call("GET", path)
    assert status == 400 and "continue key is not valid" in answer["message"]
