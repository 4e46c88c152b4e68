"""Kueue: pod groups, topology annotations, Topology objects."""

from __future__ import annotations

import json

import pytest

from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.conventions import kueue
from mizzen.scheduler.core.conventions.gang import Refused, Subgroup
from mizzen.scheduler.core.conventions.membership import gang_of, membership
from mizzen.scheduler.core.conventions.topology import Slice, TopologyRequest
from mizzen.scheduler.core.conventions.watched import owner_of
from support.manifests import manifest

KEY = Key("ml", "KueuePodGroup/sample")
K = "kueue.x-k8s.io"


def pod(total: str | None = "3", **annotations: str) -> Obj:
    notes = {f"{K}/{name.replace('_', '-')}": value for name, value in annotations.items()}
    if total is not None:
        notes[f"{K}/pod-group-total-count"] = total
    labels = {f"{K}/pod-group-name": "sample", f"{K}/pod-group-pod-index": "2"}
    metadata = {"name": "a", "namespace": "ml", "labels": labels, "annotations": notes}
    return {"metadata": metadata, "spec": {"containers": []}}


def test_a_pod_group_is_told_by_its_pods() -> None:
    found = membership(pod())
    assert (found.gang, found.order, found.needs_owner) == (KEY, (2,), False)
    assert owner_of(KEY) is None and found.described is not None
    gang = gang_of(KEY, None, [found.described])
    assert (gang.min_count, gang.count) == (3, 3)


def test_fast_admission_waits_for_nobody() -> None:
    described = membership(pod(pod_group_fast_admission="true")).described
    assert described is not None and described.min_count == 0


@pytest.mark.parametrize("total", [None, "0", "-1", "three"])
def test_a_group_without_its_size_is_refused(total: str | None) -> None:
    refused = membership(pod(total)).refused
    assert refused is not None and refused.word == "InvalidCount"


def test_roles_ask_for_topology_of_their_own() -> None:
    one = membership(pod(role_hash="a1", podset_required_topology="rack"))
    two = membership(pod(role_hash="b2", podset_preferred_topology="rack"))
    gang = gang_of(KEY, None, [m.described for m in (one, two) if m.described])
    assert gang.subgroups == (
        Subgroup("a1", topology=TopologyRequest("rack")),
        Subgroup("b2", topology=TopologyRequest(preferred="rack")),
    )


def test_podsets_of_one_group_share_a_domain() -> None:
    one = membership(pod(role_hash="a", podset_group_name="g", podset_required_topology="rack"))
    two = membership(pod(role_hash="b", podset_group_name="g", podset_required_topology="rack"))
    assert (one.subgroup, two.subgroup) == ("g", "g")


def asked(**annotations: str) -> TopologyRequest | Refused | None:
    return kueue.asked({f"{K}/{n.replace('_', '-')}": v for n, v in annotations.items()})


def test_what_a_podset_may_ask() -> None:
    assert asked() is None
    assert asked(podset_required_topology="block") == TopologyRequest("block")
    assert asked(podset_preferred_topology="block") == TopologyRequest(preferred="block")
    assert asked(podset_unconstrained_topology="true") is None
    assert asked(
        podset_required_topology="block",
        podset_slice_required_topology="rack",
        podset_slice_size="4",
    ) == TopologyRequest("block", "", 4, "rack")


def test_layers_of_slices() -> None:
    layers = [
        {"topology": "zone", "size": "64"},
        {"topology": "block", "size": 32},
        {"topology": "rack", "size": 16},
    ]
    found = asked(podset_slice_required_topology_constraints=json.dumps(layers))
    assert isinstance(found, TopologyRequest)
    assert found.slices == (Slice(64, "zone"), Slice(32, "block"), Slice(16, "rack"))


@pytest.mark.parametrize(
    ("annotations", "word"),
    [
        ({"podset_required_topology": "a", "podset_preferred_topology": "a"}, "TopologyConflict"),
        (
            {"podset_required_topology": "a", "podset_unconstrained_topology": "true"},
            "TopologyConflict",
        ),
        ({"podset_slice_size": "4"}, "InvalidTopologyRequest"),
        ({"podset_slice_required_topology": "rack"}, "InvalidTopologyRequest"),
        (
            {"podset_slice_required_topology": "rack", "podset_slice_size": "0"},
            "InvalidCount",
        ),
        ({"podset_slice_required_topology_constraints": "[]"}, "InvalidTopologyRequest"),
        ({"podset_slice_required_topology_constraints": "{"}, "InvalidTopologyRequest"),
        ({"podset_slice_required_topology_constraints": "[{}]"}, "InvalidTopologyRequest"),
        (
            {
                "podset_slice_required_topology_constraints": "[]",
                "podset_slice_required_topology": "rack",
            },
            "TopologyConflict",
        ),
    ],
)
def test_what_it_may_not(annotations: dict[str, str], word: str) -> None:
    found = asked(**annotations)
    assert isinstance(found, Refused) and found.word == word


def test_topology_objects_of_both_versions() -> None:
    for version in ("v1beta1", "v1beta2"):
        tree = kueue.topology(
            manifest(f"""
                apiVersion: kueue.x-k8s.io/{version}
                kind: Topology
                metadata: {{name: default}}
                spec:
                  levels:
                  - nodeLabel: cloud.provider.com/topology-block
                  - nodeLabel: cloud.provider.com/topology-rack
                  - nodeLabel: kubernetes.io/hostname
            """)
        )
        assert tree.name == "default"
        assert tree.levels[1:] == ("cloud.provider.com/topology-rack", "kubernetes.io/hostname")
