"""Defaults and bounds of LimitRanges, in upstream's words."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.apiserver.core.limit_ranges import (
    ANNOTATION,
    claim_problems,
    pod_problems,
    set_defaults,
)

Obj = dict[str, Any]


def limit_range(kind: str = "Container", **limit: Obj) -> Obj:
    return {"metadata": {"name": "limits"}, "spec": {"limits": [{"type": kind, **limit}]}}


def pod(*containers: Obj, **spec: Any) -> Obj:
    named = [{"name": f"c{index}", **each} for index, each in enumerate(containers)]
    return {"metadata": {"name": "p"}, "spec": {"containers": named, **spec}}


def taking(requests: Obj | None = None, limits: Obj | None = None) -> Obj:
    said = {"requests": requests, "limits": limits}
    return {"resources": {kind: amounts for kind, amounts in said.items() if amounts}}


def test_containers_get_what_they_lack_and_an_annotation_says_so() -> None:
    limits = limit_range(
        default={"cpu": "500m", "memory": "1Gi"}, defaultRequest={"cpu": "100m", "memory": "1Mi"}
    )
    made = pod({}, taking({"cpu": "50m"}), initContainers=[{"name": "i"}])
    set_defaults(limits, made)
    first, second = made["spec"]["containers"]
    assert first["resources"] == {
        "requests": {"cpu": "100m", "memory": "1Mi"},
        "limits": {"cpu": "500m", "memory": "1Gi"},
    }
    assert second["resources"]["requests"] == {"cpu": "50m", "memory": "1Mi"}
    assert made["metadata"]["annotations"][ANNOTATION] == (
        "LimitRanger plugin set: cpu, memory request for container c0; cpu, memory limit for "
        "container c0; memory request for container c1; cpu, memory limit for container c1; "
        "cpu, memory request for init container i; cpu, memory limit for init container i"
    )


def test_a_limit_of_its_own_stands_for_the_request_that_a_container_lacks() -> None:
    made = pod(taking(limits={"cpu": "2"}))
    set_defaults(limit_range(defaultRequest={"cpu": "100m"}), made)
    assert made["spec"]["containers"][0]["resources"].get("requests", {}) == {}
    assert "annotations" not in made["metadata"]


@pytest.mark.parametrize(
    ("limits", "container", "problem"),
    [
        (
            {"min": {"cpu": "100m"}}, {},
            "minimum cpu usage per Container is 100m.  No request is specified",
        ),
        (
            {"min": {"cpu": "100m"}}, taking({"cpu": "50m"}),
            "minimum cpu usage per Container is 100m, but request is 50m",
        ),
        (
            {"min": {"cpu": "100m"}}, taking({"cpu": "1"}, {"cpu": "50m"}),
            "minimum cpu usage per Container is 100m, but limit is 50m",
        ),
        (
            {"max": {"memory": "1Gi"}}, {},
            "maximum memory usage per Container is 1Gi.  No limit is specified",
        ),
        (
            {"max": {"memory": "1Gi"}}, taking({}, {"memory": "2Gi"}),
            "maximum memory usage per Container is 1Gi, but limit is 2Gi",
        ),
        (
            {"max": {"memory": "1Gi"}}, taking({"memory": "2Gi"}, {"memory": "1Gi"}),
            "maximum memory usage per Container is 1Gi, but request is 2Gi",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}}, taking({"cpu": "100m"}, {"cpu": "250m"}),
            "cpu max limit to request ratio per Container is 2, but provided ratio is 2.500000",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}}, taking({}, {"cpu": "250m"}),
            "cpu max limit to request ratio per Container is 2, but no request is specified or "
            "request is 0",
        ),
        ({"min": {"cpu": "100m"}, "max": {"cpu": "1"}}, taking({"cpu": "0.1"}, {"cpu": "1"}), ""),
    ],
)  # fmt: skip
def test_a_container_out_of_bounds_is_told(limits: Obj, container: Obj, problem: str) -> None:
    found = pod_problems(limit_range(**limits), pod(container))
    assert found == ([problem] if problem else [])


def test_a_pod_is_all_its_containers_or_its_largest_init_container() -> None:
    limits = limit_range("Pod", max={"memory": "1Gi"})
    two = pod(taking({}, {"memory": "600Mi"}), taking({}, {"memory": "600Mi"}))
    assert pod_problems(limits, two) == ["maximum memory usage per Pod is 1Gi, but limit is 1200Mi"]
    init = pod(taking({}, {"memory": "1Mi"}),
               initContainers=[{"name": "i", **taking({}, {"memory": "2Gi"})}])  # fmt: skip
    assert pod_problems(limits, init) == ["maximum memory usage per Pod is 1Gi, but limit is 2Gi"]


def test_a_volume_claim_is_held_to_its_request() -> None:
    limits = limit_range("PersistentVolumeClaim", min={"storage": "1Gi"}, max={"storage": "2Gi"})

    def claim(storage: str) -> Obj:
        return {"spec": {"resources": {"requests": {"storage": storage}}}}

    assert claim_problems(limits, claim("1Gi")) == []
    assert claim_problems(limits, claim("3Gi")) == [
        "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"
    ]
    assert claim_problems(limits, claim("1Mi")) == [
        "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi"
    ]
