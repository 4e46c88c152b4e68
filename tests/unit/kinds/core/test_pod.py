"""Pods: upstream's defaults, checks, immutability and columns."""

from __future__ import annotations

import copy
import time
from typing import Any

import pytest

from mizzen.kinds.core.pod_columns import ready, restarts, status_word
from mizzen.kinds.core.pod_rules import quality_of_service
from mizzen.kinds.registry import builtin_kinds

POD = builtin_kinds()[("", "pods")]


def _pod(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    wanted = [{"name": "a", "image": "x:1", **c} for c in containers] or [
        {"name": "a", "image": "x:1"}
    ]
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": wanted, **spec},
    }
    decoded = POD.decode(body)
    assert not decoded.causes and not decoded.unknown, decoded
    POD.prepare_create(decoded.object)
    POD.default(decoded.object)
    POD.complete(decoded.object)
    return decoded.object


def test_defaults() -> None:
    spec = _pod(
        {
            "readinessProbe": {"httpGet": {"port": 80}},
            "resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}},
        }
    )["spec"]
    assert spec["restartPolicy"] == "Always" and spec["dnsPolicy"] == "ClusterFirst"
    assert (
        spec["terminationGracePeriodSeconds"] == 30 and spec["schedulerName"] == "default-scheduler"
    )
    assert spec["serviceAccountName"] == "default" and spec["enableServiceLinks"] is True
    container = spec["containers"][0]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["terminationMessagePath"] == "/dev/termination-log"
    probe = container["readinessProbe"]
    assert (probe["timeoutSeconds"], probe["periodSeconds"], probe["failureThreshold"]) == (
        1,
        10,
        3,
    )
    assert probe["httpGet"] == {"port": 80, "path": "/", "scheme": "HTTP"}
    assert container["resources"]["requests"] == {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("x", "Always"),
        ("x:latest", "Always"),
        ("h:5000/x", "Always"),
        ("x:1", "IfNotPresent"),
        ("x@sha256:0", "IfNotPresent"),
    ],
)
def test_pull_policy(image: str, policy: str) -> None:
    assert _pod({"image": image})["spec"]["containers"][0]["imagePullPolicy"] == policy


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}, "Burstable"),
        ({"limits": {"nvidia.com/gpu": "1"}}, "BestEffort"),
    ],
)
def test_quality_of_service(resources: dict[str, Any], quality: str) -> None:
    assert quality_of_service({"containers": [{"resources": resources}]}) == quality


CLAIMS = [{"name": "c", "resourceClaimTemplateName": "t"}]


@pytest.mark.parametrize(
    ("containers", "spec", "field", "message"),
    [
        ([{}, {}], {}, "spec.containers[1].name", 'Duplicate value: "a"'),
        ([{"name": "Bad"}], {}, "spec.containers[0].name", "RFC 1123 label"),
        ([{"image": ""}], {}, "spec.containers[0].image", "Required value"),
        ([{"volumeMounts": [{"name": "v", "mountPath": "/x"}]}], {}, "spec.containers[0].volumeMounts[0].name", 'Not found: "v"'),
        ([{}], {"volumes": [{"name": "v", "emptyDir": {}, "hostPath": {"path": "/"}}]}, "spec.volumes[0].hostPath", "more than 1 volume type"),
        ([{"env": [{"name": "A", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]}], {}, "spec.containers[0].env[0].valueFrom", "when `value` is not empty"),
        ([{"env": [{"name": "A=B"}]}], {}, "spec.containers[0].env[0].name", "printable ASCII"),
        ([{"ports": [{"containerPort": 1, "name": "x"}, {"containerPort": 2, "name": "x"}]}], {}, "spec.containers[0].ports[1].name", "Duplicate"),
        ([{"livenessProbe": {}}], {}, "spec.containers[0].livenessProbe", "must specify a handler type"),
        ([{"livenessProbe": {"exec": {"command": ["x"]}, "successThreshold": 2}}], {}, "spec.containers[0].livenessProbe.successThreshold", "must be 1"),
        ([{"readinessProbe": {"tcpSocket": {"port": 0}}}], {}, "spec.containers[0].readinessProbe.tcpSocket.port", "between 1 and 65535"),
        ([{"resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}}], {}, "spec.containers[0].resources.requests", "cpu limit of 1"),
        ([{"resources": {"limits": {"gpu": "1"}}}], {}, "spec.containers[0].resources.limits[gpu]", "must be a standard resource for containers"),
        ([{"resources": {"limits": {"nvidia.com/gpu": "500m"}}}], {}, "spec.containers[0].resources.limits[nvidia.com/gpu]", "must be an integer"),
        ([{"resources": {"claims": [{"name": "c"}]}}], {}, "spec.containers[0].resources.claims[0].name", 'Not found: "c"'),
        ([{}], {"resourceClaims": [{"name": "c"}]}, "spec.resourceClaims[0]", "must specify one of"),
        ([{}], {"resourceClaims": [{**CLAIMS[0], "resourceClaimName": "n"}]}, "spec.resourceClaims[0]", "at most one of"),
        ([{}], {"nodeSelector": {"a b": "c"}}, "spec.nodeSelector", "name part"),
        ([{}], {"tolerations": [{"operator": "Equal"}]}, "spec.tolerations[0].operator", "must be Exists when `key` is empty"),
        ([{}], {"hostname": "a.b"}, "spec.hostname", "must not contain dots"),
        ([{}], {"schedulingGates": [{"name": "g"}], "nodeName": "n"}, "spec.nodeName", "schedulingGates"),
    ],
)  # fmt: skip
def test_what_is_refused(
    containers: list[dict[str, Any]], spec: dict[str, Any], field: str, message: str
) -> None:
    causes = {c.field: c.message for c in POD.check(_pod(*containers, **spec), None)}
    assert next(iter(causes)) == field  # a limit's problem is its defaulted request's, too
    assert message in causes[field]


def test_a_pod_with_devices_is_fine() -> None:
    pod = _pod(
        {"resources": {"claims": [{"name": "c"}]}},
        resourceClaims=CLAIMS,
        schedulingGroup={"podGroupName": "g"},
    )
    assert POD.check(pod, None) == []


@pytest.mark.parametrize(
    ("change", "refused"),
    [
        (lambda s: s["containers"][0].update(image="y"), False),
        (lambda s: s.update(activeDeadlineSeconds=5), False),
        (lambda s: s.update(tolerations=[{"key": "k", "operator": "Exists"}]), False),
        (lambda s: s.update(hostname="h"), True),
        (lambda s: s.update(nodeName="n"), True),
        (lambda s: s["containers"].append({"name": "b", "image": "b"}), True),
        (lambda s: s["containers"][0].update(args=["x"]), True),
    ],
)  # fmt: skip
def test_most_of_a_pod_cannot_change(change: Any, refused: bool) -> None:
    old = _pod()
    new = copy.deepcopy(old)
    change(new["spec"])
    causes = POD.check(new, old)
    assert bool(causes) is refused
    if refused:
        words = (
            "pod updates may not change fields other than",
            "pod updates may not add or remove",
        )
        assert causes[0].message.removeprefix("Forbidden: ").startswith(words)


def test_how_long_a_toleration_holds_may_change_and_nothing_else_of_it() -> None:
    def tolerating(**more: Any) -> dict[str, Any]:
        toleration = {"key": "k", "operator": "Exists", "effect": "NoExecute", **more}
        return _pod(tolerations=[toleration])

    assert POD.check(tolerating(tolerationSeconds=5), tolerating()) == []
    assert POD.check(tolerating(), tolerating(tolerationSeconds=5)) == []
    (cause,) = POD.check(tolerating(key="other"), tolerating())
    assert cause.field == "spec.tolerations"


def test_many_tolerations_take_time_linear_in_them() -> None:
    many = [{"key": f"k{n}", "operator": "Exists"} for n in range(30_000)]
    begun = time.process_time()
    assert POD.check(_pod(tolerations=copy.deepcopy(many)), _pod(tolerations=many)) == []
    assert time.process_time() - begun < 5


def test_an_ended_pod_stays_ended() -> None:
    old, new = _pod(), _pod()
    old["status"]["phase"], new["status"]["phase"] = "Succeeded", "Running"
    assert [c.field for c in POD.check_status(new, old)] == ["status.phase"]


def test_a_gated_pod_says_so_from_the_start() -> None:
    pod = _pod(schedulingGates=[{"name": "g"}])
    POD.stamp(pod, None, "2027-01-15T08:00:00Z")
    (condition,) = pod["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "PodScheduled", "False", "SchedulingGated",
    )  # fmt: skip
    assert condition["lastTransitionTime"] == "2027-01-15T08:00:00Z"
    assert status_word(pod, 0) == "SchedulingGated"
    assert "conditions" not in _pod()["status"]


def _with_status(**status: Any) -> dict[str, Any]:
    return {**_pod(), "status": status}


@pytest.mark.parametrize(
    ("status", "word"),
    [
        ({"phase": "Pending"}, "Pending"),
        ({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]}, "SchedulingGated"),
        ({"phase": "Running", "containerStatuses": [{"state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}, "CrashLoopBackOff"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        ({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}, "Error"),
        ({"phase": "Failed", "containerStatuses": [{"state": {"terminated": {"exitCode": 0, "signal": 9}}}]}, "Signal:9"),
        ({"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]}, "Completed"),
        ({"phase": "Running", "containerStatuses": [{"ready": True, "state": {"running": {}}}]}, "Running"),
    ],
)  # fmt: skip
def test_the_status_column(status: dict[str, Any], word: str) -> None:
    assert status_word(_with_status(**status), 0) == word


def test_terminating_ready_and_restarts() -> None:
    pod = _with_status(
        phase="Running",
        containerStatuses=[
            {
                "ready": True,
                "restartCount": 2,
                "state": {"running": {}},
                "lastState": {"terminated": {"finishedAt": "1970-01-01T00:00:10Z"}},
            }
        ],
    )
    assert ready(pod, 0) == "1/1" and restarts(pod, 70 * 10**9) == "2 (60s ago)"
    pod["metadata"]["deletionTimestamp"] = "1970-01-01T00:00:00Z"
    assert status_word(pod, 0) == "Terminating"


def test_a_volume_that_does_not_say_what_it_is_is_an_empty_folder() -> None:
    pod = _pod(volumes=[{"name": "v"}])
    POD.default(pod)
    assert pod["spec"]["volumes"] == [{"name": "v", "emptyDir": {}}]
