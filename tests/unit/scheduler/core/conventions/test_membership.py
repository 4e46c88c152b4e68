"""Several conventions on one pod: which counts, and what contradicts itself."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mizzen.base.objects import Key, Obj
from mizzen.scheduler.core.conventions.gang import Gang, Membership, Subgroup
from mizzen.scheduler.core.conventions.membership import gang_of, membership, read
from mizzen.scheduler.core.conventions.topology import TopologyRequest

NATIVE = {"schedulingGroup": {"podGroupName": "g"}}
LABELS = {
    "scheduling.x-k8s.io/pod-group": "g",
    "kueue.x-k8s.io/pod-group-name": "g",
    "leaderworkerset.sigs.k8s.io/name": "lws",
    "jobset.sigs.k8s.io/jobset-name": "js",
    "volcano.sh/job-name": "vj",
    "batch.kubernetes.io/job-name": "j",
    "kai.scheduler/subgroup-name": "s",
}
ANNOTATIONS = {
    "scheduling.k8s.io/group-name": "g",
    "scheduling.volcano.sh/group-name": "g",
    "pod-group-name": "g",
    "kueue.x-k8s.io/pod-group-total-count": "3",
    "leaderworkerset.sigs.k8s.io/size": "2",
    "kueue.x-k8s.io/podset-required-topology": "rack",
    "kueue.x-k8s.io/podset-slice-size": "2",
    "mizzen.dev/topology-required": "rack",
    "mizzen.dev/topology-slices": "rack=2",
    "mizzen.dev/topology-preferred": "zone",
}


def pod(
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **spec: object,
) -> Obj:
    metadata = {"name": "p", "namespace": "ml", "labels": labels, "annotations": annotations}
    return {"metadata": metadata, "spec": {"containers": [], **spec}}


def test_a_named_group_goes_before_the_workload() -> None:
    labels = {key: LABELS[key] for key in LABELS if "job" in key or "leader" in key}
    assert membership(pod(labels, **NATIVE)).gang == Key("ml", "g")
    volcano = membership(pod(labels, {"scheduling.k8s.io/group-name": "g"}))
    assert volcano.gang == Key("ml", "VolcanoPodGroup/g")


def test_the_order_among_workloads() -> None:
    left = ["leaderworkerset.sigs.k8s.io/name", "jobset.sigs.k8s.io/jobset-name"]
    left += ["volcano.sh/job-name"]
    found: list[str] = []
    while left:
        gang = membership(pod({key: LABELS[key] for key in left})).gang
        assert gang is not None
        found.append(gang.name)
        left.pop(0)
    assert found == ["LeaderWorkerSet/lws-0", "JobSet/js", "VolcanoJob/vj"]


def test_two_groups_of_one_name_are_the_first() -> None:
    found = membership(pod({"scheduling.x-k8s.io/pod-group": "g"}, **NATIVE))
    assert (found.gang, found.refused) == (Key("ml", "g"), None)


def test_two_groups_of_different_names_are_refused() -> None:
    found = membership(pod({"scheduling.x-k8s.io/pod-group": "other"}, **NATIVE))
    assert found.gang is None and found.refused is not None
    assert found.refused.word == "TwoGangs"
    assert "ml/g" in found.refused.sentence and "other" in found.refused.sentence


def test_pods_ask_within_their_group() -> None:
    found = membership(pod(None, {"mizzen.dev/topology-required": "rack"}, **NATIVE))
    assert found.described == Gang(Key("ml", "g"), 0, topology=TopologyRequest("rack"))
    group = {
        "metadata": {"name": "g", "namespace": "ml"},
        "spec": {"schedulingPolicy": {"gang": {"minCount": 2}}},
    }
    gang = gang_of(Key("ml", "g"), group, [found.described])
    assert (gang.min_count, gang.topology) == (2, TopologyRequest("rack"))


def test_pods_and_group_must_agree() -> None:
    group = {
        "metadata": {"name": "g", "namespace": "ml"},
        "spec": {
            "schedulingPolicy": {"gang": {"minCount": 2}},
            "schedulingConstraints": {"topology": [{"key": "zone"}]},
        },
    }
    described = Gang(Key("ml", "g"), 0, topology=TopologyRequest("rack"))
    refused = gang_of(Key("ml", "g"), group, [described]).refused
    assert refused is not None and refused.word == "TopologyConflict"
    assert "required zone" in refused.sentence and "required rack" in refused.sentence


def test_ours_and_kueues_words_must_agree() -> None:
    ours, theirs = "mizzen.dev/topology-required", "kueue.x-k8s.io/podset-required-topology"
    same = membership(pod(None, {ours: "rack", theirs: "rack"}, **NATIVE))
    assert same.refused is None
    other = membership(pod(None, {ours: "rack", theirs: "zone"}, **NATIVE))
    assert other.refused is not None and other.refused.word == "TopologyConflict"


def _some(of: dict[str, str]) -> st.SearchStrategy[dict[str, str]]:
    values = st.sampled_from([*of.values(), "", "0", "-1", "x", "[]", "rack=0", "true"])
    return st.dictionaries(st.sampled_from(sorted(of)), values, max_size=3)


@given(_some(LABELS), _some(ANNOTATIONS), st.booleans())
def test_whatever_is_on_a_pod_there_is_an_answer(
    labels: dict[str, str], annotations: dict[str, str], native: bool
) -> None:
    some = pod(labels, annotations, **(NATIVE if native else {}))
    found = membership(some)
    assert found == read(some), "the short way leads where the long one does"
    assert isinstance(found, Membership)
    if native and found.refused is None:
        assert found.gang == Key("ml", "g")
    if found.described is not None:
        assert found.described.key == found.gang
        gang_of(found.described.key, None, [found.described])


_DESCRIBED = st.builds(
    Gang,
    key=st.just(Key("ml", "KueuePodGroup/g")),
    min_count=st.just(2),
    count=st.sampled_from([0, 2, 3]),
    topology=st.sampled_from([None, TopologyRequest("rack"), TopologyRequest("zone")]),
    subgroups=st.sampled_from(
        [(), (Subgroup("a", topology=TopologyRequest("rack")),), (Subgroup("b"),)]
    ),
)


@given(st.lists(_DESCRIBED, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_the_order_in_which_pods_are_seen_does_not_matter(
    described: list[Gang], mixer: object
) -> None:
    gang = Key("ml", "KueuePodGroup/g")
    shuffled = list(described) + described[:1]
    mixer.shuffle(shuffled)  # type: ignore[attr-defined]
    assert gang_of(gang, None, described) == gang_of(gang, None, shuffled)
