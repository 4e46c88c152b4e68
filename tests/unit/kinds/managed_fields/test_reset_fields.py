"""Which fields a write resets, by kind and part."""

from __future__ import annotations

from mizzen.base.resources import Resource
from mizzen.kinds.managed_fields.reset_fields import reset_fields


def _reset(group: str, kind: str, part: str, *, is_custom: bool = False) -> dict[str, object]:
    resource = Resource(group, "v1", f"{kind.lower()}s", kind)
    return reset_fields(resource, part, has_status=True, is_custom=is_custom)


def test_a_write_of_the_object_resets_its_status_and_one_of_the_status_the_rest() -> None:
    assert _reset("batch", "Job", "") == {"f:status": {}}
    assert _reset("batch", "Job", "status") == {"f:spec": {}}
    assert _reset("batch", "Job", "scale") == {}


def test_some_kinds_and_all_custom_ones_keep_their_metadata() -> None:
    both = {"f:spec": {}, "f:metadata": {}}
    assert _reset("resource.k8s.io", "ResourceClaim", "status") == both
    assert _reset("example.dev", "Gadget", "status", is_custom=True) == both


def test_a_status_of_deployments_keeps_labels_alone() -> None:
    assert _reset("apps", "Deployment", "status")["f:metadata"] == {"f:labels": {}}
