"""What the kinds that keep pods of a template have in common.

The words themselves are compared with kube-apiserver's in tests/kubernetes/test_apps_rules.py.
"""

import pytest

from mizzen.base.resources import (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
)
from mizzen.kinds.apps.workload_rules import check_share, check_status, invalid, is_zero
from support.apps_kinds import cells, changed, fields, kind_of, made, wrong

SETS = (DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS)


@pytest.mark.parametrize("resource", SETS)
def test_what_is_right_is_taken(resource):
    assert wrong(resource) == []


@pytest.mark.parametrize("resource", SETS)
def test_selectors_and_templates(resource):
    assert wrong(resource, selector={}) == ["spec.selector"]
    assert wrong(resource, labels={"app": "db"}) == ["spec.template.metadata.labels"]
    at = "spec.template.spec"
    assert wrong(resource, pod={"restartPolicy": "Never"}) == [f"{at}.restartPolicy"]
    assert f"{at}.activeDeadlineSeconds" in wrong(resource, pod={"activeDeadlineSeconds": 5})
    empty = [{"key": "app", "operator": "In", "values": []}]
    found = wrong(resource, selector={"matchExpressions": empty})
    # Of one that cannot be read most say so once more.
    again = [] if resource is DAEMON_SETS else ["spec.selector"]
    assert found == ["spec.selector.matchExpressions[0].values", *again]


@pytest.mark.parametrize("resource", (DEPLOYMENTS, REPLICA_SETS, DAEMON_SETS))
def test_what_is_selected_cannot_change(resource):
    old = made(resource, labels={"app": "web", "tier": "x"})
    new = changed(resource, old, selector={"matchLabels": {"tier": "x"}})
    assert fields(kind_of(resource).check(new, old)) == ["spec.selector"]
    assert kind_of(resource).check(changed(resource, old, minReadySeconds=1), old) == []


def test_replica_sets_and_controllers():
    assert made(REPLICA_SETS)["spec"]["replicas"] == 1
    assert made(REPLICA_SETS)["status"] == {"replicas": 0}
    assert wrong(REPLICA_SETS, replicas=-1) == ["spec.replicas"]
    plain = made(REPLICATION_CONTROLLERS, selector=None)
    assert plain["spec"]["selector"] == plain["metadata"]["labels"] == {"app": "web"}
    assert kind_of(REPLICATION_CONTROLLERS).check(plain, None) == []
    other = {"selector": {"app": "db"}}
    assert wrong(REPLICATION_CONTROLLERS, **other) == ["spec.template.metadata.labels"]
    assert cells(REPLICATION_CONTROLLERS, plain)["Selector"] == "app=web"


def test_columns_of_a_replica_set():
    shown = made(REPLICA_SETS, replicas=3)
    shown["status"] |= {"replicas": 2, "readyReplicas": 1}
    found = cells(REPLICA_SETS, shown)
    assert (found["Desired"], found["Current"], found["Ready"]) == (3, 2, 1)
    assert (found["Containers"], found["Images"], found["Selector"]) == ("c", "x", "app=web")


@pytest.mark.parametrize(
    ("value", "is_wrong"),
    [(0, False), (5, False), ("25%", False), (None, False), (-1, True), ("x", True), ("5", True)],
)
def test_a_number_or_a_percentage(value, is_wrong):
    assert bool(check_share(value, "p")) is is_wrong


def test_zero_in_every_form():
    assert [is_zero(value) for value in (0, "0%", None, "x", 1, "1%")] == [True] * 4 + [False] * 2


def test_values_are_shown_as_upstream_shows_them():
    assert invalid("p", {"a": "b"}, "no").message == 'Invalid value: {"a":"b"}: no'
    assert invalid("p", "x", "no").message == 'Invalid value: "x": no'


def test_counts_of_a_status():
    status = {"replicas": 1, "readyReplicas": 2, "availableReplicas": -1}
    found = check_status(status, ("replicas", "availableReplicas"), ("readyReplicas",))
    assert fields(found) == ["status.availableReplicas", "status.readyReplicas"]
    (cause,) = check_status({"replicas": 3, "availableReplicas": 1}, (), ())
    assert cause.message.endswith("cannot be greater than readyReplicas")


def test_revisions():
    kind = kind_of(CONTROLLER_REVISIONS)
    old = {"metadata": {"name": "r", "namespace": "n"}, "data": {"a": 1}, "revision": 1}
    assert kind.validate(old, None) == []
    assert fields(kind.validate({**old, "data": {"a": 2}}, old)) == ["data"]
    assert kind.validate({**old, "revision": 2}, old) == []
    assert fields(kind.validate({**old, "revision": -1}, old)) == ["revision"]
    assert fields(kind.validate({"metadata": {}, "revision": 1}, None)) == ["data"]
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "s", "controller": True}
    owned = {**old, "metadata": {"name": "r", "ownerReferences": [owner]}}
    assert cells(CONTROLLER_REVISIONS, owned)["Controller"] == "statefulset.apps/s"
    assert cells(CONTROLLER_REVISIONS, old)["Controller"] == "<none>"
