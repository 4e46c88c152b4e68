"""The arithmetic of rollouts. The facts are those of upstream's tables (deployment, util)."""

import pytest

from mizzen.base.clock import rfc3339
from mizzen.controllers.core.deployment_sets import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REVISION,
    REVISION_HISTORY,
    TEMPLATE_HASH,
    active_or_latest,
    annotate_new,
    expired,
    find_new,
    in_proportion,
    is_saturated,
    is_scaling,
    make_new,
    max_surge,
    max_unavailable,
    owned_set,
    replicas_of_new,
    revision_of_set,
)
from support.controlled import SECOND, START
from support.workloads import LABELS, template


def deployment(replicas=10, surge=0, unavailable=0, strategy="RollingUpdate", **more):
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": LABELS},
        "template": template(),
        "strategy": {"type": strategy},
    }
    if strategy == "RollingUpdate":
        spec["strategy"]["rollingUpdate"] = {"maxSurge": surge, "maxUnavailable": unavailable}
    metadata = {"name": "d", "namespace": "default", "uid": "u", **more}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def of(replicas, age_s=0, *, available=0, wanted=None, most=None, image="v0", **annotations):
    """A set with this size; the older, the larger its age."""
    annotations = {REVISION if k == "revision" else k: v for k, v in annotations.items()}
    if wanted is not None:
        annotations[DESIRED_REPLICAS] = str(wanted)
        annotations[MAX_REPLICAS] = str(most if most is not None else wanted)
    metadata = {
        "name": f"d-{age_s}-{replicas}",
        "namespace": "default",
        "uid": f"{age_s}-{replicas}",
        "creationTimestamp": rfc3339(START - age_s * SECOND),
        "annotations": annotations,
        "generation": 1,
    }
    spec = {"replicas": replicas, "template": template(image)}
    status = {"availableReplicas": available, "observedGeneration": 1}
    return owned_set({"metadata": metadata, "spec": spec, "status": status})


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "expected"),
    [
        ("0%", "0%", 4, (0, 1)),
        ("39%", "39%", 10, (4, 3)),
        (None, "39%", 10, (0, 3)),
        ("39%", None, 10, (4, 0)),
        (None, None, 10, (0, 1)),
        ("0%", "1%", 2, (0, 1)),
        ("1%", "25%", 2, (1, 0)),
        ("1%", "25%", 1, (1, 0)),
        (0, 10, 5, (0, 5)),
        (0, "100%", 5, (0, 5)),
    ],
)
def test_fenceposts(surge, unavailable, replicas, expected):
    wanted = deployment(replicas, surge, unavailable)
    assert (max_surge(wanted), max_unavailable(wanted)) == expected


def test_what_does_not_roll_has_no_fenceposts():
    wanted = deployment(strategy="Recreate")
    assert (max_surge(wanted), max_unavailable(wanted)) == (0, 0)


@pytest.mark.parametrize(
    ("replicas", "surge", "old", "new", "expected"),
    [
        (10, 0, 10, 0, 0),
        (10, 2, 10, 0, 2),
        (10, 2, 5, 0, 7),
        (10, 2, 10, 2, 2),
        (1, 1, 0, 5, 5),
        (6, 10, 0, 2, 6),
    ],
)
def test_the_new_set_grows_by_what_the_surge_allows(replicas, surge, old, new, expected):
    grows = of(new)
    assert replicas_of_new(deployment(replicas, surge), [of(old, 1), grows], grows) == expected


def test_recreated_the_new_set_has_all_at_once():
    grows = of(0)
    assert replicas_of_new(deployment(3, strategy="Recreate"), [of(3, 1), grows], grows) == 3


@pytest.mark.parametrize(
    ("before", "after", "sizes", "expected"),
    [
        (5, 10, [2, 3], [4, 6]),
        (5, 3, [2, 3], [1, 2]),
        (9, 4, [8, 1], [4, 0]),
        (7, 10, [2, 3, 2], [3, 4, 3]),
        (13, 8, [2, 8, 3], [1, 5, 2]),
        (3, 4, [1, 1, 1], [2, 1, 1]),
        (3, 2, [1, 1, 1], [1, 1, 0]),
        (4, 5, [2, 2], [3, 2]),
        (6, 0, [3, 2, 1], [0, 0, 0]),
        (10, 14, [7, 3], [10, 4]),
    ],
)
def test_scaled_amid_a_rollout_all_sets_keep_their_share(before, after, sizes, expected):
    """Sizes from the newest to the oldest set."""
    sets = [of(size, age, wanted=before) for age, size in enumerate(sizes)]
    found = {one.name: size for one, size in in_proportion(deployment(after), sets)}
    assert [found[one.name] for one in sets] == expected


@pytest.mark.parametrize(
    ("before", "old_surge", "after", "surge", "sizes", "expected"),
    [(10, 2, 20, 2, [6, 6], [11, 11]), (10, 3, 50, 6, [5, 8], [22, 34])],
)
def test_the_surge_is_shared_too(before, old_surge, after, surge, sizes, expected):
    sets = [of(s, age, wanted=before, most=before + old_surge) for age, s in enumerate(sizes)]
    found = {one.name: size for one, size in in_proportion(deployment(after, surge), sets)}
    assert [found[one.name] for one in sets] == expected


def test_the_only_one_with_pods_or_the_latest():
    new, old, older = of(0), of(0, 1), of(0, 2)
    assert active_or_latest(new, [old, older]) is new
    assert active_or_latest(None, [older, old]) is old
    active = of(3, 3)
    assert active_or_latest(new, [active, old]) is active
    assert active_or_latest(of(1), [active]) is None
    assert active_or_latest(None, []) is None


def test_saturated_is_who_has_all_and_knows_it():
    assert is_saturated(deployment(2), of(2, available=2, wanted=2))
    assert not is_saturated(deployment(2), of(2, available=1, wanted=2))
    assert not is_saturated(deployment(2), of(2, available=2, wanted=3))
    assert not is_saturated(deployment(2), of(2, available=2))
    assert not is_saturated(deployment(2), None)


def test_scaling_is_told_by_what_the_sets_were_made_for():
    assert is_scaling(deployment(4), [of(3, wanted=3)])
    assert not is_scaling(deployment(3), [of(3, wanted=3)])
    assert not is_scaling(deployment(3), [of(0, wanted=9), of(3)])


def test_the_new_set_is_the_oldest_of_the_template():
    made = make_new(deployment())
    twin, older = of(1, 5, image="v1"), of(1, 9, image="v1")
    other = of(1, 20)
    hashed = owned_set({**made.obj, "metadata": {**made.obj["metadata"], "uid": "x"}})
    assert find_new(deployment(), [twin, older, other]) is older
    assert find_new(deployment(), [other, hashed]) is hashed
    assert find_new(deployment(), [other]) is None


def test_the_set_made_for_a_template_is_named_and_labelled_by_its_hash():
    made = make_new(deployment()).obj
    word = made["metadata"]["labels"][TEMPLATE_HASH]
    assert made["metadata"]["name"] == f"d-{word}"
    assert made["spec"]["selector"]["matchLabels"] == {**LABELS, TEMPLATE_HASH: word}
    assert made["spec"]["template"]["metadata"]["labels"][TEMPLATE_HASH] == word
    assert make_new(deployment()).name == made["metadata"]["name"]
    collided = {**deployment(), "status": {"collisionCount": 1}}
    assert make_new(collided).name != made["metadata"]["name"]


def test_annotations_are_copied_and_revisions_counted():
    annotations = {"kubernetes.io/change-cause": "why", REVISION: "9"}
    new = of(1, revision="1")
    assert annotate_new(deployment(annotations=annotations), new, 3)
    assert new.annotations[REVISION] == "3"
    assert new.annotations[REVISION_HISTORY] == "1"
    assert new.annotations["kubernetes.io/change-cause"] == "why"
    annotate_new(deployment(), new, 5)
    assert (new.annotations[REVISION], new.annotations[REVISION_HISTORY]) == ("5", "1,3")
    assert not annotate_new(deployment(), new, 4)
    assert new.annotations[REVISION] == "5"


def test_revisions_have_64_bits():
    assert revision_of_set(of(1, revision="3546343826724305832")) == 3546343826724305832
    assert revision_of_set(of(1, revision=str(1 << 63))) == 0


def test_the_history_of_revisions_is_bounded():
    past = ",".join(str(100_000 + n) for n in range(286))
    new = of(1, revision="7", **{REVISION_HISTORY: past})
    annotate_new(deployment(), new, 8)
    kept = new.annotations[REVISION_HISTORY]
    assert len(kept) <= 2000 and kept.endswith(",7") and not kept.startswith("100000")


def test_the_oldest_sets_without_pods_go():
    wanted = deployment()
    wanted["spec"]["revisionHistoryLimit"] = 1
    oldest, running, newest = of(0, 3, revision="1"), of(2, 2, revision="2"), of(0, 1, revision="3")
    assert expired(wanted, [newest, running, oldest]) == [oldest]
    unseen = of(0, 3, revision="1")
    unseen.obj["metadata"]["generation"] = 2
    assert expired(wanted, [newest, running, unseen]) == []
    del wanted["spec"]["revisionHistoryLimit"]
    assert expired(wanted, [newest, running, oldest]) == []
