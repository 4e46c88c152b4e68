import pytest

from mizzen.base.resources import (
    CONTROLLER_REVISIONS,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    STATEFUL_SETS,
)
from mizzen.controllers.core.revisions import REVISION_LABEL
from mizzen.controllers.core.stateful_set import CONTROLLER
from support.controlled import SECOND
from support.workloads import LABELS, Workloads, template


@pytest.fixture
def cluster():
    return Workloads(CONTROLLER)


def start(cluster, replicas=3, **spec):
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": LABELS},
        "template": template(),
        "serviceName": "peers",
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        "revisionHistoryLimit": 10,
        **spec,
    }
    cluster.create(STATEFUL_SETS, "web", spec)


def status(cluster):
    return cluster.get(STATEFUL_SETS, "web")["status"]


def names(cluster):
    return [pod["metadata"]["name"] for pod in cluster.pods()]


def images(cluster):
    return {p["metadata"]["name"]: p["spec"]["containers"][0]["image"] for p in cluster.pods()}


def claims(cluster):
    return cluster.names(PERSISTENT_VOLUME_CLAIMS)


def owners(cluster, claim):
    found = cluster.get(PERSISTENT_VOLUME_CLAIMS, claim)["metadata"].get("ownerReferences", [])
    return [each["kind"] for each in found]


DATA = [{"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}]


def test_pods_come_in_order_each_after_the_one_before_is_ready(cluster):
    start(cluster)
    for count in (1, 2, 3):
        cluster.rest()
        assert names(cluster) == [f"web-{n}" for n in range(count)]
        cluster.step()
    cluster.rest()
    assert status(cluster)["readyReplicas"] == status(cluster)["availableReplicas"] == 3
    assert status(cluster)["currentRevision"] == status(cluster)["updateRevision"]
    assert status(cluster)["currentReplicas"] == status(cluster)["updatedReplicas"] == 3
    created = "Create Pod web-0 in StatefulSet web successful"
    assert cluster.told("SuccessfulCreate")[0] == created


def test_each_pod_has_a_name_a_number_and_a_host(cluster):
    start(cluster, 1)
    cluster.rest()
    pod = cluster.get(PODS, "web-0")
    revision = cluster.names(CONTROLLER_REVISIONS)[0]
    assert pod["metadata"]["labels"] == {
        **LABELS,
        "statefulset.kubernetes.io/pod-name": "web-0",
        "apps.kubernetes.io/pod-index": "0",
        REVISION_LABEL: revision,
    }
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("web-0", "peers")


def test_in_parallel_all_come_at_once(cluster):
    start(cluster, 4, podManagementPolicy="Parallel")
    cluster.rest()
    assert len(names(cluster)) == 4
    cluster.set_spec(STATEFUL_SETS, "web", replicas=1)
    cluster.rest()
    assert names(cluster) == ["web-0"]


def test_scaled_down_the_highest_goes_first_and_one_by_one(cluster):
    start(cluster)
    cluster.finish()
    cluster.set_spec(STATEFUL_SETS, "web", replicas=1)
    cluster.rest()
    assert names(cluster) == ["web-0", "web-1"]
    cluster.step()
    cluster.rest()
    assert names(cluster) == ["web-0"]
    assert cluster.told("SuccessfulDelete")[0] == "Delete Pod web-2 in StatefulSet web successful"


def test_ordinals_may_begin_elsewhere(cluster):
    start(cluster, 2, ordinals={"start": 5})
    cluster.finish()
    assert names(cluster) == ["web-5", "web-6"]
    cluster.set_spec(STATEFUL_SETS, "web", ordinals={"start": 6})
    cluster.finish()
    assert names(cluster) == ["web-6", "web-7"]


def test_an_update_goes_from_the_highest_number_down(cluster):
    start(cluster)
    cluster.finish()
    cluster.set_spec(STATEFUL_SETS, "web", template=template("v2"))
    cluster.rest()
    assert names(cluster) == ["web-0", "web-1"]
    assert status(cluster)["updateRevision"] != status(cluster)["currentRevision"]
    cluster.finish()
    assert set(images(cluster).values()) == {"v2"}
    assert status(cluster)["updateRevision"] == status(cluster)["currentRevision"]
    assert status(cluster)["currentReplicas"] == 3
    assert len(cluster.all(CONTROLLER_REVISIONS)) == 2


def test_a_partition_keeps_the_lower_ones(cluster):
    start(cluster, 3)
    cluster.finish()
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    cluster.set_spec(STATEFUL_SETS, "web", template=template("v2"), updateStrategy=strategy)
    cluster.finish()
    assert images(cluster) == {"web-0": "v1", "web-1": "v1", "web-2": "v2"}
    assert (status(cluster)["currentReplicas"], status(cluster)["updatedReplicas"]) == (2, 1)
    cluster.vanish(PODS, "web-0")
    cluster.finish()
    assert images(cluster)["web-0"] == "v1"


def test_on_delete_pods_are_updated_when_somebody_deletes_them(cluster):
    start(cluster, 2, updateStrategy={"type": "OnDelete"})
    cluster.finish()
    cluster.set_spec(STATEFUL_SETS, "web", template=template("v2"))
    cluster.finish()
    assert set(images(cluster).values()) == {"v1"}
    cluster.vanish(PODS, "web-0")
    cluster.finish()
    assert images(cluster) == {"web-0": "v2", "web-1": "v1"}


def test_several_may_be_unavailable_during_an_update(cluster):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0, "maxUnavailable": 2}}
    start(cluster, 4, updateStrategy=strategy)
    cluster.finish()
    cluster.set_spec(STATEFUL_SETS, "web", template=template("v2"))
    cluster.rest()
    assert names(cluster) == ["web-0", "web-1"]
    cluster.finish()
    assert set(images(cluster).values()) == {"v2"}


def test_back_to_a_template_its_revision_comes_back_with_a_new_number(cluster):
    start(cluster, 1)
    cluster.finish()
    first = status(cluster)["currentRevision"]
    for image in ("v2", "v1"):
        cluster.set_spec(STATEFUL_SETS, "web", template=template(image))
        cluster.finish()
    assert status(cluster)["currentRevision"] == first
    assert len(cluster.all(CONTROLLER_REVISIONS)) == 2
    assert cluster.get(CONTROLLER_REVISIONS, first)["revision"] == 3


def test_the_history_has_a_limit(cluster):
    start(cluster, 1, revisionHistoryLimit=1)
    for image in ("v2", "v3", "v4"):
        cluster.finish()
        cluster.set_spec(STATEFUL_SETS, "web", template=template(image))
    cluster.finish()
    kept = sorted(one["revision"] for one in cluster.all(CONTROLLER_REVISIONS))
    assert kept == [3, 4]


def test_a_revision_brings_its_template_back(cluster):
    start(cluster, 1)
    cluster.rest()
    revision = cluster.all(CONTROLLER_REVISIONS)[0]
    template = cluster.get(STATEFUL_SETS, "web")["spec"]["template"]
    kept = revision["data"]["spec"]["template"]
    (container,) = kept["spec"]["containers"]
    assert container.pop("resources") == {}, "as Go writes it"
    assert kept == {**template, "$patch": "replace"}
    assert list(kept) == sorted(kept) and list(container) == sorted(container)
    assert revision["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"


def test_a_revision_that_was_written_in_another_form_is_the_same(cluster):
    """Or the pods of each set would be replaced once, for nothing."""
    start(cluster, 1)
    cluster.finish()
    (revision,) = cluster.all(CONTROLLER_REVISIONS)
    template = cluster.get(STATEFUL_SETS, "web")["spec"]["template"]
    before = {"spec": {"template": {**template, "$patch": "replace"}}}
    cluster.change(CONTROLLER_REVISIONS, revision["metadata"]["name"], {"data": None})
    cluster.change(CONTROLLER_REVISIONS, revision["metadata"]["name"], {"data": before})
    cluster.rest()
    assert len(cluster.all(CONTROLLER_REVISIONS)) == 1


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_pod_that_ended_is_made_anew(cluster, phase):
    start(cluster, 1)
    cluster.finish()
    uid = cluster.get(PODS, "web-0")["metadata"]["uid"]
    cluster.change(PODS, "web-0", {"status": {"phase": phase}})
    cluster.finish()
    assert cluster.get(PODS, "web-0")["metadata"]["uid"] != uid


def test_the_next_waits_for_min_ready_seconds(cluster):
    start(cluster, 2, minReadySeconds=30)
    cluster.rest()
    cluster.step()
    cluster.rest()
    assert names(cluster) == ["web-0"]
    assert 29 < cluster.requeues[0] <= 30
    cluster.now += 30 * SECOND
    cluster.rest()
    assert names(cluster) == ["web-0", "web-1"]


def test_only_pods_of_its_names_are_adopted(cluster):
    for name in ("web-1", "other-1", "web-x"):
        metadata = {"name": name, "namespace": "default", "labels": LABELS}
        cluster.add(PODS, {"metadata": metadata, "spec": {"containers": [{"name": "c"}]}})
    start(cluster, 2)
    cluster.finish()
    owned = [p["metadata"]["name"] for p in cluster.pods() if p["metadata"].get("ownerReferences")]
    assert owned == ["web-0", "web-1"]


def test_each_pod_has_claims_of_its_own_which_stay(cluster):
    start(cluster, 2, volumeClaimTemplates=DATA)
    cluster.finish()
    assert claims(cluster) == ["data-web-0", "data-web-1"]
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-1"}}
    assert cluster.get(PODS, "web-1")["spec"]["volumes"] == [volume]
    assert cluster.get(PERSISTENT_VOLUME_CLAIMS, "data-web-0")["metadata"]["labels"] == LABELS
    told = "Create Claim data-web-0 Pod web-0 in StatefulSet web success"
    assert told in cluster.told("SuccessfulCreate")
    assert owners(cluster, "data-web-0") == []
    cluster.set_spec(STATEFUL_SETS, "web", replicas=1)
    cluster.finish()
    assert claims(cluster) == ["data-web-0", "data-web-1"]


def test_claims_that_go_with_the_set_are_owned_by_it(cluster):
    policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    start(cluster, 1, volumeClaimTemplates=DATA, persistentVolumeClaimRetentionPolicy=policy)
    cluster.finish()
    assert owners(cluster, "data-web-0") == ["StatefulSet"]
    policy = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    cluster.set_spec(STATEFUL_SETS, "web", persistentVolumeClaimRetentionPolicy=policy)
    cluster.finish()
    assert owners(cluster, "data-web-0") == []


def test_claims_that_go_when_scaled_down_are_owned_by_the_pod_that_goes(cluster):
    policy = {"whenDeleted": "Delete", "whenScaled": "Delete"}
    start(cluster, 2, volumeClaimTemplates=DATA, persistentVolumeClaimRetentionPolicy=policy)
    cluster.finish()
    assert owners(cluster, "data-web-1") == ["StatefulSet"]
    cluster.set_spec(STATEFUL_SETS, "web", replicas=1)
    cluster.rest()
    assert owners(cluster, "data-web-1") == ["Pod"]
    assert owners(cluster, "data-web-0") == ["StatefulSet"]
    cluster.step()
    cluster.set_spec(STATEFUL_SETS, "web", replicas=2)
    cluster.rest()
    assert names(cluster) == ["web-0"]  # until the claim of the former pod is gone
    cluster.vanish(PERSISTENT_VOLUME_CLAIMS, "data-web-1")
    cluster.finish()
    assert names(cluster) == ["web-0", "web-1"] and "data-web-1" in claims(cluster)


def test_a_claim_with_another_controller_is_left_to_it(cluster):
    policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    other = {"apiVersion": "v1", "kind": "Thing", "name": "t", "uid": "t", "controller": True}
    metadata = {"name": "data-web-0", "namespace": "default", "ownerReferences": [other]}
    cluster.add(PERSISTENT_VOLUME_CLAIMS, {"metadata": metadata})
    start(cluster, 1, volumeClaimTemplates=DATA, persistentVolumeClaimRetentionPolicy=policy)
    cluster.finish()
    assert owners(cluster, "data-web-0") == ["Thing"]


def test_one_that_is_deleted_makes_nothing(cluster):
    start(cluster, 2)
    cluster.finish()
    gone = {"metadata": {"deletionTimestamp": "2027-01-01T00:00:00Z"}}
    cluster.change(STATEFUL_SETS, "web", gone)
    cluster.vanish(PODS, "web-1")
    cluster.finish()
    assert names(cluster) == ["web-0"] and status(cluster)["replicas"] == 1


def test_a_revision_name_that_is_taken_is_a_collision(cluster):
    start(cluster, 1)
    cluster.rest()
    taken = cluster.names(CONTROLLER_REVISIONS)[0]
    other = Workloads(CONTROLLER)
    metadata = {"name": taken, "namespace": "default", "labels": {"a": "b"}}
    other.add(CONTROLLER_REVISIONS, {"metadata": metadata, "revision": 1, "data": {}})
    start(other, 1)
    other.rest()
    assert status(other)["collisionCount"] == 1
    assert status(other)["updateRevision"] != taken
