"""What a container asks for that no process of this machine can be given."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.node.runtimes.process.refusals import AS_ROOT, refusals


def said(container: dict[str, Any], uid: int = 1000, **spec: Any) -> list[str]:
    whole = {"name": "main", "image": "mizzen.dev/python", **container}
    return list(refusals({"spec": {"containers": [whole], **spec}}, whole, uid, uid))


def test_what_every_chart_says_asks_for_nothing() -> None:
    container = {
        "securityContext": {}, "resources": {"limits": {"cpu": "1"}}, "ports": [{"containerPort": 80}],
        "livenessProbe": {"httpGet": {"path": "/", "port": "http"}}, "imagePullPolicy": "Always",
        "stdin": True, "tty": True, "volumeMounts": [{"name": "v", "mountPath": "/x"}],
    }  # fmt: skip
    spec: dict[str, Any] = {
        "securityContext": {"runAsUser": 1000, "fsGroup": 1000, "runAsNonRoot": True},
        "serviceAccountName": "default", "dnsPolicy": "ClusterFirst", "hostUsers": True,
        "volumes": [{"name": "v", "emptyDir": {}}], "os": {"name": "linux"},
    }  # fmt: skip
    assert said(container, **spec) == []


@pytest.mark.parametrize(
    ("container", "spec", "words"),
    [
        ({}, {"hostUsers": False}, "spec.hostUsers: pods are processes"),
        ({}, {"hostAliases": [{"ip": "1.2.3.4"}]}, "spec.hostAliases: "),
        ({}, {"os": {"name": "windows"}}, "spec.os.name: "),
        ({}, {"volumes": [{"name": "v", "nfs": {"path": "/", "server": "s"}}]}, "spec.volumes[0].nfs: "),
        ({}, {"securityContext": {"sysctls": [{"name": "a", "value": "b"}]}}, "spec.securityContext.sysctls"),
        ({"securityContext": {"privileged": True}}, {}, 'container "main": securityContext.privileged'),
        ({"livenessProbe": {"grpc": {"port": 1}}}, {}, 'container "main": livenessProbe.grpc: '),
        ({"restartPolicy": "Always"}, {}, 'container "main": restartPolicy: '),
        ({"volumeMounts": [{"name": "v", "mountPath": "/", "subPath": "x"}]}, {}, "volumeMounts[0].subPath: "),
    ],
)  # fmt: skip
def test_each_refusal_says_where_and_why(
    container: dict[str, Any], spec: dict[str, Any], words: str
) -> None:
    (found,) = said(container, **spec)
    assert words in found


def test_users_are_the_agents_own() -> None:
    assert said({"securityContext": {"runAsUser": 1000}}) == []
    (other,) = said({"securityContext": {"runAsUser": 5}})
    assert other.startswith('container "main": securityContext.runAsUser 5: pods are processes')
    own = {"securityContext": {"runAsUser": 1000}}
    assert said(own, securityContext={"runAsUser": 5}) == [], "the container's own word counts"
    assert said({}, securityContext={"fsGroup": 7}) != []


def test_who_must_not_be_root_is_not() -> None:
    asked = {"securityContext": {"runAsNonRoot": True}}
    assert said(asked) == []
    assert said(asked, uid=0) == [f"{AS_ROOT} (container: main)"]
    assert said({"securityContext": {"runAsNonRoot": False}}, uid=0) == []
    assert said({}, uid=0, securityContext={"runAsNonRoot": True}) != []
