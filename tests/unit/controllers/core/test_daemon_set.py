import pytest

from mizzen.base.objects import Key
from mizzen.base.resources import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS
from mizzen.controllers.core.daemon_set import CONTROLLER, FAILURES
from mizzen.controllers.core.daemon_set_pods import places_in
from mizzen.controllers.core.revisions import REVISION_LABEL
from mizzen.controllers.core.view import View
from support.controlled import SECOND
from support.workloads import LABELS, Workloads, template


@pytest.fixture
def cluster():
    return Workloads(CONTROLLER)


def start(cluster, surge=0, unavailable=1, **spec):
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    spec = {
        "selector": {"matchLabels": LABELS},
        "template": template(),
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling},
        "revisionHistoryLimit": 10,
        **spec,
    }
    cluster.create(DAEMON_SETS, "ds", spec)
    cluster.rest()


def step(cluster):
    """Each pod runs on the node that it waits for; what is to go is gone."""
    for pod in cluster.all(PODS):
        name = pod["metadata"]["name"]
        if pod["metadata"].get("deletionTimestamp"):
            cluster.vanish(PODS, name)
        elif pod["status"]["phase"] != "Pending":
            continue
        elif pod["spec"]["containers"][0].get("image") not in cluster.failing:
            cluster.run_pod(name, node_of(pod))


def finish(cluster):
    for _ in range(50):
        cluster.rest()
        before = cluster.revision
        cluster.now += SECOND
        step(cluster)
        cluster.rest()
        if before == cluster.revision:
            return
    raise AssertionError("never finishes")


def node_of(pod):
    if pod["spec"].get("nodeName"):
        return pod["spec"]["nodeName"]
    required = pod["spec"]["affinity"]["nodeAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    return required["nodeSelectorTerms"][0]["matchFields"][0]["values"][0]


def on(cluster):
    """Images of active pods by node."""
    found = {}
    for pod in cluster.pods():
        found.setdefault(node_of(pod), []).append(pod["spec"]["containers"][0]["image"])
    return {node: sorted(images) for node, images in sorted(found.items())}


def status(cluster):
    return cluster.get(DAEMON_SETS, "ds")["status"]


def test_a_pod_on_each_node(cluster):
    cluster.node("a")
    cluster.node("b")
    start(cluster)
    assert on(cluster) == {"a": ["v1"], "b": ["v1"]}
    finish(cluster)
    assert status(cluster) == {
        "observedGeneration": 1,
        "desiredNumberScheduled": 2,
        "currentNumberScheduled": 2,
        "numberMisscheduled": 0,
        "numberReady": 2,
        "numberAvailable": 2,
        "updatedNumberScheduled": 2,
    }
    cluster.node("c")
    finish(cluster)
    assert sorted(on(cluster)) == ["a", "b", "c"]


def test_what_every_daemon_pod_has(cluster):
    cluster.node("a")
    toleration = {"key": "mine", "operator": "Exists"}
    start(cluster, template=template(tolerations=[toleration], hostNetwork=True))
    pod = cluster.pods()[0]
    keys = [each["key"] for each in pod["spec"]["tolerations"]]
    assert keys == [
        "mine",
        *(
            f"node.kubernetes.io/{name}"
            for name in (
                "not-ready",
                "unreachable",
                "disk-pressure",
                "memory-pressure",
                "pid-pressure",
                "unschedulable",
                "network-unavailable",
            )
        ),
    ]
    revision = cluster.all(CONTROLLER_REVISIONS)[0]
    word = revision["metadata"]["labels"][REVISION_LABEL]
    assert pod["metadata"]["labels"][REVISION_LABEL] == word
    assert revision["metadata"]["name"] == f"ds-{word}"


@pytest.mark.parametrize(
    ("spec", "nodes"),
    [
        ({"nodeSelector": {"disk": "ssd"}}, ["fast"]),
        ({"nodeName": "slow"}, ["slow"]),
        (
            {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [
                                {"matchExpressions": [{"key": "disk", "operator": "DoesNotExist"}]}
                            ]
                        }
                    }
                }
            },
            ["slow"],
        ),
        ({"tolerations": [{"key": "own", "operator": "Exists"}]}, ["fast", "own", "slow"]),
    ],
)
def test_on_nodes_that_fit(cluster, spec, nodes):
    cluster.node("fast", {"disk": "ssd"})
    cluster.node("slow")
    cluster.node("own", {"disk": "x"}, taints=[{"key": "own", "effect": "NoSchedule"}])
    start(cluster, template=template(**spec))
    assert sorted(on(cluster)) == nodes


@pytest.mark.parametrize(
    ("image", "nodes"), [("nginx", ["kubelet", "unknown"]), ("/bin/sh", ["agent", "unknown"])]
)
def test_on_nodes_that_run_their_images(cluster, image, nodes):
    cluster.node("unknown")
    for name, runtime in (("agent", "process://1"), ("kubelet", "containerd://2")):
        cluster.node(name)
        told = {"status": {"nodeInfo": {"containerRuntimeVersion": runtime}}}
        cluster.change(NODES, name, told)
    start(cluster, template=template(image))
    assert sorted(on(cluster)) == nodes


def test_cordoned_nodes_have_them_too(cluster):
    taint = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    cluster.node("a", taints=[taint])
    start(cluster)
    assert on(cluster) == {"a": ["v1"]}


def test_a_node_that_fits_no_longer_loses_its_pod(cluster):
    cluster.node("a", {"disk": "ssd"})
    start(cluster, template=template(nodeSelector={"disk": "ssd"}))
    finish(cluster)
    cluster.change(NODES, "a", {"metadata": {"labels": {"disk": "hdd"}}})
    finish(cluster)
    assert on(cluster) == {} and status(cluster)["desiredNumberScheduled"] == 0


def test_a_taint_that_keeps_pods_away_lets_those_there_stay(cluster):
    cluster.node("a")
    start(cluster)
    finish(cluster)
    cluster.change(NODES, "a", {"spec": {"taints": [{"key": "x", "effect": "NoSchedule"}]}})
    finish(cluster)
    assert on(cluster) == {"a": ["v1"]}
    counted = status(cluster)["numberMisscheduled"], status(cluster)["desiredNumberScheduled"]
    assert counted == (1, 0)
    cluster.change(NODES, "a", {"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}})
    finish(cluster)
    assert on(cluster) == {}


def test_an_update_takes_one_node_after_the_other(cluster):
    for name in ("a", "b", "c"):
        cluster.node(name)
    start(cluster)
    finish(cluster)
    cluster.set_spec(DAEMON_SETS, "ds", template=template("v2"))
    cluster.rest()
    assert len(cluster.pods()) == 2 and "updatedNumberScheduled" not in status(cluster)
    finish(cluster)
    assert on(cluster) == {"a": ["v2"], "b": ["v2"], "c": ["v2"]}
    assert status(cluster)["updatedNumberScheduled"] == 3


def test_an_update_that_fails_stops_at_what_may_be_unavailable(cluster):
    for name in ("a", "b", "c", "d"):
        cluster.node(name)
    start(cluster, unavailable="50%")
    finish(cluster)
    cluster.failing.add("bad")
    cluster.set_spec(DAEMON_SETS, "ds", template=template("bad"))
    finish(cluster)
    assert sorted(image for images in on(cluster).values() for image in images) == [
        "bad",
        "bad",
        "v1",
        "v1",
    ]


def test_with_a_surge_the_old_pod_goes_once_the_new_one_is_available(cluster):
    cluster.node("a")
    cluster.node("b")
    start(cluster, surge=1, unavailable=0)
    finish(cluster)
    cluster.set_spec(DAEMON_SETS, "ds", template=template("v2"))
    cluster.rest()
    assert sorted(map(tuple, on(cluster).values())) == [("v1",), ("v1", "v2")]
    finish(cluster)
    assert on(cluster) == {"a": ["v2"], "b": ["v2"]}


def test_on_delete_pods_are_updated_when_somebody_deletes_them(cluster):
    cluster.node("a")
    cluster.node("b")
    start(cluster, updateStrategy={"type": "OnDelete"})
    finish(cluster)
    cluster.set_spec(DAEMON_SETS, "ds", template=template("v2"))
    finish(cluster)
    assert on(cluster) == {"a": ["v1"], "b": ["v1"]}
    gone = next(pod for pod in cluster.pods() if node_of(pod) == "a")
    cluster.vanish(PODS, gone["metadata"]["name"])
    finish(cluster)
    assert on(cluster) == {"a": ["v2"], "b": ["v1"]}


def test_a_pod_that_fails_is_replaced_later_and_later(cluster):
    cluster.node("a")
    start(cluster)
    waits = []
    for failures in ("1", "2", "3"):
        name = cluster.pods()[0]["metadata"]["name"]
        cluster.change(PODS, name, {"spec": {"nodeName": "a"}, "status": {"phase": "Failed"}})
        cluster.rest()
        if cluster.requeues:
            waits.append(round(cluster.requeues[0]))
            cluster.now += 5 * SECOND
            cluster.rest()
        assert cluster.pods()[0]["metadata"]["annotations"][FAILURES] == failures
    assert waits == [1, 2]
    assert len(cluster.told("FailedDaemonPod")) == 3


def test_of_two_on_a_node_the_older_stays(cluster):
    cluster.node("a")
    start(cluster)
    finish(cluster)
    older = cluster.pods()[0]
    cluster.now += 5 * SECOND
    twin = {**older, "metadata": {**older["metadata"], "name": "twin", "uid": "twin"}}
    del twin["metadata"]["creationTimestamp"]
    cluster.add(PODS, twin)
    finish(cluster)
    assert [pod["metadata"]["name"] for pod in cluster.pods()] == [older["metadata"]["name"]]


def test_a_pod_for_a_node_that_is_gone_goes(cluster):
    cluster.node("a")
    start(cluster)
    cluster.vanish(NODES, "a", "")
    cluster.rest()
    assert cluster.all(PODS) == []


def test_orphans_are_adopted_and_strays_released(cluster):
    cluster.node("a")
    metadata = {"name": "orphan", "namespace": "default", "labels": LABELS}
    spec = {"containers": [{"name": "c", "image": "v0"}], "nodeName": "a"}
    cluster.add(PODS, {"metadata": metadata, "spec": spec, "status": {"phase": "Running"}})
    start(cluster, updateStrategy={"type": "OnDelete"})
    assert cluster.names(PODS) == ["orphan"]
    assert cluster.get(PODS, "orphan")["metadata"]["ownerReferences"]
    cluster.change(PODS, "orphan", {"metadata": {"labels": {"app": "other"}}})
    finish(cluster)
    assert "ownerReferences" not in cluster.get(PODS, "orphan")["metadata"]
    assert len(cluster.pods(**LABELS)) == 1


def test_the_history_has_a_limit(cluster):
    cluster.node("a")
    start(cluster, revisionHistoryLimit=1)
    for image in ("v2", "v3", "v4"):
        finish(cluster)
        cluster.set_spec(DAEMON_SETS, "ds", template=template(image))
    finish(cluster)
    kept = sorted(one["revision"] for one in cluster.all(CONTROLLER_REVISIONS))
    assert kept == [3, 4]


def test_which_nodes_concern_it(cluster):
    cluster.node("a")
    watch = next(w for w in CONTROLLER.watches if w.resource == NODES)
    node = cluster.get(NODES, "a")
    assert list(watch.keys(cluster.view(), node)) == []
    start(cluster)
    assert list(watch.keys(cluster.view(), node)) == [Key("default", "ds")]
    finish(cluster)
    assert list(watch.keys(cluster.view(), node)) == []
    cluster.change(NODES, "a", {"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}})
    tainted = cluster.get(NODES, "a")
    assert list(watch.keys(cluster.view(), tainted)) == [Key("default", "ds")]


def test_many_nodes_get_their_pods_by_plans_of_a_hundred(cluster):
    for number in range(230):
        cluster.node(f"n{number}")
    start(cluster)
    assert len(on(cluster)) == 230


def test_a_node_is_asked_again_once_it_or_the_template_has_changed():
    view = View()
    tainted = {"key": "k", "effect": "NoSchedule"}

    def node(version, *taints):
        metadata = {"name": "n", "resourceVersion": version}
        return {"metadata": metadata, "spec": {"taints": list(taints)}}

    def place(generation, of, **spec):
        metadata = {"name": "d", "namespace": "default", "uid": "u", "generation": generation}
        daemon = {"metadata": metadata, "spec": {"template": {"spec": {"containers": [], **spec}}}}
        return places_in(view, daemon)(of).starts

    assert place(1, node("1"))
    assert place(1, node("1", tainted)), "of this version it has been said"
    assert not place(1, node("2", tainted))
    assert place(1, node("3"))
    assert not place(1, node("4", tainted))
    assert place(2, node("4", tainted), tolerations=[{"operator": "Exists"}])
    assert not place(0, node("4", tainted)), "without a generation nothing is remembered"
