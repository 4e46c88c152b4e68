"""Claims that a PodGroup's pods share: made from templates, freed when the group is gone."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.objects import Key, Obj
from mizzen.base.resources import POD_GROUPS, PODS, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS
from mizzen.controllers.core import claim_release, pod_group_claims, resource_claim
from mizzen.controllers.core.view import View
from support.controlled import Cluster

TEMPLATE: Obj = {
    "metadata": {"name": "t", "namespace": "default"},
    "spec": {"metadata": {"labels": {"a": "b"}}, "spec": {"devices": {"requests": []}}},
}
SHARED = {"name": "shared", "resourceClaimTemplateName": "t"}


def group(**status: Any) -> Obj:
    return {
        "metadata": {"name": "g", "namespace": "default", "uid": "uid-g"},
        "spec": {"resourceClaims": [SHARED, {"name": "fixed", "resourceClaimName": "f"}]},
        "status": status,
    }


def pod(**entry: str) -> Obj:
    return {
        "metadata": {"name": "a", "namespace": "default", "uid": "uid-a"},
        "spec": {
            "schedulingGroup": {"podGroupName": "g"},
            "resourceClaims": [{**SHARED, **entry}],
        },
        "status": {"phase": "Pending"},
    }


def world(controller: Any, *objects: tuple[Any, Obj]) -> Cluster:
    cluster = Cluster(controller)
    for resource, obj in objects:
        cluster.add(resource, obj)
    return cluster


def test_one_claim_is_made_for_the_group() -> None:
    cluster = world(
        pod_group_claims.CONTROLLER, (POD_GROUPS, group()), (RESOURCE_CLAIM_TEMPLATES, TEMPLATE)
    )
    assert cluster.settle("g") == 1
    (claim,) = cluster.all(RESOURCE_CLAIMS)
    assert claim["metadata"]["ownerReferences"][0]["kind"] == "PodGroup"
    assert claim["metadata"]["labels"] == {"a": "b"}
    assert cluster.get(POD_GROUPS, "g")["status"]["resourceClaimStatuses"] == [
        {"name": "shared", "resourceClaimName": claim["metadata"]["name"]}
    ]


def test_a_missing_template_is_told() -> None:
    cluster = world(pod_group_claims.CONTROLLER, (POD_GROUPS, group()))
    assert cluster.settle("g") == 0
    assert "ResourceClaimTemplate" in cluster.events[0].message
    assert pod_group_claims.CONTROLLER.watches[1].keys(cluster.view(), TEMPLATE) == [
        Key("default", "g")
    ]


def test_pods_take_the_name_from_their_group() -> None:
    made = [{"name": "shared", "resourceClaimName": "made"}]
    cluster = world(
        resource_claim.CONTROLLER,
        (POD_GROUPS, group(resourceClaimStatuses=made)),
        (RESOURCE_CLAIM_TEMPLATES, TEMPLATE),
        (PODS, pod()),
    )
    assert cluster.settle("a") == 1
    assert cluster.all(RESOURCE_CLAIMS) == []
    assert cluster.get(PODS, "a")["status"]["resourceClaimStatuses"] == made
    watch = resource_claim.CONTROLLER.watches[-1]
    assert list(watch.keys(cluster.view(), group())) == [Key("default", "a")]


def test_pods_wait_until_the_groups_claim_is_made() -> None:
    objects = ((POD_GROUPS, group()), (RESOURCE_CLAIM_TEMPLATES, TEMPLATE), (PODS, pod()))
    cluster = world(resource_claim.CONTROLLER, *objects)
    assert cluster.settle("a") == 0
    assert cluster.all(RESOURCE_CLAIMS) == []


def test_an_entry_that_differs_is_the_pods_own() -> None:
    other = {**TEMPLATE, "metadata": {"name": "u", "namespace": "default"}}
    cluster = world(
        resource_claim.CONTROLLER,
        (POD_GROUPS, group()),
        (RESOURCE_CLAIM_TEMPLATES, other),
        (PODS, pod(resourceClaimTemplateName="u")),
    )
    assert cluster.settle("a") == 1
    (claim,) = cluster.all(RESOURCE_CLAIMS)
    assert claim["metadata"]["ownerReferences"][0]["kind"] == "Pod"


def claim() -> Obj:
    consumer = {
        "apiGroup": "scheduling.k8s.io", "resource": "podgroups", "name": "g", "uid": "uid-g",
    }  # fmt: skip
    return {
        "metadata": {"name": "f", "namespace": "default"},
        "spec": {},
        "status": {"allocation": {"devices": {}}, "reservedFor": [consumer]},
    }


def test_devices_are_free_when_the_group_is_gone() -> None:
    cluster = world(claim_release.CONTROLLER, (POD_GROUPS, group()), (RESOURCE_CLAIMS, claim()))
    assert cluster.settle("f") == 0
    cluster.vanish(POD_GROUPS, "g")
    assert cluster.settle("f") == 1
    assert "allocation" not in cluster.get(RESOURCE_CLAIMS, "f")["status"]


def test_another_group_of_that_name_is_not_the_one() -> None:
    again = {**group(), "metadata": {**group()["metadata"], "uid": "another"}}
    cluster = world(claim_release.CONTROLLER, (POD_GROUPS, again), (RESOURCE_CLAIMS, claim()))
    assert cluster.settle("f") == 1


@pytest.mark.parametrize("revision", [0, 1 << 40])
def test_a_group_not_seen_yet_is_not_gone(revision: int) -> None:
    named = claim()
    named["metadata"]["resourceVersion"] = "7"
    view = View.of([(RESOURCE_CLAIMS, named)], revision=0)
    view.note_revision(POD_GROUPS, revision)
    writes = claim_release.reconcile(view, Key("default", "f"), 0)
    assert any(hasattr(action, "patch") for action in writes) == (revision > 7)
    watch = claim_release.CONTROLLER.watches[-1]
    assert list(watch.keys(view, group())) == [Key("default", "f")]
