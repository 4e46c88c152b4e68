"""The cases, each a sequence of writes to one object."""

from __future__ import annotations

from typing import Any

from support.apply_cases.kinds import CONFIG_MAP, DEPLOYMENT, GADGET, POD, SERVICE
from support.apply_cases.steps import Place, Step

_FORCE = "force=true"


def _data(**values: Any) -> Any:
    return {"data": values}


def _deployment(*containers: Any, **spec: Any) -> Any:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": list(containers)}}
    return {"spec": {"selector": {"matchLabels": labels}, "template": template, **spec}}


def _container(name: str, image: str = "x", **more: Any) -> Any:
    return {"name": name, "image": image, **more}


_POD = {
    "spec": {
        "serviceAccountName": "default",
        "automountServiceAccountToken": False,
        "containers": [_container("a")],
    }
}
_NOTED = {
    "metadata": {
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": (
                '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"annotations":{},"name":"obj"},'
                '"data":{"a":"1","b":"1"}}\n'
            )
        }
    },
    "data": {"a": "1", "b": "1"},
}
_PORTS = [{"port": 80, "name": "a"}, {"port": 53, "protocol": "UDP", "name": "b"}]

CASES: dict[str, tuple[Place, list[Step]]] = {
    "create_and_updates": (CONFIG_MAP, [
        Step("create", "m1", {"metadata": {"labels": {"l": "1"}}, **_data(a="1", b="1")}),
        Step("put", "m2", _data(b="2", c="1")),
        Step("merge", "m3", _data(a=None)),
        Step("strategic", "m3", {"metadata": {"labels": {"l": "2"}}}),
        Step("json", "m4", [{"op": "add", "path": "/data/d", "value": "1"}]),
        Step("merge", "m4", _data(d="1")),
    ]),
    "apply_creates_and_changes": (CONFIG_MAP, [
        Step("apply", "m1", _data(a="1", b="1")),
        Step("apply", "m1", _data(a="1", b="1")),
        Step("apply", "m1", _data(a="2")),
        Step("apply", "m1", {}),
    ]),
    "conflicts_and_force": (CONFIG_MAP, [
        Step("apply", "m1", _data(a="1", b="1")),
        Step("apply", "m2", _data(a="2")),
        Step("apply", "m2", _data(a="2", b="2")),
        Step("apply", "m2", _data(a="1")),
        Step("apply", "m2", _data(a="2"), query=_FORCE),
        Step("apply", "m1", _data(b="1")),
        Step("apply", "m2", {}),
        Step("merge", "m3", _data(b="3")),
        Step("apply", "m1", _data(b="1")),
    ]),
    "several_owners_conflict": (CONFIG_MAP, [
        Step("apply", "m1", _data(a="1", b="1")),
        Step("apply", "m2", _data(a="1")),
        Step("create", "m3", _data(a="1")),
        Step("merge", "m3", _data(b="2")),
        Step("apply", "m4", _data(a="4", b="4")),
        Step("apply", "m4", _data(a="4", b="4"), query=_FORCE + "&dryRun=All"),
        Step("apply", "m4", _data(a="4", b="4"), query=_FORCE),
    ]),
    "forgetting_managers": (CONFIG_MAP, [
        Step("apply", "m1", _data(a="1")),
        Step("merge", "m2", {"metadata": {"managedFields": [{}]}}),
        Step("apply", "m1", _data(b="1")),
        Step("merge", "m2", {"metadata": {"managedFields": []}, **_data(c="1")}),
        Step("merge", "m2", _data(c="2")),
        Step("apply", "m3", _data(c="3")),
        Step("put", "m2", {"metadata": {"managedFields": [{"operation": "Bad"}]}, **_data(e="1")}),
    ]),
    "managed_fields_may_not_be_applied": (CONFIG_MAP, [
        Step("apply", "m1", {"metadata": {"managedFields": []}, **_data(a="1")}),
        Step("apply", "m1", {"metadata": {"managedFields": [{"manager": "x"}]}, **_data(a="1")}),
    ]),
    "options": (CONFIG_MAP, [
        Step("apply", "", _data(a="1")),
        Step("apply", "x" * 129, _data(a="1")),
        Step("apply", "m1", _data(a="1"), query="fieldValidation=Strict"),
        Step("apply", "m1", {"dat": {}}, query="fieldValidation=Strict"),
        Step("apply", "m1", {"dat": {}}, query="fieldValidation=Ignore"),
        Step("merge", "m1", _data(a="2"), query=_FORCE),
        Step("apply", "m1", {"data": 5}),
        Step("apply", "m1", {"metadata": {"uid": "5f3e0a52-9d6b-4a0e-8f8e-1234567890ab"}}),
        Step("apply", "m1", {"metadata": {"resourceVersion": "1"}, **_data(a="9")}),
        Step("apply", "m1", {"metadata": {"name": "other"}}),
    ]),
    "uid_of_none": (CONFIG_MAP, [
        Step("apply", "m1", {"metadata": {"uid": "5f3e0a52-9d6b-4a0e-8f8e-1234567890ab"}}),
    ]),
    "nulls_and_empties": (CONFIG_MAP, [
        Step("apply", "m1", {"metadata": {"labels": None}}),
        Step("apply", "m1", {"data": None}),
        Step("merge", "m2", {"metadata": {"annotations": {}}}),
        Step("apply", "m1", {"metadata": {"finalizers": ["e.dev/a"]}}),
        Step("apply", "m2", {"metadata": {"finalizers": ["e.dev/b", "e.dev/a"]}}),
        Step("apply", "m1", {}),
        Step("apply", "m2", {}),
    ]),
    "ancient_changes": (CONFIG_MAP, [
        Step("create", "m00", _data(k0="v")),
        # Names in the order of the writes: which are oldest is alike, wherever a second ends.
        *(Step("merge", f"m{n:02}", _data(**{f"k{n}": "v"})) for n in range(1, 13)),
    ]),
    "from_client_side_apply": (CONFIG_MAP, [
        Step("create", "kubectl-client-side-apply", _NOTED),
        Step("apply", "kubectl", _data(a="2", b="1")),
        Step("apply", "kubectl", _data(a="3")),
    ]),
    "another_than_kubectl_conflicts": (CONFIG_MAP, [
        Step("create", "kubectl-client-side-apply", _NOTED),
        Step("apply", "argo", _data(a="2", b="1")),
    ]),
    "lists_of_a_deployment": (DEPLOYMENT, [
        Step("apply", "m1", _deployment(_container("a"), _container("b"), replicas=1)),
        Step("apply", "m2", _deployment(_container("c"), replicas=2)),
        Step("apply", "m2", _deployment(_container("c"))),
        Step("apply", "m1", _deployment(_container("b"), _container("a", env=[{"name": "X", "value": "1"}]))),
        Step("apply", "m2", _deployment(_container("a", "y")), query=_FORCE),
        Step("merge", "m3", {"spec": {"replicas": 3}}),
        Step("merge", "m4", {"spec": {"replicas": 4}}, "scale"),
        Step("apply", "m1", _deployment(_container("b"), replicas=1)),
        Step("merge", "ctrl", {"status": {"observedGeneration": 1}}, "status"),
        Step("apply", "ctrl2", {"status": {"replicas": 4}}, "status"),
        Step("apply", "m1", {**_deployment(_container("b")), "status": {"replicas": 9}}),
    ]),
    "a_deployment_is_updated": (DEPLOYMENT, [
        Step("create", "m1", _deployment(_container("a", args=["1"], ports=[{"containerPort": 80}]))),
        Step("strategic", "m2", {"spec": {"template": {"spec": {"containers": [_container("b")]}}}}),
        Step("put", "m3", {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}}),
        Step("merge", "m4", {"spec": {"paused": True}}),
        Step("apply", "m5", _deployment(_container("a", args=["2"]))),
        Step("apply", "m5", _deployment(_container("a", args=["2"])), query=_FORCE),
    ]),
    "duplicates_in_lists": (DEPLOYMENT, [
        Step("apply", "m1", _deployment(_container("a"), _container("a"))),
        Step("apply", "m1", _deployment(_container("a", env=[{"name": "X"}, {"name": "X"}]))),
        Step("create", "m1", _deployment(_container("a", env=[{"name": "X", "value": "1"}, {"name": "X", "value": "2"}]))),
        Step("apply", "m2", _deployment(_container("a", env=[{"name": "Y"}]))),
        Step("apply", "m2", _deployment(_container("a", env=[{"name": "X", "value": "3"}]))),
    ]),
    "ports_of_a_service": (SERVICE, [
        Step("create", "m1", {"spec": {"ports": _PORTS, "selector": {"a": "b"}}}),
        Step("apply", "m2", {"spec": {"ports": [{"port": 81, "name": "c"}]}}),
        Step("apply", "m2", {"spec": {"ports": [{"port": 80, "name": "d"}]}}),
        Step("merge", "m3", {"spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30123}]}}),
        Step("apply", "m2", {}),
        Step("apply", "lb", {"status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}}, "status"),
    ]),
    "status_of_a_pod": (POD, [
        Step("create", "m1", _POD),
        Step("merge", "kubelet", {"status": {"phase": "Running", "podIP": "1.2.3.4", "podIPs": [{"ip": "1.2.3.4"}]}}, "status"),
        Step("apply", "ctrl", {"status": {"conditions": [{"type": "e.dev/X", "status": "True"}]}}, "status"),
        Step("apply", "ctrl2", {"status": {"phase": "Failed"}}, "status"),
        Step("apply", "m2", {"metadata": {"labels": {"a": "b"}}, "status": {"phase": "Failed"}}),
    ]),
    "a_custom_kind": (GADGET, [
        Step("create", "m1", {"spec": {"size": 1, "tags": ["a"], "parts": [{"name": "x"}]}}),
        Step("apply", "m2", {"spec": {"tags": ["b", "a"], "parts": [{"name": "x", "port": 80, "value": "v"}, {"name": "x", "port": 81}]}}),
        Step("apply", "m3", {"spec": {"box": {"a": "1"}, "steps": [{"run": "1"}], "plain": ["1"], "nested": {"b": {"c": "1"}}, "open": {"x": {"y": [1]}}}}),
        Step("apply", "m4", {"spec": {"box": {"b": "1"}, "steps": [{"run": "2"}], "plain": ["2"], "nested": {"a": "1"}, "open": {"x": {"z": 1}}}}),
        Step("apply", "m4", {"spec": {"box": {"b": "1"}, "plain": ["2"], "nested": {"a": "1"}, "open": {"x": {"z": 1}}}}, query=_FORCE),
        Step("apply", "m3", {"spec": {"nested": {}}}),
        Step("apply", "m2", {"spec": {"tags": ["b"]}}),
        Step("apply", "m2", {"spec": {"parts": [{"port": 80}]}}),
        Step("apply", "m2", {"spec": {"tags": ["b", "b"]}}),
        Step("apply", "m2", {"spec": {"what": 1}}),
        Step("apply", "ctrl", {"status": {"phase": "a"}}, "status"),
        Step("merge", "hpa", {"spec": {"replicas": 5}}, "scale"),
        Step("apply", "m2", {"spec": {"size": 7}}),
    ]),
    "what_is_being_deleted": (CONFIG_MAP, [
        Step("create", "m1", {"metadata": {"finalizers": ["e.dev/a"]}, **_data(a="1")}),
        Step("delete", "m1", None),
        Step("apply", "m2", _data(b="1")),
        Step("merge", "m3", {"metadata": {"finalizers": None}}),
    ]),
}  # fmt: skip
