"""The ReplicaSets of a Deployment: which is the new one, their revisions and how they are scaled.

Source: kube-controller-manager `pkg/controller/deployment/util`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mizzen.base.int_or_percent import scaled
from mizzen.base.objects import (
    Obj,
    annotations_of,
    is_terminating,
    name_of,
    namespace_of,
    owner_reference,
    uid_of,
)
from mizzen.base.operations import Create, Operation, Patch
from mizzen.base.reading import number, part, text
from mizzen.base.resources import REPLICA_SETS
from mizzen.controllers.core.pod_templates import hash_of

REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
TEMPLATE_HASH = "pod-template-hash"
ROLLBACK_TO = "deprecated.deployment.rollback.to"
HISTORY_CHARS_MAX = 2000
_INT64_MAX = (1 << 63) - 1
INT32_MAX = 2**31 - 1
_NAME_CHARS_MAX = 253
# Of a Deployment's annotations these are not copied to its ReplicaSets.
_OWN = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
        ROLLBACK_TO,
    )
)


@dataclass(slots=True)
class OwnedSet:
    """A ReplicaSet while a plan is made: its replicas as they will be, and what is written."""

    obj: Obj
    replicas: int
    is_new: bool = False  # made by this plan
    change: Obj = field(default_factory=dict[str, object])

    @property
    def name(self) -> str:
        return name_of(self.obj)

    @property
    def annotations(self) -> dict[str, str]:
        return {**annotations_of(self.obj), **part(self.change, "metadata", "annotations")}

    @property
    def available(self) -> int:
        return number(self.obj, "status", "availableReplicas")

    def annotate(self, annotations: dict[str, str]) -> bool:
        """Adds those that differ; True if any does."""
        have = self.annotations
        news = {key: value for key, value in annotations.items() if have.get(key) != value}
        if news:
            metadata: Obj = self.change.setdefault("metadata", {})
            metadata.setdefault("annotations", {}).update(news)
        return bool(news)

    def set_spec(self, name: str, value: int) -> None:
        self.change.setdefault("spec", {})[name] = value

    def operations(self) -> list[Operation]:
        """The write that carries this out, if any."""
        if self.is_new:
            metadata = {**self.obj["metadata"], "annotations": self.annotations}
            spec = {**self.obj["spec"], "replicas": self.replicas}
            return [Create(REPLICA_SETS, {"metadata": metadata, "spec": spec})]
        if not self.change:
            return []
        version = str(self.obj["metadata"].get("resourceVersion") or "")
        name, namespace = self.name, namespace_of(self.obj)
        return [
            Patch(REPLICA_SETS, namespace, name, self.change, "", version, uid_of(self.obj)),
        ]


def owned_set(obj: Obj) -> OwnedSet:
    return OwnedSet(obj, number(obj, "spec", "replicas"))


# -- new and old ------------------------------------------------------------------------


def by_age(one: OwnedSet) -> tuple[str, str]:
    return text(one.obj, "metadata", "creationTimestamp"), one.name


def find_new(deployment: Obj, sets: Iterable[OwnedSet]) -> OwnedSet | None:
    """The oldest set with the Deployment's template, but for the hash label."""
    template = _without_hash(part(deployment, "spec", "template"))
    return next(
        (
            one
            for one in sorted(sets, key=by_age)
            if _without_hash(part(one.obj, "spec", "template")) == template
        ),
        None,
    )


def _without_hash(template: Obj) -> Obj:
    metadata = part(template, "metadata")
    labels = {k: v for k, v in part(metadata, "labels").items() if k != TEMPLATE_HASH}
    rest = {k: v for k, v in metadata.items() if k not in ("labels", "creationTimestamp") and v}
    return {**template, "metadata": {**rest, "labels": labels}}


def make_new(deployment: Obj) -> OwnedSet:
    """The set of the Deployment's template, with no replicas yet."""
    template = part(deployment, "spec", "template")
    word = hash_of(template, number(deployment, "status", "collisionCount"))
    metadata = part(template, "metadata")
    labels = {**part(metadata, "labels"), TEMPLATE_HASH: word}
    selector = part(deployment, "spec", "selector")
    match_labels = {**part(selector, "matchLabels"), TEMPLATE_HASH: word}
    spec: Obj = {
        "replicas": 0,
        "selector": {**selector, "matchLabels": match_labels},
        "template": {**template, "metadata": {**metadata, "labels": labels}},
    }
    if number(deployment, "spec", "minReadySeconds"):
        spec["minReadySeconds"] = number(deployment, "spec", "minReadySeconds")
    name = f"{name_of(deployment)[: _NAME_CHARS_MAX - 1 - len(word)]}-{word}"
    made: Obj = {
        "metadata": {
            "name": name,
            "namespace": namespace_of(deployment),
            "labels": labels,
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": spec,
    }
    return OwnedSet(made, 0, is_new=True)


# -- revisions --------------------------------------------------------------------------


def revision_of_set(one: OwnedSet) -> int:
    """The rollout that it was made for or came back in; 0 where it is no number."""
    return _count(one.annotations.get(REVISION)) or 0


def annotate_new(deployment: Obj, new: OwnedSet, revision: int) -> bool:
    """Gives the new set the Deployment's annotations and this revision, unless it has a later one.

    True if anything changed. The revisions that it had before are kept as its history.
    """
    copied = {k: v for k, v in annotations_of(deployment).items() if k not in _OWN}
    has_changed = new.annotate(copied)
    had = new.annotations.get(REVISION)
    before = _count(had)
    if had and before is None:
        return False
    if (before or 0) < revision:
        has_changed = True
        new.annotate({REVISION: str(revision)})
        if had:
            new.annotate({REVISION_HISTORY: _history(new.annotations, had)})
    if new.is_new:
        has_changed = annotate_size(deployment, new) or has_changed
    return has_changed


def _history(annotations: dict[str, str], had: str) -> str:
    past = [each for each in (annotations.get(REVISION_HISTORY) or "").split(",") if each]
    past.append(had)
    while len(past) > 1 and len(",".join(past)) > HISTORY_CHARS_MAX:
        del past[0]
    return ",".join(past)


def annotate_size(deployment: Obj, one: OwnedSet) -> bool:
    """Notes how many replicas the Deployment wants, and may have, beside the set's own number."""
    wanted = number(deployment, "spec", "replicas")
    most = wanted + max_surge(deployment)
    return one.annotate({DESIRED_REPLICAS: str(wanted), MAX_REPLICAS: str(most)})


def _count(written: str | None) -> int | None:
    """Errors: none; what is no number of 64 bits is None."""
    if not written or not written.isascii() or not written.isdigit() or len(written) > 19:
        return None
    found = int(written)
    return found if found <= _INT64_MAX else None


# -- arithmetic of a rollout ------------------------------------------------------------


def is_rolling(deployment: Obj) -> bool:
    return text(deployment, "spec", "strategy", "type") != "Recreate"


def max_surge(deployment: Obj) -> int:
    """Pods that may be there beyond those wanted; 0 unless it rolls."""
    return _fenceposts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Obj) -> int:
    """Pods that may be unavailable meanwhile, at most all; 0 unless it rolls."""
    wanted = number(deployment, "spec", "replicas")
    if not is_rolling(deployment) or wanted == 0:
        return 0
    return min(_fenceposts(deployment)[1], wanted)


def _fenceposts(deployment: Obj) -> tuple[int, int]:
    """Both at once: where both are 0, by rounding down, one may be unavailable."""
    strategy = part(deployment, "spec", "strategy", "rollingUpdate")
    wanted = number(deployment, "spec", "replicas")
    surge = scaled(strategy.get("maxSurge"), wanted, round_up=True)
    unavailable = scaled(strategy.get("maxUnavailable"), wanted, round_up=False)
    return surge, unavailable if surge or unavailable else 1


def replicas_of_new(deployment: Obj, sets: Iterable[OwnedSet], new: OwnedSet) -> int:
    """The size that the new set may have now: as many as the surge leaves room for."""
    wanted = number(deployment, "spec", "replicas")
    if not is_rolling(deployment):
        return wanted
    strategy = part(deployment, "spec", "strategy", "rollingUpdate")
    most = wanted + scaled(strategy.get("maxSurge"), wanted, round_up=True)
    room = most - sum(one.replicas for one in sets)
    if room <= 0:
        return new.replicas
    return new.replicas + min(room, wanted - new.replicas)


def is_saturated(deployment: Obj, new: OwnedSet | None) -> bool:
    """True if the new set has all replicas, knows so, and all are available."""
    wanted = number(deployment, "spec", "replicas")
    if new is None or _count(new.annotations.get(DESIRED_REPLICAS)) != wanted:
        return False
    return new.replicas == wanted and new.available == wanted


def active_or_latest(new: OwnedSet | None, old: Sequence[OwnedSet]) -> OwnedSet | None:
    """The only set with replicas, or the latest where none has any; None for several."""
    every = [*([new] if new is not None else []), *sorted(old, key=by_age, reverse=True)]
    active = [one for one in every if one.replicas > 0]
    if len(active) > 1:
        return None
    return (active or every or [None])[0]


def is_scaling(deployment: Obj, sets: Iterable[OwnedSet]) -> bool:
    """True if the Deployment wants another number than a set with replicas was made for."""
    wanted = number(deployment, "spec", "replicas")
    noted = (_count(one.annotations.get(DESIRED_REPLICAS)) for one in sets if one.replicas > 0)
    return any(count is not None and count != wanted for count in noted)


def in_proportion(deployment: Obj, active: Iterable[OwnedSet]) -> list[tuple[OwnedSet, int]]:
    """The size of each set with replicas when the Deployment is scaled amid a rollout.

    What is added or taken is shared by size, the largest first; of equals the newest grows and the
    oldest shrinks first. What rounding leaves goes to the largest.
    """
    wanted = number(deployment, "spec", "replicas")
    most = wanted + max_surge(deployment) if wanted > 0 else 0
    sets = sorted(active, key=by_age)
    total = most - sum(one.replicas for one in sets)
    if total > 0:
        sets.reverse()
    if total:
        sets.sort(key=lambda one: -one.replicas)
    sizes: list[tuple[OwnedSet, int]] = []
    added = 0
    for one in sets:
        share = 0
        if total and total != added and one.replicas:
            fraction = _fraction(deployment, one)
            left = total - added
            share = min(fraction, left) if total > 0 else max(fraction, left)
        sizes.append((one, one.replicas + share))
        added += share
    if sizes and total:
        largest, size = sizes[0]
        sizes[0] = largest, max(0, size + total - added)
    return sizes


def _fraction(deployment: Obj, one: OwnedSet) -> int:
    wanted = number(deployment, "spec", "replicas")
    if wanted == 0:
        return -one.replicas
    before = _count(one.annotations.get(MAX_REPLICAS))
    if not before or before > INT32_MAX:
        before = number(deployment, "status", "replicas")
        if not before:
            return 0
    # Rounded half away from zero, in integers.
    most = wanted + max_surge(deployment)
    return (2 * one.replicas * most + before) // (2 * before) - one.replicas


def expired(deployment: Obj, old: Sequence[OwnedSet]) -> list[OwnedSet]:
    """Old sets beyond the history's limit that can go: the oldest ones, without pods."""
    limit = part(deployment, "spec").get("revisionHistoryLimit")
    if limit is None or limit == INT32_MAX:
        return []
    alive = [one for one in old if not is_terminating(one.obj)]
    surplus = len(alive) - int(limit)
    if surplus <= 0:
        return []
    alive.sort(key=lambda one: (revision_of_set(one), by_age(one)))
    return [one for one in alive[:surplus] if _is_empty(one)]


def _is_empty(one: OwnedSet) -> bool:
    is_observed = number(one.obj, "metadata", "generation") <= number(
        one.obj, "status", "observedGeneration"
    )
    return not one.replicas and not number(one.obj, "status", "replicas") and is_observed
