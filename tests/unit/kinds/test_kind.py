"""What holds for every kind, and the strategies of writes."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base import resources
from mizzen.base.resources import Resource
from mizzen.kinds.kind import Kind
from mizzen.kinds.registry import builtin_kinds, converted_kinds, virtual_kinds

KINDS = builtin_kinds()
POD = KINDS[("", "pods")]


def _pod(**spec: Any) -> dict[str, Any]:
    containers = [{"name": "a", "image": "x"}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": containers, **spec},
    }


def _complete(kind: Kind, body: dict[str, Any]) -> dict[str, Any]:
    decoded = kind.decode(body)
    assert not decoded.causes, decoded.causes
    kind.prepare_create(decoded.object)
    kind.default(decoded.object)
    return decoded.object


def test_every_resource_that_components_name_has_its_kind() -> None:
    known = {v for v in vars(resources).values() if isinstance(v, Resource)}
    kinds = (*KINDS.values(), *virtual_kinds().values(), *converted_kinds())
    assert known <= {kind.resource for kind in kinds}


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.resource.plural)
def test_every_kind_shows_a_bare_object(kind: Kind) -> None:
    fields = kind.schema.fields
    assert {"apiVersion", "kind", "metadata"} <= set(fields)
    assert kind.columns[0].name in ("Name", "Last Seen")
    assert all(c.description or c.name for c in kind.columns)
    for path in kind.selectable_fields:
        assert isinstance(kind.field({"metadata": {"name": "x"}}, path), str)


def test_short_names_are_unique() -> None:
    words: list[str] = []
    for kind in KINDS.values():
        # Endpoints are called the same in both numbers.
        words += {*kind.short_names, kind.resource.plural, kind.singular_name}
    assert len(words) == len(set(words))


def test_creating_clears_the_status_and_starts_the_generation() -> None:
    body = {**_pod(), "status": {"phase": "Running"}}
    body["metadata"]["generation"] = 9
    pod = _complete(POD, body)
    assert pod["status"] == {"phase": "Pending"}
    assert pod["metadata"]["generation"] == 1
    POD.stamp(pod, None, "2026-01-31T12:00:00Z")
    assert pod["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


def test_an_update_keeps_the_status_and_counts_changes_of_the_wish() -> None:
    old = _complete(POD, _pod())
    old["status"]["phase"] = "Running"
    same = POD.decode({**_pod(), "status": {"phase": "Failed"}}).object
    POD.prepare_update(same, old)
    assert same["status"]["phase"] == "Running" and same["metadata"]["generation"] == 1
    changed = POD.decode(_pod(activeDeadlineSeconds=5)).object
    POD.prepare_update(changed, old)
    assert changed["metadata"]["generation"] == 2


def test_a_status_update_keeps_the_wish() -> None:
    old = _complete(POD, _pod())
    new = POD.decode({**_pod(hostname="other"), "status": {"phase": "Running"}}).object
    POD.prepare_status(new, old)
    assert "hostname" not in new["spec"] and new["status"] == {"phase": "Running"}
    assert new["metadata"]["generation"] == 1 and POD.check_status(new, old) == []


def test_defaults_may_be_repeated() -> None:
    pod = _complete(POD, _pod())
    again = POD.decode(pod).object
    POD.default(again)
    assert again == pod


def test_field_selectors_see_zero_values() -> None:
    node = KINDS[("", "nodes")]
    assert node.field({"metadata": {}}, "spec.unschedulable") == "false"
    assert node.field({"spec": {"unschedulable": True}}, "spec.unschedulable") == "true"
    assert POD.field({}, "spec.nodeName") == ""
    job = KINDS[("batch", "jobs")]
    assert job.field({}, "status.successful") == "0"
    assert job.field({"status": {"succeeded": 2}}, "status.successful") == "2"
    event = KINDS[("", "events")]
    assert event.field({"source": {"component": "c"}}, "source") == "c"


def test_selectable() -> None:
    assert POD.is_selectable("metadata.name") and POD.is_selectable("metadata.namespace")
    assert POD.is_selectable("status.phase") and not POD.is_selectable("spec.containers")
    assert not KINDS[("", "nodes")].is_selectable("metadata.namespace")


def _checked(kind: Kind, body: dict[str, Any]) -> set[str]:
    """All that is told of a new object; the types are right."""
    decoded = kind.decode(body)
    assert decoded.mistyped is None
    new = decoded.object
    kind.prepare_create(new)
    kind.default(new)
    return {f"{c.field}: {c.message}" for c in kind.check(new, None, decoded.causes)}


def test_what_is_missing_hides_nothing_else() -> None:
    body = _pod(dnsPolicy="Nowhere", containers=[{"image": "x", "ports": [{"containerPort": 0}]}])
    body["metadata"]["labels"] = {"bad key!": ""}
    told = _checked(POD, body)
    assert "spec.containers[0].name: Required value" in told
    assert any(each.startswith("metadata.labels: ") for each in told)
    assert any(each.startswith("spec.dnsPolicy: ") for each in told)


def test_a_missing_struct_is_an_empty_one_and_a_missing_pointer_is_null() -> None:
    kind = KINDS[("apps", "deployments")]
    decoded = kind.decode({"metadata": {"name": "d"}, "spec": {}})
    assert "selector" not in decoded.object["spec"]
    told = _checked(kind, {"metadata": {"name": "d"}, "spec": {}})
    assert "spec.selector: Required value" in told
    assert not any(each.startswith("spec.template: ") for each in told)


_TYPED = [each for each in KINDS.values() if each.schema.name.startswith("io.k8s.")]


@pytest.mark.parametrize("kind", _TYPED, ids=lambda kind: kind.resource.plural)
def test_validators_take_what_lacks_everything(kind: Kind) -> None:
    """No part of a body is beside a validator's expectations for being left out or empty."""
    resource = kind.resource
    head = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "a"}}
    for body in ({}, *_sparse(kind.schema.fields, 4)):
        _checked(kind, {**body, **head})


def _sparse(fields: Any, depth: int) -> Any:
    """Bodies that go down to one place each, which is empty, past nothing that is required."""
    for name, field in fields.items():
        schema = field.resolve()
        if name in ("apiVersion", "kind", "metadata", "status") or depth == 0:
            continue
        if schema.type == "object" and schema.fields:
            yield {name: {}}
            for each in _sparse(schema.fields, depth - 1):
                yield {name: each}
        elif schema.type == "array" and schema.items is not None:
            inner = schema.items.resolve()
            if inner.type == "object" and inner.fields:
                yield {name: [{}]}
                for each in _sparse(inner.fields, depth - 1):
                    yield {name: [each]}
