import pytest

from mizzen.base.resources import DAEMON_SETS
from mizzen.kinds.apps.daemon_set_rules import TEMPLATE_GENERATION, template_generation
from support.apps_kinds import cells, changed, kind_of, made, wrong

ROLLING = "spec.updateStrategy.rollingUpdate"


def rolling(**share):
    return {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": share}}


def test_defaults():
    daemon = made(DAEMON_SETS)
    assert daemon["spec"]["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
    }
    assert daemon["spec"]["revisionHistoryLimit"] == 10
    assert set(daemon["status"].values()) == {0} and "numberReady" in daemon["status"]


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        ({"updateStrategy": {"type": "OnDelete"}}, []),
        ({"updateStrategy": {"type": "Sometimes"}}, ["spec.updateStrategy"]),
        (rolling(maxSurge=1), [f"{ROLLING}.maxSurge"]),
        (rolling(maxSurge=1, maxUnavailable=0), []),
        (rolling(maxUnavailable=0), [f"{ROLLING}.maxUnavailable"]),
        (rolling(maxUnavailable="101%"), [f"{ROLLING}.maxUnavailable"]),
        ({"minReadySeconds": -1}, ["spec.minReadySeconds"]),
        ({"revisionHistoryLimit": -1}, ["spec.revisionHistoryLimit"]),
    ],
)
def test_checks(spec, refused):
    assert wrong(DAEMON_SETS, **spec) == refused


def test_the_templates_generation_is_the_servers():
    old = made(DAEMON_SETS)
    assert template_generation(old) == 1
    same = changed(DAEMON_SETS, old, minReadySeconds=1)
    assert template_generation(same) == 1
    template = {**old["spec"]["template"], "metadata": {"labels": {"app": "web", "a": "b"}}}
    new = changed(DAEMON_SETS, old, template=template)
    assert template_generation(new) == 2
    new["metadata"]["annotations"][TEMPLATE_GENERATION] = "77"
    kind_of(DAEMON_SETS).prepare_update(new, old)
    assert template_generation(new) == 2


def test_columns():
    shown = made(DAEMON_SETS, pod={"nodeSelector": {"disk": "ssd"}})
    shown["status"] |= {"desiredNumberScheduled": 2, "updatedNumberScheduled": 1}
    found = cells(DAEMON_SETS, shown)
    assert (found["Desired"], found["Up-to-date"], found["Available"]) == (2, 1, 0)
    assert found["Node Selector"] == "disk=ssd"
    assert cells(DAEMON_SETS, made(DAEMON_SETS))["Node Selector"] == "<none>"
