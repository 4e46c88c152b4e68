"""Pods of one template, which is judged once, are made as if each were the first."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from mizzen.apiserver import templates
from mizzen.apiserver.admission_chain import CREATE, Admission, Plugin
from mizzen.apiserver.http import Request, Response
from mizzen.base.errors import InsufficientStorage
from mizzen.base.objects import Obj
from mizzen.store.engine import Engine
from mizzen.store.log import MemoryLog
from mizzen.store.memory import MemoryStore
from mizzen.store.store import ObjectKey, Put, Record
from support.api_handlers import DEFAULT, NS, Api, an_api

PODS = f"{DEFAULT}/pods"


def pod(name: str, *, labels: Obj | None = None, image: str = "app:1", **container: Any) -> Obj:
    metadata = {"name": name, **({} if labels is None else {"labels": labels})}
    return {
        "metadata": metadata,
        "spec": {"containers": [{"name": "a", "image": image, **container}]},
    }


async def made(api: Api, body: Obj) -> Obj:
    status, answer = await api.call("POST", PODS, body)
    assert status == 201, answer
    return answer


async def test_all_of_a_template_are_alike() -> None:
    api = await an_api(MemoryStore())
    first, second, third = [await made(api, pod(name)) for name in ("a", "b", "c")]
    assert first["spec"] == second["spec"] == third["spec"]
    assert first["status"] == third["status"]
    entries = [each["metadata"]["managedFields"] for each in (first, second, third)]
    assert entries[0] == entries[1] == entries[2]
    assert first["spec"]["serviceAccountName"] == "default" and first["spec"]["tolerations"]


async def test_what_else_is_wrong_with_one_is_told() -> None:
    api = await an_api(MemoryStore())
    await made(api, pod("a"))
    await made(api, pod("b"))
    status, answer = await api.call("POST", PODS, pod("c", labels={"-": "x"}))
    assert status == 422
    assert [cause["field"] for cause in answer["details"]["causes"]] == ["metadata.labels"]


async def test_admission_is_asked_for_each() -> None:
    api = await an_api(MemoryStore())
    await made(api, pod("a"))
    await made(api, pod("b"))
    limits = {"type": "Container", "defaultRequest": {"cpu": "10m"}}
    body = {"metadata": {"name": "l"}, "spec": {"limits": [limits]}}
    assert (await api.call("POST", f"{DEFAULT}/limitranges", body))[0] == 201
    later = await made(api, pod("c"))
    assert later["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "10m"}
    assert later["status"]["qosClass"] == "Burstable"
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    chosen = {"metadata": {"name": "high"}, "value": 7, "globalDefault": True}
    assert (await api.call("POST", classes, chosen))[0] == 201
    assert (await made(api, pod("d")))["spec"]["priority"] == 7


@pytest.mark.parametrize("name", ["a", "b", "c"])
async def test_wrong_specs_are_wrong_each_time(name: str) -> None:
    api = await an_api(MemoryStore())
    for _ in range(3):
        body = pod(name, volumeMounts=[{"name": "none", "mountPath": "/a"}])
        status, answer = await api.call("POST", PODS, body)
        assert status == 422
        fields = [cause["field"] for cause in answer["details"]["causes"]]
        assert fields == ["spec.containers[0].volumeMounts[0].name"]


async def test_warnings_come_each_time() -> None:
    api = await an_api(MemoryStore())
    env = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    for name in ("a", "b", "c"):
        draft_warnings = await _warnings(api, pod(name, env=env))
        assert any("hides previous definition" in text for text in draft_warnings)


async def _warnings(api: Api, body: Obj) -> list[str]:

    headers = {"authorization": "Bearer test", "content-type": "application/json"}
    request = Request("POST", PODS, {}, headers, json.dumps(body).encode())
    api.app.authenticate(request)
    answer = await api.app.answer(request)
    assert isinstance(answer, Response) and answer.status == 201
    return [value for name, value in answer.headers if name.lower() == "warning"]


class Counted:
    """How often a create took the long way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        create = templates.operations.create

        def counting(*arguments: Any, **options: Any) -> Obj:
            self.count += 1
            return create(*arguments, **options)

        monkeypatch.setattr(templates.operations, "create", counting)


async def a_template(monkeypatch: pytest.MonkeyPatch, **config: Any) -> tuple[Api, Counted]:
    """An API server that has met the template of `pod` twice."""
    api, counted = await an_api(MemoryStore(), **config), Counted(monkeypatch)
    for name in ("first", "second"):
        await made(api, pod(name))
    assert counted.count == 2
    return api, counted


async def test_the_third_of_a_template_is_as_if_it_were_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, counted = await a_template(monkeypatch)
    api.clock.ns += 61 * NS
    third = await made(api, pod("third"))
    assert counted.count == 2
    assert third == (await api.call("GET", f"{PODS}/third"))[1]
    fresh = await an_api(MemoryStore())
    fresh.clock.ns = api.clock.ns
    alone = await made(fresh, pod("third"))
    assert third["metadata"].pop("uid") != alone["metadata"].pop("uid")
    assert third["metadata"].pop("resourceVersion") > alone["metadata"].pop("resourceVersion")
    assert third == alone and list(third["metadata"]) == list(alone["metadata"])
    again = await api.call("GET", f"{PODS}/second")
    assert again[1]["metadata"]["name"] == "second"


async def test_names_are_generated_and_wrong_or_taken_ones_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, counted = await a_template(monkeypatch)
    assert (await api.call("POST", PODS, pod("first")))[0] == 409
    assert counted.count == 2
    status, answer = await api.call("POST", PODS, pod("Not-A-Name"))
    assert (status, answer["details"]["causes"][0]["field"]) == (422, "metadata.name")
    body = pod("unused")
    body["metadata"] = {"generateName": "of-a-set-"}
    names = [(await made(api, json.loads(json.dumps(body))))["metadata"]["name"] for _ in range(5)]
    assert len(set(names)) == 5 and all(name.startswith("of-a-set-") for name in names)


async def test_moments_in_the_status_are_each_ones_own() -> None:
    api = await an_api(MemoryStore())
    moments: list[str] = []
    for name in ("a", "b", "c"):
        api.clock.ns += NS
        body = pod(name)
        body["spec"]["schedulingGates"] = [{"name": "later"}]
        moments.append((await made(api, body))["status"]["conditions"][0]["lastTransitionTime"])
    assert len(set(moments)) == 3


CHANGES: dict[str, tuple[str, str, Obj]] = {
    "an account": ("PATCH", f"{DEFAULT}/serviceaccounts/default",
                   {"imagePullSecrets": [{"name": "s"}]}),
    "a limit": ("POST", f"{DEFAULT}/limitranges", {"metadata": {"name": "l"}, "spec": {
        "limits": [{"type": "Container", "default": {"cpu": "1"}}]}}),
    "a class": ("POST", "/apis/scheduling.k8s.io/v1/priorityclasses",
                {"metadata": {"name": "c"}, "value": 3, "globalDefault": True}),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
async def test_what_admission_read_counts_once_it_has_changed(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, counted = await a_template(monkeypatch)
    method, path, body = CHANGES[what]
    media = "application/merge-patch+json" if method == "PATCH" else "application/json"
    assert (await api.call(method, path, body, content_type=media))[0] < 300
    before, third = counted.count, await made(api, pod("third"))
    assert counted.count == before + 1
    second = (await api.call("GET", f"{PODS}/second"))[1]
    assert third["spec"] != second["spec"]
    assert (await made(api, pod("fourth")))["spec"] == third["spec"]
    assert counted.count == before + 1


async def test_a_quota_counts_each(monkeypatch: pytest.MonkeyPatch) -> None:
    api, _ = await a_template(monkeypatch)
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "4"}}}
    assert (await api.call("POST", f"{DEFAULT}/resourcequotas", quota))[0] == 201
    statuses = [(await api.call("POST", PODS, pod(f"more-{n}")))[0] for n in range(3)]
    assert statuses == [201, 201, 403]


async def test_a_namespace_that_ends_or_is_restricted_takes_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, _ = await a_template(monkeypatch)
    label = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    media = "application/merge-patch+json"
    path = "/api/v1/namespaces/default"
    assert (await api.call("PATCH", path, label, content_type=media))[0] == 200
    status, answer = await api.call("POST", PODS, pod("third"))
    assert status == 403 and "violates PodSecurity" in answer["message"]
    away = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": None}}}
    assert (await api.call("PATCH", path, away, content_type=media))[0] == 200
    assert (await api.call("POST", PODS, pod("third")))[0] == 201
    assert (await api.call("DELETE", f"{DEFAULT}/serviceaccounts/default"))[0] == 200
    status, answer = await api.call("POST", PODS, pod("fourth"))
    assert status == 403 and "not found" in answer["message"]


async def test_plugins_that_look_at_more_are_asked_about_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []
    api = await an_api(MemoryStore())
    plugin = Plugin(
        frozenset((CREATE,)), lambda s: s.key == "pods", admit=lambda r: seen.append(r.key.name)
    )
    api.server.admission = Admission([plugin])
    for name in "abc":
        body = pod(name)
        body["spec"]["serviceAccountName"] = "default"
        await made(api, body)
    assert seen == ["a", "b", "c"]


async def test_a_policy_that_comes_is_asked_about_each(monkeypatch: pytest.MonkeyPatch) -> None:
    api, _ = await a_template(monkeypatch)
    group = "/apis/admissionregistration.k8s.io/v1"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"],
              "resources": ["pods"]}]  # fmt: skip
    spec: Obj = {
        "matchConstraints": {"resourceRules": rules},
        "validations": [{"expression": "object.metadata.name != 'third'"}],
    }
    policy = {"metadata": {"name": "p"}, "spec": spec}
    assert (await api.call("POST", f"{group}/validatingadmissionpolicies", policy))[0] == 201
    binding = {"metadata": {"name": "b"}, "spec": {
        "policyName": "p", "validationActions": ["Deny"]}}  # fmt: skip
    bindings = f"{group}/validatingadmissionpolicybindings"
    assert (await api.call("POST", bindings, binding))[0] == 201
    statuses = [(await api.call("POST", PODS, pod(name)))[0] for name in ("third", "fourth")]
    assert statuses == [422, 201]


async def test_a_change_that_was_refused_after_all_counts() -> None:
    class Full(MemoryLog):
        is_full = False

        def append(self, transactions: Sequence[Sequence[Record]]) -> list[str]:
            return ["full"] * len(transactions) if self.is_full else super().append(transactions)

    log = Full(1000, 1 << 20)
    store = Engine(log, None)
    key = ObjectKey("namespaces", "", "a")
    await store.commit([Put(key, {"metadata": {}}, "create")], identity="i", now_ns=1)
    before = store.changes
    assert store.last_change("namespaces") == before and store.last_change("pods", "a") == 0
    log.is_full = True
    done = store.commit([Put(key, {"metadata": {}}, "update")], identity="i", now_ns=1)
    accepted = store.last_change("namespaces")
    assert accepted > before
    with pytest.raises(InsufficientStorage):
        await done
    assert store.last_change("namespaces") > accepted


@pytest.mark.parametrize(
    "pattern",
    [
        '{"metadata":{"labels":{"name":"%s"},"name":"fixed-%s"},"spec":{"containers":[{"name":"a","image":"i"}]}}',
        '{"spec":{"containers":[{"name":"a%s","image":"i"}]},"metadata":{"name":"%s"}}',
        '{"metadata":{"name":"x%s","name":"y%s"},"spec":{"containers":[{"name":"a","image":"i"}]}}',
    ],
)
async def test_another_name_than_the_objects_is_part_of_the_template(pattern: str) -> None:
    """The first name of a body is mostly the object's own, and here it is not."""
    api = await an_api(MemoryStore())
    for n in range(4):
        body = (pattern % (n, n)).encode()
        status, answer = await api.call("POST", PODS, body)
        assert status == 201, answer
        sent = json.loads(body)
        assert answer["metadata"]["name"] == sent["metadata"]["name"]
        assert answer["metadata"].get("labels") == sent["metadata"].get("labels")
        assert answer["spec"]["containers"][0]["name"] == sent["spec"]["containers"][0]["name"]


async def test_a_name_in_another_place_is_another_template(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of these leave the same text when their first name is taken away."""
    api = await an_api(MemoryStore())
    spec = '"spec":{"containers":[{"name":"a","image":"i"}]}'
    pattern = '{"metadata":{"name":"%s","labels":{"name":"%s"},"generateName":"g-"},' + spec + "}"
    for name in ("x", "y", "z"):
        assert (await api.call("POST", PODS, (pattern % (name, "")).encode()))[0] == 201
    for label in ("foo", "bar", "baz"):
        status, answer = await api.call("POST", PODS, (pattern % ("", label)).encode())
        assert status == 201 and answer["metadata"]["name"].startswith("g-")
        assert answer["metadata"]["labels"] == {"name": label}


async def test_names_are_read_as_json_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    api, _ = await a_template(monkeypatch)
    body = json.dumps(pod("NAME")).replace(": ", ":").replace(", ", ",")
    for text, status in (("fo\\u0075rth", 201), ("f\\u00fcnfte", 422), ("sech\u00dfte", 422)):
        sent = body.replace("NAME", text).encode()
        code, answer = await api.call("POST", PODS, sent)
        assert code == status, answer
    assert (await api.call("GET", f"{PODS}/fourth"))[0] == 200


async def test_a_body_that_lacks_another_name_is_of_another_template() -> None:
    api = await an_api(MemoryStore())
    spec = '"spec":{"imagePullSecrets":[{"name":"%s"}],"containers":[{"name":"a","image":"i"}]}'
    pattern = '{"metadata":{"generateName":"g-","name":"%s"},' + spec + "}"
    for name in ("b", "c", "d"):
        assert (await api.call("POST", PODS, (pattern % (name, "")).encode()))[0] == 201
    status, answer = await api.call("POST", PODS, (pattern % ("", "registry")).encode())
    assert status == 201
    assert answer["metadata"]["name"].startswith("g-")
    assert answer["spec"]["imagePullSecrets"] == [{"name": "registry"}]


MAPS = f"{DEFAULT}/configmaps"


async def maps_template(monkeypatch: pytest.MonkeyPatch) -> tuple[Api, Counted]:
    api, counted = await an_api(MemoryStore()), Counted(monkeypatch)
    for name in ("first", "second"):
        assert (await api.call("POST", MAPS, config_map(name, a=name, b="")))[0] == 201
    assert counted.count == 2
    return api, counted


def config_map(name: str, **data: Any) -> Obj:
    return {"metadata": {"name": name, "labels": {"app": "x"}}, "data": data}


async def test_config_maps_of_one_set_of_keys_keep_their_own_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, counted = await maps_template(monkeypatch)
    api.clock.ns += 61 * NS
    body = config_map("third", a='"\\ \ud800', b="ü" * 100)
    sent = json.dumps(body).encode()
    status, third = await api.call("POST", MAPS, sent)
    assert status == 201 and counted.count == 2
    assert third["data"] == {"a": '"\\ \ufffd', "b": "ü" * 100}
    assert third == (await api.call("GET", f"{MAPS}/third"))[1]
    fresh = await an_api(MemoryStore())
    fresh.clock.ns = api.clock.ns
    _, alone = await fresh.call("POST", MAPS, sent)
    for each in (third, alone):
        del each["metadata"]["uid"], each["metadata"]["resourceVersion"]
    assert third == alone and list(third["metadata"]) == list(alone["metadata"])
    assert (await api.call("GET", f"{MAPS}/second"))[1]["data"] == {"a": "second", "b": ""}
    assert (await api.call("POST", MAPS, sent))[0] == 409
    unnamed = {**config_map("", a="1", b="2"), "metadata": {"generateName": "g-"}}
    names = {(await api.call("POST", MAPS, unnamed))[1]["metadata"]["name"] for _ in range(4)}
    assert len(names) == 4


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (config_map("third", a=1, b=""), 400),
        (config_map("third", a=None, b=""), 201),
        (config_map("third", a="", c=""), 201),
        (config_map("third", **{"a b": ""}), 422),
        (config_map("Third", a="", b=""), 422),
        (config_map("third", a="x" * 1_100_000, b=""), 422),
        ({**config_map("third", a="", b=""), "binaryData": {"a": "eA=="}}, 422),
        ({**config_map("third", a="", b=""), "immutable": True}, 201),
        ({**config_map("third"), "data": None}, 201),
        ({**config_map("third"), "data": ["a", "b"]}, 400),
    ],
)
async def test_what_differs_in_more_is_no_config_map_of_the_template(
    body: Obj, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, counted = await maps_template(monkeypatch)
    fresh = await an_api(MemoryStore())
    before = counted.count
    answers = [await each.call("POST", MAPS, body) for each in (api, fresh)]
    assert [code for code, _ in answers] == [status, status]
    assert counted.count == before + 2
    for _, answer in answers:
        for name in ("uid", "resourceVersion"):
            answer["metadata"].pop(name, None)
    assert answers[0][1] == answers[1][1]


async def test_a_key_that_is_said_twice_is_told_of_each_config_map(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, _ = await maps_template(monkeypatch)
    for name in ("third", "fourth"):
        text = b'{"metadata":{"name":"%s","labels":{"app":"x"}},"data":{"a":"1","a":"2","b":""}}'
        status, answer = await api.call(
            "POST", f"{MAPS}?fieldValidation=Strict", text % name.encode()
        )
        assert status == 400 and 'duplicate field "data.a"' in answer["message"]
