"""Which nodes a pod's neighbours let it be on, read off the objects themselves, nothing remembered.

Against `core/neighbours`: written from the documents on required pod affinity and anti-affinity,
topologySpreadConstraints and hostPort, by going through every pod for every node.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mizzen.base.objects import Obj

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def allowed(
    nodes: Iterable[Obj], there: Iterable[Obj], pod: Obj, namespaces: Mapping[str, Obj]
) -> set[str]:
    """Names of nodes that neither the pod's own requirements nor those of pods there forbid."""
    world = _World(list(nodes), list(there), namespaces)
    return {n["metadata"]["name"] for n in world.nodes if world.takes(n, pod)}


class _World:
    def __init__(self, nodes: list[Obj], there: list[Obj], namespaces: Mapping[str, Obj]) -> None:
        self.nodes, self.namespaces = nodes, namespaces
        self.by_name = {n["metadata"]["name"]: n for n in nodes}
        self.there = [p for p in there if p["spec"].get("nodeName") in self.by_name]

    def takes(self, node: Obj, pod: Obj) -> bool:
        return (
            self._has_ports(node, pod)
            and self._is_near(node, pod)
            and self._is_apart(node, pod)
            and self._is_spread(node, pod)
        )

    def _has_ports(self, node: Obj, pod: Obj) -> bool:
        name = node["metadata"]["name"]
        taken = [t for p in self.there if p["spec"]["nodeName"] == name for t in _ports(p)]
        for protocol, address, number in _ports(pod):
            for protocol2, address2, number2 in taken:
                anywhere = "0.0.0.0" in (address, address2)
                same = (protocol, number) == (protocol2, number2)
                if same and (anywhere or address == address2):
                    return False
        return True

    def _is_near(self, node: Obj, pod: Obj) -> bool:
        terms = _terms(pod, "podAffinity")
        if any(t["topologyKey"] not in _labels(node) for t in terms):
            return False
        company = [p for p in self.there if all(self._means(pod, t, p) for t in terms)]
        anywhere = [
            p for p in company if any(t["topologyKey"] in _labels(self._node_of(p)) for t in terms)
        ]
        if not anywhere and all(self._means(pod, t, pod) for t in terms):
            return True
        return all(
            any(_share(node, self._node_of(p), t["topologyKey"]) for p in company) for t in terms
        )

    def _is_apart(self, node: Obj, pod: Obj) -> bool:
        for other in self.there:
            place = self._node_of(other)
            for term in _terms(pod, "podAntiAffinity"):
                if self._means(pod, term, other) and _share(node, place, term["topologyKey"]):
                    return False
            for term in _terms(other, "podAntiAffinity"):
                if self._means(other, term, pod) and _share(node, place, term["topologyKey"]):
                    return False
        return True

    def _is_spread(self, node: Obj, pod: Obj) -> bool:
        listed = pod["spec"].get("topologySpreadConstraints") or []
        hard = [c for c in listed if c["whenUnsatisfiable"] == "DoNotSchedule"]
        for one in hard:
            key = one["topologyKey"]
            if key not in _labels(node):
                return False
            counts: dict[str, int] = {}
            for other in self.nodes:
                if any(c["topologyKey"] not in _labels(other) for c in hard):
                    continue
                if not _includes(one, other, pod):
                    continue
                value = _labels(other)[key]
                counts[value] = counts.get(value, 0) + sum(
                    self._counts(one, pod, p) for p in self.there if self._node_of(p) is other
                )
            least = min(counts.values(), default=0)
            if len(counts) < (one.get("minDomains") or 1):
                least = 0
            after = counts.get(_labels(node)[key], 0) + self._counts(one, pod, pod)
            if after - least > one["maxSkew"]:
                return False
        return True

    def _counts(self, one: Obj, pod: Obj, other: Obj) -> bool:
        if other["metadata"].get("deletionTimestamp"):
            return False
        if other["metadata"]["namespace"] != pod["metadata"]["namespace"]:
            return False
        return _selected(one, pod, other)

    def _means(self, owner: Obj, term: Obj, other: Obj) -> bool:
        """Whether a term of one pod is about the other."""
        own, home = owner["metadata"]["namespace"], other["metadata"]["namespace"]
        listed, selector = term.get("namespaces") or [], term.get("namespaceSelector")
        if not listed and selector is None:
            fits = own == home
        else:
            known = self.namespaces.get(home, {}).get("metadata", {}).get("labels") or {}
            fits = home in listed or (selector is not None and _matches(selector, known))
        return fits and _selected(term, owner, other)

    def _node_of(self, pod: Obj) -> Obj:
        return self.by_name[pod["spec"]["nodeName"]]


def _selected(asked: Obj, owner: Obj, other: Obj) -> bool:
    selector = asked.get("labelSelector")
    if selector is None or not _matches(selector, _labels(other)):
        return False
    mine, theirs = _labels(owner), _labels(other)
    same = [k for k in asked.get("matchLabelKeys") or () if k in mine]
    unlike = [k for k in asked.get("mismatchLabelKeys") or () if k in mine]
    return all(theirs.get(k) == mine[k] for k in same) and all(
        theirs.get(k) != mine[k] for k in unlike
    )


def _matches(selector: Obj, labels: Mapping[str, str]) -> bool:
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    for one in selector.get("matchExpressions") or ():
        value, listed = labels.get(one["key"]), one.get("values") or []
        right = {
            "In": value in listed,
            "NotIn": value not in listed,
            "Exists": value is not None,
            "DoesNotExist": value is None,
        }[one["operator"]]
        if not right:
            return False
    return True


def _includes(one: Obj, node: Obj, pod: Obj) -> bool:
    """Whether the node is one that the spread looks at."""
    if one.get("nodeAffinityPolicy") != "Ignore":
        wanted = pod["spec"].get("nodeSelector") or {}
        if any(_labels(node).get(k) != v for k, v in wanted.items()):
            return False
    if one.get("nodeTaintsPolicy") == "Honor":
        tolerated = {t["key"] for t in pod["spec"].get("tolerations") or ()}
        taints = [t["key"] for t in node["spec"].get("taints") or ()]
        if node["spec"].get("unschedulable"):
            taints.append("node.kubernetes.io/unschedulable")
        return set(taints) <= tolerated
    return True


def _terms(pod: Obj, kind: str) -> list[Obj]:
    return ((pod["spec"].get("affinity") or {}).get(kind) or {}).get(REQUIRED) or []


def _ports(pod: Obj) -> list[tuple[str, str, int]]:
    return [
        (p.get("protocol", "TCP"), p.get("hostIP") or "0.0.0.0", p["hostPort"])
        for c in pod["spec"]["containers"]
        for p in c.get("ports") or ()
        if p.get("hostPort")
    ]


def _labels(obj: Obj) -> Mapping[str, str]:
    return obj["metadata"].get("labels") or {}


def _share(one: Obj, other: Obj, key: str) -> bool:
    value = _labels(one).get(key)
    return value is not None and _labels(other).get(key) == value
