"""Pods that name their node themselves are taken or refused as a kubelet does it."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.objects import Obj
from mizzen.node.core.admission import refusal

NODE: Obj = {
    "metadata": {"name": "n", "labels": {"zone": "a", "cores": "8", "empty": ""}},
    "status": {"allocatable": {"cpu": "1500m", "memory": "4Gi", "pods": "3"}},
}


def pod(requests: dict[str, str] | None = None, **spec: Any) -> Obj:
    container = {"name": "main", "resources": {"requests": requests or {}}}
    return {"metadata": {"name": "p"}, "spec": {"containers": [container], **spec}}


def affinity(*expressions: Obj, kind: str = "matchExpressions") -> Obj:
    terms = {"nodeSelectorTerms": [{kind: list(expressions)}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


@pytest.mark.parametrize(
    ("one", "others", "reason"),
    [
        (pod(), [], None),
        (pod({"cpu": "1500m"}), [], None),
        (pod({"cpu": "100"}), [], "OutOfcpu"),
        (pod({"cpu": "1"}), [pod({"cpu": "501m"})], "OutOfcpu"),
        (pod({"cpu": "1"}), [pod({"cpu": "9"}, resourceClaims=[{"name": "c", "resourceClaimName": "x"}])], None),
        (pod({"memory": "5Gi"}), [], "OutOfmemory"),
        (pod({"example.com/gpu": "1"}), [], "OutOfexample.com/gpu"),
        (pod(), [pod(), pod(), pod()], "OutOfpods"),
        (pod(nodeSelector={"zone": "a", "empty": ""}), [], None),
        (pod(nodeSelector={"zone": "b"}), [], "NodeAffinity"),
        (pod(affinity=affinity({"key": "cores", "operator": "Gt", "values": ["4"]})), [], None),
        (pod(affinity=affinity({"key": "cores", "operator": "Lt", "values": ["4"]})), [], "NodeAffinity"),
        (pod(affinity=affinity({"key": "gone", "operator": "NotIn", "values": ["x"]})), [], None),
        (pod(affinity=affinity({"key": "gone", "operator": "Exists"})), [], "NodeAffinity"),
        (pod(affinity=affinity()), [], "NodeAffinity"),
        (
            pod(affinity=affinity({"key": "metadata.name", "operator": "In", "values": ["n"]}, kind="matchFields")),
            [], None,
        ),
    ],
)  # fmt: skip
def test_who_is_taken(one: Obj, others: list[Obj], reason: str | None) -> None:
    refused = refusal(one, NODE, others)
    assert (refused[0] if refused else None) == reason
