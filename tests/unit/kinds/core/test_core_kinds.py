"""The other core kinds, by what they default and refuse."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from mizzen.kinds.registry import builtin_kinds

KINDS = builtin_kinds()


def complete(plural: str, body: dict[str, Any], group: str = "") -> dict[str, Any]:
    kind = KINDS[(group, plural)]
    head = {
        "apiVersion": kind.resource.api_version,
        "kind": kind.resource.kind,
        "metadata": {"name": "x"},
    }
    decoded = kind.decode({**head, **copy.deepcopy(body)})
    assert not decoded.causes and not decoded.unknown, decoded
    kind.prepare_create(decoded.object)
    kind.default(decoded.object)
    kind.complete(decoded.object)
    return decoded.object


def fields(
    plural: str, body: dict[str, Any], group: str = "", old: dict[str, Any] | None = None
) -> list[str]:
    before = complete(plural, old, group) if old is not None else None
    return [c.field for c in KINDS[(group, plural)].check(complete(plural, body, group), before)]


def test_namespaces_start_active_with_their_finalizer_and_label() -> None:
    namespace = complete("namespaces", {})
    assert namespace["status"] == {"phase": "Active"} and namespace["spec"] == {
        "finalizers": ["kubernetes"]
    }
    assert namespace["metadata"]["labels"] == {"kubernetes.io/metadata.name": "x"}


def test_finalizers_of_a_namespace_are_standard_or_qualified() -> None:
    assert fields("namespaces", {"spec": {"finalizers": ["kubernetes"]}}) == []
    body = {"spec": {"finalizers": ["example.com/x", "mine", "a b"]}}
    assert fields("namespaces", body) == ["spec.finalizers[1]", "spec.finalizers[2]"]


@pytest.mark.parametrize("spec", [None, {}, {"finalizers": []}, {"finalizers": ["example.com/x"]}])
def test_no_writer_takes_the_finalizer_off_a_namespace(spec: dict[str, Any] | None) -> None:
    kind = KINDS[("", "namespaces")]
    old = complete("namespaces", {})
    new = kind.decode({**{k: old[k] for k in ("apiVersion", "kind", "metadata")},
                       **({} if spec is None else {"spec": spec})}).object  # fmt: skip
    kind.prepare_update(new, old)
    assert new["spec"] == {"finalizers": ["kubernetes"]}


def test_secrets_encode_text_and_know_their_types() -> None:
    secret = complete("secrets", {"stringData": {"a": "hi"}})
    assert (
        secret["data"] == {"a": "aGk="}
        and "stringData" not in secret
        and secret["type"] == "Opaque"
    )
    assert fields("secrets", {"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}) == [
        "data[tls.key]"
    ]
    assert fields("secrets", {"type": "b"}, old={"type": "a"}) == ["type"]


@pytest.mark.parametrize("plural", ["secrets", "configmaps"])
def test_immutable_data(plural: str) -> None:
    old = {"immutable": True, "data": {"a": "YQ=="}}
    assert fields(plural, old, old=old) == []
    assert fields(plural, {**old, "data": {"a": "Yg=="}}, old=old) == ["data"]
    assert fields(plural, {"data": {"a": "YQ=="}}, old=old) == ["immutable"]


def test_config_maps() -> None:
    assert fields("configmaps", {"data": {"a/b": "x"}}) == ["data[a/b]"]
    assert fields("configmaps", {"data": {"a": "x"}, "binaryData": {"a": "eA=="}}) == ["data[a]"]
    assert fields("configmaps", {"data": {"a": "x" * 1_100_000}}) == [""]


def test_nodes() -> None:
    taint = {"key": "k", "effect": "NoSchedule"}
    assert fields("nodes", {"spec": {"taints": [taint]}}) == []
    assert fields("nodes", {"spec": {"taints": [taint, taint]}}) == ["spec.taints[1]"]
    node = {
        **complete("nodes", {"spec": {"unschedulable": True}}),
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    cells = {c.name: c.cell(node, 0) for c in KINDS[("", "nodes")].columns}
    assert cells["Status"] == "Ready,SchedulingDisabled" and cells["Roles"] == "<none>"


def test_events_take_both_generations_of_fields() -> None:
    event = complete(
        "events",
        {
            "involvedObject": {"kind": "Pod", "name": "p"}, "eventTime": "1970-01-01T00:00:00.000000Z", "action": "Bind",
            "series": {"count": 3, "lastObservedTime": "1970-01-01T00:00:30.000000Z"}, "source": {"component": "c"},
        },
    )  # fmt: skip
    kind = KINDS[("", "events")]
    assert event["reportingComponent"] == "" and kind.field(event, "source") == "c"
    assert kind.field({"reportingComponent": "d", "source": {}}, "source") == "d"
    cells = {c.name: c.cell(event, 40 * 10**9) for c in KINDS[("", "events")].columns}
    assert cells["Last Seen"] == "10s" and cells["Object"] == "pod/p" and cells["Count"] == 3


def test_leases() -> None:
    assert fields("leases", {"spec": {"leaseDurationSeconds": 5}}, "coordination.k8s.io") == []


def test_priority_classes() -> None:
    group = "scheduling.k8s.io"
    assert fields("priorityclasses", {"value": 100}, group) == []
    assert fields("priorityclasses", {"value": 2_000_000_000}, group) == ["value"]
    assert fields("priorityclasses", {"value": 1, "metadata": {"name": "system-x"}}, group) == [
        "metadata.name"
    ]
    assert fields("priorityclasses", {"value": 2}, group, old={"value": 1}) == ["value"]


def test_pod_groups() -> None:
    group = "scheduling.k8s.io"
    gang = {"spec": {"schedulingPolicy": {"gang": {"minCount": 2}}}}
    assert fields("podgroups", gang, group) == []
    assert fields("podgroups", {"spec": {"schedulingPolicy": {}}}, group) == [
        "spec.schedulingPolicy"
    ]
    less = {"spec": {"schedulingPolicy": {"gang": {"minCount": 1}}}}
    assert fields("podgroups", less, group, old=gang) == []


def test_a_taint_that_ends_pods_says_since_when() -> None:
    kind = KINDS[("", "nodes")]
    ends = {"key": "k", "effect": "NoExecute"}
    node = complete("nodes", {"spec": {"taints": [ends, {"key": "k", "effect": "NoSchedule"}]}})
    kind.stamp(node, None, "2027-01-15T08:00:00Z")
    first, second = node["spec"]["taints"]
    assert first["timeAdded"] == "2027-01-15T08:00:00Z" and "timeAdded" not in second
    again = complete("nodes", {"spec": {"taints": [ends, {**ends, "key": "new"}]}})
    kind.stamp(again, node, "2027-01-15T09:00:00Z")
    assert [t["timeAdded"][11:13] for t in again["spec"]["taints"]] == ["08", "09"]


def test_annotations_are_bounded_by_their_bytes() -> None:
    kind = builtin_kinds()[("", "configmaps")]

    def annotated(text: str) -> list[str]:
        obj = {"metadata": {"name": "c", "annotations": {"a": text}}}
        return [cause.field for cause in kind.check(kind.decode(obj).object, None)]

    assert annotated("e" * 200_000) == []
    assert annotated("é" * 200_000) == ["metadata.annotations"]
