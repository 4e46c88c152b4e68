"""Workload and PodGroup of scheduling.k8s.io/v1alpha2."""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.kinds.scheduling import pod_group, workload


def a_workload(policy: Obj) -> Obj:
    template = {"name": "workers", "schedulingPolicy": policy}
    return {
        "apiVersion": "scheduling.k8s.io/v1alpha2",
        "kind": "Workload",
        "metadata": {"name": "w", "namespace": "default"},
        "spec": {
            "controllerRef": {"apiGroup": "batch", "kind": "Job", "name": "j"},
            "podGroupTemplates": [template],
        },
    }


def fields(new: Obj, old: Obj | None = None) -> list[str]:
    decoded = workload.KIND.decode(new)
    assert not decoded.causes
    return [cause.field for cause in workload.KIND.check(new, old)]


def test_a_template_has_exactly_one_policy() -> None:
    assert fields(a_workload({"gang": {"minCount": 2}})) == []
    assert fields(a_workload({"basic": {}})) == []
    both = a_workload({"basic": {}, "gang": {"minCount": 2}})
    assert fields(both) == ["spec.podGroupTemplates[0].schedulingPolicy"]


def test_the_templates_cannot_change() -> None:
    old = a_workload({"gang": {"minCount": 2}})
    assert fields(a_workload({"gang": {"minCount": 3}}), old) == ["spec.podGroupTemplates"]


def test_a_template_has_all_fields_of_the_group_made_from_it() -> None:
    templates = workload.SPEC.fields["podGroupTemplates"].items
    assert templates is not None
    ours = set(templates.fields) - {"name"}
    assert ours == set(pod_group.SPEC.fields) - {"podGroupTemplateRef"}
