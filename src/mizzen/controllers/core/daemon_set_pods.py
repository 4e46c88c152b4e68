"""The pods of a DaemonSet: on which nodes they run, and what is added to them.

Source: kube-controller-manager `pkg/controller/daemon` and its util.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple
from weakref import WeakKeyDictionary

from mizzen.base.images import differ, kind_of_node, kind_of_pod
from mizzen.base.int_or_percent import scaled
from mizzen.base.objects import Key, Obj, name_of, uid_of
from mizzen.base.reading import entries, number, part, text
from mizzen.base.resources import NODES
from mizzen.controllers.core.device_evictions import NO_EXECUTE
from mizzen.controllers.core.node_matching import node_filter, untolerated
from mizzen.controllers.core.pod_templates import pod_of
from mizzen.controllers.core.replicas import Replica
from mizzen.controllers.core.revisions import REVISION_LABEL
from mizzen.controllers.core.view import View

NO_SCHEDULE = "NoSchedule"
_DAEMONS_KNOWN_MAX = 256  # whose nodes are remembered
GENERATION_LABEL = "pod-template-generation"
GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_ADDED = (
    ("node.kubernetes.io/not-ready", NO_EXECUTE),
    ("node.kubernetes.io/unreachable", NO_EXECUTE),
    ("node.kubernetes.io/disk-pressure", NO_SCHEDULE),
    ("node.kubernetes.io/memory-pressure", NO_SCHEDULE),
    ("node.kubernetes.io/pid-pressure", NO_SCHEDULE),
    ("node.kubernetes.io/unschedulable", NO_SCHEDULE),
)
_HOST_NETWORK = ("node.kubernetes.io/network-unavailable", NO_SCHEDULE)


class DaemonPod(NamedTuple):
    """One pod of a DaemonSet that exists."""

    key: Key
    facts: Replica
    is_updated: bool  # of the newest revision


class Place(NamedTuple):
    """May a pod be started on a node, and may one that is there stay?"""

    starts: bool
    stays: bool


def places(daemon: Obj) -> Callable[[Obj], Place]:
    """Says of a node what a pod of the DaemonSet may do there."""
    spec = part(daemon, "spec", "template", "spec")
    fits = node_filter(spec)
    tolerations = with_tolerations(spec)
    named = text(spec, "nodeName")
    images = kind_of_pod(spec)
    repelling, evicting = frozenset((NO_EXECUTE, NO_SCHEDULE)), frozenset((NO_EXECUTE,))
    neither, both = Place(starts=False, stays=False), Place(starts=True, stays=True)

    def place(node: Obj) -> Place:
        if (named and named != name_of(node)) or not fits(node):
            return neither
        if differ(images, kind_of_node(node)):
            return neither
        taints = entries(node, "spec", "taints")
        if not untolerated(taints, tolerations, repelling):
            return both
        stays = not untolerated(taints, tolerations, evicting)
        return Place(starts=False, stays=stays)

    return place


class _Known:
    """What was worked out for one DaemonSet's template, by node and its resourceVersion."""

    __slots__ = ("generation", "nodes", "place")

    def __init__(self, generation: int, place: Callable[[Obj], Place]) -> None:
        self.generation, self.place = generation, place
        self.nodes: dict[str, tuple[str, Place]] = {}


_KNOWN: WeakKeyDictionary[View, dict[str, _Known]] = WeakKeyDictionary()


def places_in(view: View, daemon: Obj) -> Callable[[Obj], Place]:
    """As `places`; of a node that has not changed since the last turn it is not asked again."""
    generation = number(daemon, "metadata", "generation")
    if not generation:
        return places(daemon)
    of_view = _KNOWN.setdefault(view, {})
    known = of_view.get(uid_of(daemon))
    if known is None or known.generation != generation:
        if len(of_view) >= _DAEMONS_KNOWN_MAX:
            of_view.clear()
        known = of_view[uid_of(daemon)] = _Known(generation, places(daemon))
    elif len(known.nodes) > 2 * len(view.all(NODES)) + 1:  # most of those are gone
        known.nodes.clear()
    nodes, ask = known.nodes, known.place

    def place(node: Obj) -> Place:
        metadata: Obj = node["metadata"]
        name, version = metadata["name"], metadata.get("resourceVersion") or ""
        found = nodes.get(name)
        if found is not None and found[0] == version and version:
            return found[1]
        asked = ask(node)
        nodes[name] = version, asked
        return asked

    return place


def with_tolerations(spec: Obj) -> list[Obj]:
    """The pod's tolerations with those that every daemon pod has."""
    found = list(entries(spec, "tolerations"))
    for key, effect in (*_ADDED, *((_HOST_NETWORK,) if spec.get("hostNetwork") else ())):
        added: Obj = {"key": key, "operator": "Exists", "effect": effect}
        index = next((i for i, each in enumerate(found) if _is_same(each, added)), None)
        if index is None:
            found.append(added)
        else:
            found[index] = added
    return found


def _is_same(one: Obj, other: Obj) -> bool:
    """Source: Toleration.MatchToleration."""
    fields = ("key", "effect", "operator", "value")
    return all((one.get(each) or "") == (other.get(each) or "") for each in fields)


def make_pod(daemon: Obj, node: str, revision: str, name: str) -> Obj:
    """A pod that the scheduler can bind to this node alone."""
    pod = pod_of(part(daemon, "spec", "template"), daemon, name)
    labels: dict[str, str] = pod["metadata"]["labels"]
    generation = generation_of(daemon)
    if generation:
        labels[GENERATION_LABEL] = generation
    labels[REVISION_LABEL] = revision
    spec: Obj = pod["spec"]
    affinity = part(spec, "affinity")
    node_affinity = part(affinity, "nodeAffinity")
    field: Obj = {"key": "metadata.name", "operator": "In", "values": [node]}
    required: Obj = {
        **part(node_affinity, _REQUIRED),
        "nodeSelectorTerms": [{"matchFields": [field]}],
    }
    pod["spec"] = {
        **spec,
        "tolerations": with_tolerations(spec),
        "affinity": {**affinity, "nodeAffinity": {**node_affinity, _REQUIRED: required}},
    }
    return pod


def generation_of(daemon: Obj) -> str:
    """The template's generation as an old annotation says it; "" where it is no number."""
    found = text(daemon, "metadata", "annotations", GENERATION_ANNOTATION)
    return found if found.isascii() and found.isdigit() else ""


def is_updated(daemon: Obj, pod: Replica, revision: str) -> bool:
    labels = dict(pod.labels)
    generation = generation_of(daemon)
    return labels.get(REVISION_LABEL) == revision or bool(
        generation and labels.get(GENERATION_LABEL) == generation
    )


def oldest_first(pods: Iterable[DaemonPod]) -> list[DaemonPod]:
    """Bound ones first, then by age."""
    return sorted(pods, key=lambda p: (not p.facts.node, p.facts.created_ns, p.key.name))


def surge_of(daemon: Obj, nodes: int) -> int:
    return _share(daemon, "maxSurge", nodes)


def unavailable_of(daemon: Obj, nodes: int) -> int:
    return _share(daemon, "maxUnavailable", nodes)


def _share(daemon: Obj, name: str, nodes: int) -> int:
    strategy = part(daemon, "spec", "updateStrategy")
    if strategy.get("type") == "OnDelete":
        return 0
    return scaled(part(strategy, "rollingUpdate").get(name), nodes, round_up=True)
