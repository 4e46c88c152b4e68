"""PodGroup of scheduling.k8s.io/v1alpha2, and our annotations on it."""

from __future__ import annotations

from typing import Any

from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.conventions import pod_group
from mizzen.scheduler.core.conventions.gang import Refused, Subgroup
from mizzen.scheduler.core.conventions.membership import membership
from mizzen.scheduler.core.conventions.topology import Slice, TopologyRequest
from support.manifests import manifest


def group(annotations: dict[str, str] | None = None, **spec: Any) -> Obj:
    return {
        "apiVersion": "scheduling.k8s.io/v1alpha2",
        "kind": "PodGroup",
        "metadata": {"name": "train", "namespace": "ml", "annotations": annotations or {}},
        "spec": {"schedulingPolicy": {"gang": {"minCount": 4}}, **spec},
    }


def test_a_pod_names_its_group() -> None:
    pod = manifest("""
        apiVersion: v1
        kind: Pod
        metadata:
          name: train-3
          namespace: ml
          annotations: {batch.kubernetes.io/job-completion-index: "3", mizzen.dev/subgroup: workers}
        spec:
          schedulingGroup: {podGroupName: train}
          containers: []
    """)
    found = membership(pod)
    assert found.gang == Key("ml", "train")
    assert (found.subgroup, found.order, found.needs_owner) == ("workers", (3,), True)


def test_the_way_of_1_35_is_refused() -> None:
    pod = manifest("""
        metadata: {name: a, namespace: ml}
        spec: {workloadRef: {name: w, podGroup: g}, containers: []}
    """)
    found = membership(pod)
    assert found.gang is None and found.refused is not None
    assert found.refused.word == "WorkloadRefNotSupported"
    assert "spec.schedulingGroup.podGroupName" in found.refused.sentence


def test_all_fields_of_the_spec() -> None:
    gang = pod_group.gang(
        group(
            schedulingConstraints={"topology": [{"key": "topology.kubernetes.io/rack"}]},
            disruptionMode="PodGroup",
            priorityClassName="urgent",
        ),
        {"urgent": 700},
    )
    assert (gang.key, gang.min_count) == (Key("ml", "train"), 4)
    assert gang.topology == TopologyRequest(required="topology.kubernetes.io/rack")
    assert (gang.disruption, gang.priority, gang.refused) == ("PodGroup", 700, None)


def test_basic_policy_starts_nothing_together() -> None:
    gang = pod_group.gang({**group(), "spec": {"schedulingPolicy": {"basic": {}}}})
    assert (gang.min_count, gang.disruption, gang.priority) == (0, "Pod", None)


def test_priority_in_the_spec_goes_before_its_class() -> None:
    assert (
        pod_group.gang(group(priority=3, priorityClassName="urgent"), {"urgent": 7}).priority == 3
    )


def test_annotations_add_what_upstream_lacks() -> None:
    gang = pod_group.gang(
        group(
            {
                "mizzen.dev/topology-preferred": "kubernetes.io/hostname",
                "mizzen.dev/topology-slices": "block=8, rack=4",
                "mizzen.dev/max-count": "16",
                "mizzen.dev/subgroups": '[{"name": "leader", "minCount": 1},'
                ' {"name": "workers", "minCount": 3, "count": 4, "required": "rack"}]',
            },
            schedulingConstraints={"topology": [{"key": "zone"}]},
        )
    )
    assert gang.refused is None and gang.max_count == 16
    assert gang.topology == TopologyRequest(
        "zone", "kubernetes.io/hostname", 8, "block", inner=(Slice(4, "rack"),)
    )
    assert gang.subgroups == (
        Subgroup("leader", 1),
        Subgroup("workers", 3, 4, TopologyRequest(required="rack")),
    )


def test_a_domain_of_ones_own_is_required_too() -> None:
    asked = pod_group.annotated({"mizzen.dev/topology-exclusive": "rack"})
    assert asked == TopologyRequest(required="rack", exclusive="rack")


def refusal(annotations: dict[str, str], **spec: Any) -> Refused:
    found = pod_group.gang(group(annotations, **spec)).refused
    assert found is not None
    return found


def test_what_cannot_be_read_is_refused_with_its_name() -> None:
    assert refusal({"mizzen.dev/max-count": "many"}).word == "InvalidCount"
    assert refusal({"mizzen.dev/topology-slices": "rack"}).word == "InvalidTopologyRequest"
    assert refusal({"mizzen.dev/topology-slices": "rack=0"}).word == "InvalidTopologyRequest"
    assert refusal({"mizzen.dev/subgroups": "{"}).word == "InvalidTopologyRequest"
    assert refusal({"mizzen.dev/subgroups": '[{"minCount": 1}]'}).word == "InvalidSubgroups"
    assert "mizzen.dev/max-count" in refusal({"mizzen.dev/max-count": "many"}).sentence


def test_annotation_and_constraint_must_agree() -> None:
    constraint = {"topology": [{"key": "rack"}]}
    refused = refusal({"mizzen.dev/topology-required": "zone"}, schedulingConstraints=constraint)
    assert refused.word == "TopologyConflict"
    same = group({"mizzen.dev/topology-required": "rack"}, schedulingConstraints=constraint)
    assert pod_group.gang(same).refused is None
