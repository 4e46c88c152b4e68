"""Who goes first. The facts are those of upstream's TestSortingActivePodsWithRanks."""

import pytest

from mizzen.base.clock import rfc3339
from mizzen.base.objects import Key
from mizzen.controllers.core.replicas import (
    DELETION_COST,
    first_to_go,
    next_available_s,
    read_replica,
)
from support.controlled import SECOND, START


def pod(
    *,
    node="n",
    phase="Running",
    ready_s=None,
    created_s=3600,
    restarts=0,
    sidecar=0,
    cost=None,
    deleted=False,
):
    """A pod; ages in seconds before START, `ready_s` None: it is not ready."""
    metadata = {"creationTimestamp": rfc3339(START - created_s * SECOND), "labels": {"a": "b"}}
    if cost is not None:
        metadata["annotations"] = {DELETION_COST: cost}
    if deleted:
        metadata["deletionTimestamp"] = rfc3339(START)
    status = {"phase": phase, "containerStatuses": [{"name": "c", "restartCount": restarts}]}
    status["initContainerStatuses"] = [{"name": "s", "restartCount": sidecar}]
    if ready_s is not None:
        since = rfc3339(START - ready_s * SECOND)
        status["conditions"] = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    sidecars = [{"name": "s", "restartPolicy": "Always"}]
    spec = {"nodeName": node, "initContainers": sidecars}
    return read_replica({"metadata": metadata, "spec": spec, "status": status})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"node": ""}, {"node": "n", "phase": "Pending"}),
        ({"phase": "Pending"}, {"phase": "Unknown"}),
        ({"phase": "Unknown"}, {"phase": "Running"}),
        ({}, {"ready_s": 5}),
        ({"ready_s": 3000, "cost": "-5"}, {"ready_s": 10}),
        ({"ready_s": 3000, "cost": "0"}, {"ready_s": 10, "cost": "10"}),
        ({"ready_s": 10}, {"ready_s": 1000}),
        ({"ready_s": 1000, "restarts": 8}, {"ready_s": 1000, "restarts": 7}),
        ({"ready_s": 1000, "sidecar": 2}, {"ready_s": 1000, "sidecar": 1}),
        ({"ready_s": 1000, "created_s": 2000}, {"ready_s": 1000, "created_s": 90_000}),
    ],
)
def test_the_first_of_two_goes(first, second):
    pods = {Key("", "b"): pod(**second), Key("", "a"): pod(**first)}
    assert first_to_go(pods, 1, {}, START) == [Key("", "a")]
    pods = {Key("", "a"): pod(**second), Key("", "b"): pod(**first)}
    assert first_to_go(pods, 1, {}, START) == [Key("", "b")]


def test_of_two_beside_others_the_one_with_more_goes():
    pods = {Key("", "a"): pod(node="few", ready_s=9), Key("", "b"): pod(node="many", ready_s=9)}
    assert first_to_go(pods, 1, {"few": 1, "many": 3}, START) == [Key("", "b")]


def test_ages_count_by_their_magnitude():
    """A pod ready for ten and one for eleven minutes are equal: the names decide."""
    pods = {Key("", "a"): pod(ready_s=660), Key("", "b"): pod(ready_s=600)}
    assert first_to_go(pods, 1, {}, START) == [Key("", "a")]


@pytest.mark.parametrize("cost", ["", "+1", "01", "1.5", "99999999999", "2147483648", "-0", "x"])
def test_a_cost_that_is_no_number_counts_as_none(cost):
    assert pod(cost=cost).cost == 0


def test_the_lowest_cost_there_is():
    assert pod(cost="-2147483648").cost == -(2**31)


def test_available_once_ready_for_so_long():
    fresh = pod(ready_s=5)
    assert fresh.is_available(0, START) and not fresh.is_available(6, START)
    assert fresh.is_available(5, START)
    assert not pod().is_available(0, START)
    assert next_available_s([fresh, pod(ready_s=2), pod()], 6, START) == 1.0
    assert next_available_s([fresh], 5, START) is None
    assert next_available_s([fresh], 0, START) is None


def test_active():
    assert pod().is_active and pod(phase="Pending").is_active
    assert not pod(phase="Failed").is_active and not pod(deleted=True).is_active


def test_the_node_that_a_pod_waits_for():
    field = {"key": "metadata.name", "operator": "In", "values": ["n7"]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    waits = {"metadata": {"name": "p"}, "spec": {"affinity": affinity}}
    assert (read_replica(waits).node, read_replica(waits).target) == ("", "n7")
    bound = {"metadata": {"name": "p"}, "spec": {"affinity": affinity, "nodeName": "n1"}}
    assert read_replica(bound).node == "n1"
