"""What is carried over from a pod's former state equals reading it anew, whatever changed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mizzen.scheduler.core.views import moved_on, pod_view

CLASSES = {"high": (1000, False, "Never"), "low": (1, True, "")}
METADATA: dict[str, list[Any]] = {
    "resourceVersion": ["1", "2"],
    "uid": ["a", "b"],
    "labels": [None, {}, {"app": "x"}, {"batch.kubernetes.io/job-completion-index": "3"}],
    "annotations": [None, {"mizzen.dev/step": "7"}, {"mizzen.dev/cause": "because"}],
    "ownerReferences": [None, [{"kind": "TrainJob", "name": "t", "controller": True}]],
    "creationTimestamp": [None, "2030-01-01T00:00:00Z"],
    "deletionTimestamp": [None, "2030-01-02T00:00:00Z"],
    "managedFields": [None, [{"manager": "m"}]],
}
SPEC: dict[str, list[Any]] = {
    "nodeName": [None, "", "n1", "n2"],
    "priority": [None, 5],
    "preemptionPolicy": [None, "Never", "PreemptLowerPriority"],
    "priorityClassName": [None, "high", "low"],
    "schedulingGates": [None, [{"name": "g"}]],
    "nodeSelector": [None, {"zone": "a"}],
    "tolerations": [None, [{"key": "k", "operator": "Exists"}]],
    "schedulingGroup": [None, {"podGroupName": "g"}],
    "resourceClaims": [None, [{"name": "gpu", "resourceClaimTemplateName": "t"}]],
    "containers": [
        [{"name": "c"}],
        [{"name": "c", "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}}}],
    ],
}
FALSE = {"type": "PodScheduled", "status": "False", "message": "no room"}
TRUE = {"type": "PodScheduled", "status": "True"}
STATUS: dict[str, list[Any]] = {
    "phase": [None, "Pending", "Running", "Succeeded"],
    "startTime": [None, "2030-01-01T00:00:05Z"],
    "nominatedNodeName": [None, "n2"],
    "conditions": [None, [FALSE], [TRUE]],
    "resourceClaimStatuses": [None, [{"name": "gpu", "resourceClaimName": "c-1"}]],
    "extendedResourceClaimStatus": [None, {"resourceClaimName": "e"}],
}


def _parts(fields: dict[str, list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    drawn = st.fixed_dictionaries({name: st.sampled_from(some) for name, some in fields.items()})
    return drawn.map(lambda found: {name: v for name, v in found.items() if v is not None})


PARTS = {"metadata": METADATA, "spec": SPEC, "status": STATUS}
PODS = st.fixed_dictionaries({name: _parts(fields) for name, fields in PARTS.items()}).map(
    lambda pod: {**pod, "metadata": {"name": "p-0", "namespace": "d", **pod["metadata"]}}
)


@st.composite
def changes(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A pod before and after up to four of its fields changed."""
    before = draw(PODS)
    after = {name: dict(part) for name, part in before.items()}
    for _ in range(draw(st.integers(0, 4))):
        where = draw(st.sampled_from(list(PARTS)))
        field = draw(st.sampled_from(list(PARTS[where])))
        value = draw(st.sampled_from(PARTS[where][field]))
        after[where].pop(field, None)
        if value is not None:
            after[where][field] = value
    return before, after


@given(changes())
def test_what_is_carried_over_is_what_would_be_read(
    change: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    before, after = change
    found = moved_on(pod_view(before, CLASSES), before, after)
    assert found is None or found == pod_view(after, CLASSES)


def test_a_binding_carries_over() -> None:
    before = {
        "metadata": {"name": "p", "namespace": "d", "uid": "u", "resourceVersion": "1"},
        "spec": {"containers": [], "priority": 0, "preemptionPolicy": "PreemptLowerPriority"},
        "status": {"phase": "Pending"},
    }
    after = {
        "metadata": {**before["metadata"], "resourceVersion": "2", "generation": 1},
        "spec": {**before["spec"], "nodeName": "n1"},
        "status": {"phase": "Pending", "conditions": [TRUE]},
    }
    found = moved_on(pod_view(before, {}), before, after)
    assert found is not None
    assert (found.node, found.resource_version) == ("n1", "2")
