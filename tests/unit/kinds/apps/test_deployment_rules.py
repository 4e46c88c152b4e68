import copy

import pytest

from mizzen.base.resources import DEPLOYMENTS
from support.apps_kinds import cells, changed, fields, kind_of, made, wrong

KIND = kind_of(DEPLOYMENTS)
ROLLING = "spec.strategy.rollingUpdate"


def rolling(**share):
    return {"strategy": {"type": "RollingUpdate", "rollingUpdate": share}}


def test_defaults():
    spec = made(DEPLOYMENTS)["spec"]
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
    }
    assert (spec["replicas"], spec["revisionHistoryLimit"]) == (1, 10)
    assert spec["progressDeadlineSeconds"] == 600
    assert made(DEPLOYMENTS, strategy={"type": "Recreate"})["spec"]["strategy"] == {
        "type": "Recreate"
    }
    assert made(DEPLOYMENTS)["status"] == {}


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        ({"replicas": -1}, ["spec.replicas"]),
        ({"strategy": {"type": "Sometimes"}}, ["spec.strategy"]),
        ({"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}}, [ROLLING]),
        (rolling(maxSurge=0, maxUnavailable=0), [f"{ROLLING}.maxUnavailable"]),
        (rolling(maxSurge=0, maxUnavailable="0%"), [f"{ROLLING}.maxUnavailable"]),
        (rolling(maxSurge=0, maxUnavailable=1), []),
        (rolling(maxUnavailable="101%"), [f"{ROLLING}.maxUnavailable"]),
        (rolling(maxSurge="200%"), []),
        (rolling(maxSurge="x"), [f"{ROLLING}.maxSurge"]),
        ({"minReadySeconds": 600}, ["spec.progressDeadlineSeconds"]),
        ({"revisionHistoryLimit": -1}, ["spec.revisionHistoryLimit"]),
    ],
)
def test_checks(spec, refused):
    assert wrong(DEPLOYMENTS, **spec) == refused


def test_the_generation_counts_changes_of_spec_and_annotations():
    old = made(DEPLOYMENTS)
    old["metadata"]["generation"] = 1
    assert changed(DEPLOYMENTS, old, replicas=2)["metadata"]["generation"] == 2
    for field, generation in (("annotations", 2), ("labels", 1)):
        new = copy.deepcopy(old)
        new["metadata"][field] = {"a": "b"}
        KIND.prepare_update(new, old)
        assert new["metadata"]["generation"] == generation


def test_collisions_are_only_ever_counted_up():
    old, new = made(DEPLOYMENTS), made(DEPLOYMENTS)
    old["status"], new["status"] = {"collisionCount": 2}, {"collisionCount": 1}
    assert fields(KIND.check_status(new, old)) == ["status.collisionCount"]
    assert fields(KIND.check_status(old, new)) == []
    assert fields(KIND.check_status({**new, "status": {}}, old)) == ["status.collisionCount"]


def test_columns_and_scale():
    shown = made(DEPLOYMENTS, replicas=3)
    shown["status"] = {"readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1}
    found = cells(DEPLOYMENTS, shown)
    assert (found["Ready"], found["Up-to-date"], found["Available"]) == ("1/3", 2, 1)
    assert KIND.scale is not None and KIND.scale.selector == "spec.selector"


def test_a_name_that_is_no_host_name_is_warned_of():
    odd = made(DEPLOYMENTS)
    odd["metadata"]["name"] = "a.b"
    assert "a DNS label is recommended" in KIND.warn(odd)[0]
    assert KIND.warn(made(DEPLOYMENTS)) == []
