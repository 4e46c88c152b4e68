import pytest

from mizzen.base.resources import STATEFUL_SETS
from support.apps_kinds import cells, changed, fields, kind_of, made, wrong

KIND = kind_of(STATEFUL_SETS)
STRATEGY = "spec.updateStrategy"
POLICY = "persistentVolumeClaimRetentionPolicy"
DATA = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}


def rolling(**more):
    return {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": more}}


def test_defaults():
    spec = made(STATEFUL_SETS)["spec"]
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert spec[POLICY] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert (spec["podManagementPolicy"], spec["replicas"]) == ("OrderedReady", 1)
    assert made(STATEFUL_SETS)["status"] == {"replicas": 0, "availableReplicas": 0}
    claim = made(STATEFUL_SETS, volumeClaimTemplates=[DATA])["spec"]["volumeClaimTemplates"][0]
    assert (claim["kind"], claim["spec"]["volumeMode"]) == ("PersistentVolumeClaim", "Filesystem")
    assert claim["status"] == {"phase": "Pending"}


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        ({"updateStrategy": {"type": "OnDelete"}}, []),
        (
            {"updateStrategy": {"type": "OnDelete", "rollingUpdate": {"partition": 1}}},
            [f"{STRATEGY}.rollingUpdate"],
        ),
        ({"updateStrategy": {"type": "Sometimes"}}, [STRATEGY]),
        (rolling(partition=-1), [f"{STRATEGY}.rollingUpdate.partition"]),
        (rolling(maxUnavailable=2), []),
        (rolling(maxUnavailable=0), [f"{STRATEGY}.rollingUpdate.maxUnavailable"]),
        (rolling(maxUnavailable="101%"), [f"{STRATEGY}.rollingUpdate.maxUnavailable"]),
        ({"podManagementPolicy": "Sometimes"}, ["spec.podManagementPolicy"]),
        ({POLICY: {"whenScaled": "Never"}}, [f"spec.{POLICY}.whenScaled"]),
        ({"serviceName": "Not A Name"}, ["spec.serviceName"]),
        ({"ordinals": {"start": -1}}, ["spec.ordinals.start"]),
        ({"replicas": -1}, ["spec.replicas"]),
        ({"pod": {"hostname": "Not A Name", "subdomain": "!"}}, []),  # the controller's own
    ],
)
def test_checks(spec, refused):
    assert wrong(STATEFUL_SETS, **spec) == refused


def test_volumes_of_its_claims_may_be_mounted():
    mount = [{"name": "c", "image": "x", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}]
    assert wrong(STATEFUL_SETS, pod={"containers": mount}, volumeClaimTemplates=[DATA]) == []
    assert wrong(STATEFUL_SETS, pod={"containers": mount}) != []


def test_what_may_change():
    old = made(STATEFUL_SETS, serviceName="a")
    free = {
        "replicas": 3,
        "ordinals": {"start": 1},
        "updateStrategy": {"type": "OnDelete"},
        "revisionHistoryLimit": 1,
        POLICY: {"whenDeleted": "Delete", "whenScaled": "Retain"},
        "minReadySeconds": 1,
    }
    assert KIND.check(changed(STATEFUL_SETS, old, **free), old) == []
    for fixed in ({"serviceName": "b"}, {"podManagementPolicy": "Parallel"}):
        assert fields(KIND.check(changed(STATEFUL_SETS, old, **fixed), old)) == ["spec"]


def test_warnings_and_columns():
    endless = made(STATEFUL_SETS, revisionHistoryLimit=-1)
    assert "retains all historical revisions" in KIND.warn(endless)[0]
    shown = made(STATEFUL_SETS, replicas=2)
    shown["status"]["readyReplicas"] = 1
    assert cells(STATEFUL_SETS, shown)["Ready"] == "1/2"
