"""Labels name a standard; standards have versions."""

from __future__ import annotations

from mizzen.apiserver.core.pod_security import (
    PREFIX,
    LevelVersion,
    detail,
    existing_pods_warnings,
    policy_of,
    prioritized,
)
from mizzen.base.objects import Obj


def labels(**said: str) -> dict[str, str]:
    return {PREFIX + key.replace("_", "-"): value for key, value in said.items()}


def pod(name: str, owner: str = "", **spec: object) -> Obj:
    owners = [{"uid": owner, "controller": True}] if owner else []
    metadata = {"name": name, "ownerReferences": owners}
    return {"metadata": metadata, "spec": {"containers": [{"name": "c", "image": "i"}], **spec}}


def test_who_enforces_more_than_he_warns_of_is_warned_of_it() -> None:
    policy, causes = policy_of(labels(enforce="baseline", enforce_version="v1.20"))
    assert causes == []
    assert [str(each) for each in policy] == [
        "baseline:v1.20", "privileged:latest", "baseline:v1.20",
    ]  # fmt: skip
    policy, _ = policy_of(labels(enforce="restricted", warn="baseline", warn_version="v1.3"))
    assert str(policy.warn) == "baseline:v1.3"


def test_labels_that_cannot_be_read_enforce_most_and_warn_of_nothing() -> None:
    policy, causes = policy_of(labels(enforce="strict", warn="x", audit_version="1.2"))
    assert [str(each) for each in policy] == [
        "restricted:latest", "privileged:latest", "privileged:latest",
    ]  # fmt: skip
    assert causes[0].field == "metadata.labels[pod-security.kubernetes.io/enforce]"
    assert causes[0].message == (
        'Invalid value: "strict": must be one of privileged, baseline, restricted'
    )
    assert causes[1].message == 'Invalid value: "1.2": must be "latest" or "v1.x"'
    assert len(causes) == 3


def test_checks_come_with_versions() -> None:
    spec = pod("p", securityContext={"sysctls": [{"name": "net.ipv4.tcp_rmem", "value": "1"}]})
    old, new = LevelVersion("baseline", 31), LevelVersion("baseline")
    assert detail(old.violations({}, spec["spec"])) == "forbidden sysctls (net.ipv4.tcp_rmem)"
    assert new.violations({}, spec["spec"]) == []


def test_restricted_stands_in_place_of_baselines_weaker_checks() -> None:
    spec = pod("p", volumes=[{"name": "v", "hostPath": {"path": "/"}}])["spec"]
    found = LevelVersion("restricted").violations({}, spec)
    assert [each.reason for each in found] == [
        "allowPrivilegeEscalation != false", "unrestricted capabilities",
        "restricted volume types", "runAsNonRoot != true", "seccompProfile",
    ]  # fmt: skip


def test_of_a_controllers_pods_one_is_looked_at_before_others() -> None:
    pods = [pod("a", "x"), pod("b", "x"), pod("c"), pod("d", "y")]
    assert [each["metadata"]["name"] for each in prioritized(pods)] == ["a", "c", "d", "b"]


def test_existing_pods_are_told_by_what_is_wrong_with_them() -> None:
    pods = [pod("c", hostPID=True), pod("b", hostPID=True), pod("a", hostIPC=True), pod("d")]
    told = existing_pods_warnings("n", LevelVersion("baseline", 30), pods, 9)
    assert told == [
        "new PodSecurity enforce level only checked against the first 4 of 9 existing pods",
        'existing pods in namespace "n" violate the new PodSecurity enforce level "baseline:v1.30"',
        "a (and 2 other pods): host namespaces",
    ]
