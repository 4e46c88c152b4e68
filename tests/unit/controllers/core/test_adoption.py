import pytest

from mizzen.base.objects import Key
from mizzen.base.resources import PODS, REPLICA_SETS
from mizzen.base.selector_parser import parse_labels
from mizzen.controllers.core.adoption import (
    ADOPTED_PER_PLAN,
    adoptable,
    claim,
    release,
    selected_by,
    selecting,
    selector_of,
    unchanged,
)
from mizzen.controllers.core.view import View

OWNER = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "metadata": {"name": "rs", "namespace": "n", "uid": "u", "resourceVersion": "7"},
    "spec": {"selector": {"matchLabels": {"a": "1"}}},
}
SELECTOR = parse_labels("a=1")


def pod(name, labels, namespace="n", **metadata):
    metadata = {"name": name, "namespace": namespace, "uid": name, "labels": labels, **metadata}
    return {"metadata": {**metadata, "resourceVersion": "3"}, "spec": {}}


def test_orphans_are_found_by_their_labels():
    view = View.of([
        (PODS, pod("b", {"a": "1"})),
        (PODS, pod("a", {"a": "1", "b": "2"})),
        (PODS, pod("other", {"a": "2"})),
        (PODS, pod("far", {"a": "1"}, "n2")),
        (PODS, {**pod("done", {"a": "1"}), "status": {"phase": "Failed"}}),
    ])  # fmt: skip
    names = [each["metadata"]["name"] for each in adoptable(view, PODS, OWNER, SELECTOR)]
    assert sorted(names) == ["a", "b"]
    gone = {**OWNER, "metadata": {**OWNER["metadata"], "deletionTimestamp": "x"}}
    assert adoptable(view, PODS, gone, SELECTOR) == []


def test_no_plan_adopts_without_bound():
    view = View.of((PODS, pod(f"p{n}", {"a": "1"})) for n in range(ADOPTED_PER_PLAN + 5))
    assert len(adoptable(view, PODS, OWNER, SELECTOR)) == ADOPTED_PER_PLAN


def test_adopting_and_releasing_are_refused_on_a_stale_object():
    view = View.of([(PODS, pod("p", {"a": "1"}, ownerReferences=[{"uid": "x", "name": "x"}]))])
    mine, (write,) = claim(view, PODS, OWNER, SELECTOR)
    assert [each["metadata"]["name"] for each in mine] == ["p"]
    assert (write.resource_version, write.uid) == ("3", "p")
    references = write.patch["metadata"]["ownerReferences"]
    assert [(each["uid"], each.get("controller")) for each in references] == [
        ("x", None),
        ("u", True),
    ]
    owned = pod("p", {"a": "1"}, ownerReferences=references)
    kept = release(PODS, owned, OWNER).patch["metadata"]["ownerReferences"]
    assert [each["uid"] for each in kept] == ["x"]


def test_the_guard_of_a_plan_writes_nothing():
    guard = unchanged(REPLICA_SETS, OWNER)
    assert (guard.patch, guard.subresource) == ({}, "status")
    assert (guard.resource_version, guard.uid) == ("7", "u")


@pytest.mark.parametrize(
    "selector",
    [None, {}, {"matchLabels": {}}, {"matchExpressions": [{"key": "a", "operator": "Gt"}]}],
)
def test_what_selects_everything_or_makes_no_sense_selects_nothing(selector):
    assert selector_of({"kind": "ReplicaSet", "spec": {"selector": selector}}) is None


def test_owners_are_found_by_a_label_that_they_select():
    index = selected_by(REPLICA_SETS)
    several = {"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}
    other = {**OWNER, "metadata": {"name": "o", "namespace": "n", "uid": "o"}}
    other["spec"] = {"selector": several}
    view = View.of([(REPLICA_SETS, OWNER), (REPLICA_SETS, other)])
    assert sorted(selecting(view, index, pod("p", {"a": "1"}))) == [Key("n", "o"), Key("n", "rs")]
    assert selecting(view, index, pod("p", {"a": "2"})) == [Key("n", "o")]
    assert selecting(view, index, pod("p", {})) == []
