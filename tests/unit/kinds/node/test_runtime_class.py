"""RuntimeClass of node.k8s.io/v1."""

from __future__ import annotations

from mizzen.base.objects import Obj
from mizzen.kinds.node.runtime_class import KIND


def a_class(**fields: object) -> Obj:
    head = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "strict"}}
    return {**head, "handler": "other", **fields}


def causes(new: Obj, old: Obj | None = None) -> list[tuple[str, str]]:
    decoded = KIND.decode(new)
    assert not decoded.causes
    return [(cause.field, cause.message) for cause in KIND.check(decoded.object, old)]


def test_a_handler_is_a_label_and_stays() -> None:
    assert causes(a_class()) == []
    ((field, _),) = causes(a_class(handler="No_Label"))
    assert field == "handler"
    ((field, message),) = causes(a_class(handler="third"), a_class())
    assert field == "handler" and "field is immutable" in message
    without = {k: v for k, v in a_class().items() if k != "handler"}
    assert [cause.field for cause in KIND.decode(without).causes] == ["handler"]


def test_overhead_and_scheduling_are_checked_as_a_pods() -> None:
    scheduling = {
        "nodeSelector": {"a b": "c"},
        "tolerations": [{"key": "k", "operator": "Exists", "value": "v"}],
    }
    overhead = {"podFixed": {"cpu": "-1"}}
    fields = [field for field, _ in causes(a_class(overhead=overhead, scheduling=scheduling))]
    assert fields == [
        "overhead.podFixed[cpu]", "scheduling.nodeSelector", "scheduling.tolerations[0].operator",
    ]  # fmt: skip
