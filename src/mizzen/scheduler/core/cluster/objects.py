"""API objects read into the cluster, one change at a time.

An object that cannot be read is left out and noted: one bad object must not stop the others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

from mizzen.base.objects import Key, Obj, key_of, labels_of, uid_of
from mizzen.base.reading import text
from mizzen.base.resources import (
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    NAMESPACES,
    NODES,
    POD_GROUPS,
    PODS,
    PRIORITY_CLASSES,
    RESOURCE_CLAIMS,
    RESOURCE_SLICES,
    Resource,
)
from mizzen.scheduler.core.claiming.claims import claim_view
from mizzen.scheduler.core.claiming.extended import classes_by_resource
from mizzen.scheduler.core.claiming.group_claims import GroupClaims, group_claims, with_group_claims
from mizzen.scheduler.core.claiming.taint_rules import TaintRule, read_rules, tainted
from mizzen.scheduler.core.claiming.unmade import with_unmade_claim
from mizzen.scheduler.core.cluster.gangs import OTHERS, Gangs
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.conventions.pod_group_status import says_scheduled, state
from mizzen.scheduler.core.dra.claim_spec import read_class
from mizzen.scheduler.core.dra.model import Selectors, SelectorsBusy
from mizzen.scheduler.core.limits import DEFAULT, Limits
from mizzen.scheduler.core.queue.policy import QueuePolicy
from mizzen.scheduler.core.queue.priority import POLICY as PRIORITY
from mizzen.scheduler.core.types import PodSpecView
from mizzen.scheduler.core.views import (
    PriorityClasses,
    is_settled,
    moved_on,
    node_view,
    pod_view,
    priority_classes,
    wants_placing,
)

WATCHED = (
    PRIORITY_CLASSES,
    NAMESPACES,
    DEVICE_CLASSES,
    DEVICE_TAINT_RULES,
    NODES,
    RESOURCE_SLICES,
    RESOURCE_CLAIMS,
    POD_GROUPS,
    PODS,
)  # in the order that costs least when all are new
READ_KEPT = 8192  # pods kept as they were, about 15 KB each
UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)


class Feed:
    """Takes objects in and keeps `cluster` up to date."""

    def __init__(
        self,
        selectors: Selectors,
        limits: Limits = DEFAULT,
        policies: Sequence[QueuePolicy] = (PRIORITY,),
    ) -> None:
        queues = {p.name: p.queue_of for p in policies if p.queue_of is not None}
        self.cluster = Cluster(selectors, limits, queues)
        self.cluster.queue_objects = {kind: {} for policy in policies for kind in policy.reads}
        self.gangs = Gangs(self.cluster)
        self.unreadable: dict[str, str] = {}  # by object: what is wrong with it
        self._priorities: PriorityClasses = {}
        self._priority_objects: dict[Key, Obj] = {}
        self._classes: dict[Key, Obj] = {}
        self._by_resource: Mapping[str, str] = {}
        # Pods that are not settled, as they were and what they said: they change in little.
        self._read: OrderedDict[Key, tuple[Obj, PodSpecView]] = OrderedDict()
        self._prioritised: dict[Key, Obj] = {}  # pods whose priority rests on a class
        self._with_extended: dict[Key, Obj] = {}  # pods that wait, and ask for devices by name
        self._shared: dict[Key, GroupClaims] = {}  # by PodGroup
        self._group_of: dict[Key, Key] = {}
        self._members: dict[Key, dict[Key, Obj]] = {}  # PodGroup -> pods that wait with claims
        self._unmade: dict[Key, Key] = {}  # pod -> the claim it is thought to get
        self._slices: dict[Key, tuple[Obj, Obj]] = {}  # as published, and with the rules' taints
        self._rule_objects: dict[Key, Obj] = {}
        self._rules: tuple[TaintRule, ...] = ()
        self._readers: dict[Resource, Callable[[Key, Obj], None]] = {
            PODS: self._pod,
            NAMESPACES: self._namespace,
            NODES: self._node,
            RESOURCE_CLAIMS: self._claim,
            RESOURCE_SLICES: self._slice,
            DEVICE_CLASSES: self._class,
            DEVICE_TAINT_RULES: self._rule,
            POD_GROUPS: self._group,
            PRIORITY_CLASSES: self._priority,
        }

    def upsert(self, resource: Resource, obj: Obj) -> None:
        """An object that is new or has changed.

        Errors: SelectorsBusy; upsert it again later.
        """
        key = key_of(obj)
        what = f'{resource.kind} "{key}"'
        try:
            if resource in self.cluster.queue_objects:
                self.cluster.queue_objects[resource][key] = obj
            if resource in OTHERS:
                self.gangs.set_owner(resource, key, obj)
            elif resource in self._readers:
                self._readers[resource](key, obj)
        except SelectorsBusy:
            if resource == RESOURCE_CLAIMS:
                self.cluster.unread.add(key)
            raise
        except UNREADABLE as error:
            self.unreadable[what] = repr(error)
            self._forget(resource, key)
        else:
            if self.unreadable:
                self.unreadable.pop(what, None)

    def knows(self, resource: Resource, key: Key, obj: Obj) -> bool:
        """True if this very version is known: what we wrote comes back by the watch."""
        version = obj["metadata"].get("resourceVersion")
        if resource == PODS:
            known = self.cluster.pods.get(key)
        elif resource == RESOURCE_CLAIMS:
            state = self.cluster.claims.get(key)
            if key in self.cluster.unread:
                return False
            known = state.claim if state is not None else None
        else:
            return False
        return (
            known is not None
            and bool(version)
            and known.resource_version == version
            and known.uid == uid_of(obj)
        )

    def settle(self) -> Cluster:
        """The cluster, with all gangs worked out anew that something changed about."""
        self.gangs.settle()
        return self.cluster

    def delete(self, resource: Resource, key: Key) -> None:
        """An object that is gone."""
        self.unreadable.pop(f'{resource.kind} "{key}"', None)
        self._forget(resource, key)

    def _forget(self, resource: Resource, key: Key) -> None:
        cluster = self.cluster
        if resource in cluster.queue_objects:
            cluster.queue_objects[resource].pop(key, None)
        if resource == PODS:
            self.gangs.concerns(cluster.pods.get(key), None)
            cluster.delete_pod(key)
            self._read.pop(key, None)
            self._prioritised.pop(key, None)
            self._drop_unmade_claim(key)
            self._drop_member(key)
        elif resource == NODES:
            self.gangs.delete_node(key.name)
        elif resource == NAMESPACES:
            cluster.set_namespace(key.name, None)
        elif resource == RESOURCE_CLAIMS:
            cluster.delete_claim(key)
            cluster.unread.discard(key)
            self._request_again(key)
        elif resource == RESOURCE_SLICES:
            cluster.delete_slice(key.name)
            self._slices.pop(key, None)
        elif resource == DEVICE_TAINT_RULES:
            if self._rule_objects.pop(key, None) is not None:
                self._retaint()
        elif resource == DEVICE_CLASSES:
            cluster.delete_class(key.name)
            if self._classes.pop(key, None) is not None:
                self._reclass()
        elif resource == POD_GROUPS:
            cluster.pod_groups.pop(key, None)
            cluster.deserted.discard(key)
            self._shared.pop(key, None)
            self.gangs.delete_owner(POD_GROUPS, key)
        elif resource in OTHERS:
            self.gangs.delete_owner(resource, key)
        elif resource == PRIORITY_CLASSES and self._priority_objects.pop(key, None) is not None:
            self._reprioritise()

    # -- pods --------------------------------------------------------------------------------

    def _pod(self, key: Key, obj: Obj) -> None:
        view = self._view(key, obj)
        spec: Obj = obj["spec"]
        wants = wants_placing(obj)
        if spec.get("priority") is None:
            self._prioritised[key] = obj
        elif self._prioritised:
            self._prioritised.pop(key, None)
        if self._unmade or self._with_extended:
            self._drop_unmade_claim(key)
        if wants and view.extended_requests:
            view = self._with_unmade_claim(view, obj)
        if view.claims:
            view = self._with_group(view, obj, wants)
        old = self.cluster.pods.get(key)
        self.cluster.set_pod(view, wants_place=wants)
        self.gangs.concerns(old, view)

    def _view(self, key: Key, obj: Obj) -> PodSpecView:
        """The pod as it describes itself."""
        known = self._read.pop(key, None)
        view = moved_on(known[1], known[0], obj) if known is not None else None
        if view is None:
            view = pod_view(obj, self._priorities)
        if not is_settled(obj):
            self._read[key] = (obj, view)
            if len(self._read) > READ_KEPT:
                self._read.popitem(last=False)
        return view

    def _with_group(self, view: PodSpecView, obj: Obj, wants: bool) -> PodSpecView:
        """The pod as it shares claims with its PodGroup, which may change while it waits."""
        self._drop_member(view.key)
        name = text(obj, "spec", "schedulingGroup", "podGroupName")
        if not name or not wants:
            return view
        group = self._group_of[view.key] = Key(view.key.namespace, name)
        self._members.setdefault(group, {})[view.key] = obj
        shared = self._shared.get(group)
        return view if shared is None else with_group_claims(view, shared)

    def _drop_member(self, key: Key) -> None:
        group = self._group_of.pop(key, None)
        if group is not None:
            del self._members[group][key]
            if not self._members[group]:
                del self._members[group]

    def _with_unmade_claim(self, view: PodSpecView, obj: Obj) -> PodSpecView:
        """The pod with a claim that is only thought of, where a DeviceClass can meet what it asks for by name."""
        self._with_extended[view.key] = obj
        asking, unmade = with_unmade_claim(view, self._is_made, self._by_resource)
        if unmade is not None:
            self._unmade[view.key] = unmade.key
            self.cluster.set_claim(unmade)
        return asking

    def _is_made(self, claim: Key) -> bool:
        state = self.cluster.claims.get(claim)
        return state is not None and not state.claim.is_unmade

    def _drop_unmade_claim(self, key: Key) -> None:
        self._with_extended.pop(key, None)
        claim = self._unmade.pop(key, None)
        state = self.cluster.claims.get(claim) if claim is not None else None
        if claim is not None and state is not None and state.claim.is_unmade:
            self.cluster.delete_claim(claim)

    def _request_again(self, claim: Key) -> None:
        """The claim made for what a pod asks for by name is gone while the pod waits."""
        for key, obj in list(self._with_extended.items()):
            if self._unmade.get(key, claim) == claim:
                self._pod(key, obj)

    # -- the others ----------------------------------------------------------------------------

    def _node(self, key: Key, obj: Obj) -> None:
        self.gangs.set_node(node_view(obj))

    def _namespace(self, key: Key, obj: Obj) -> None:
        self.cluster.set_namespace(key.name, labels_of(obj))

    def _claim(self, key: Key, obj: Obj) -> None:
        self.cluster.set_claim(claim_view(obj))
        self.cluster.unread.discard(key)

    def _slice(self, key: Key, obj: Obj) -> None:
        shown = tainted(obj, self._rules) if self._rules else obj
        self.cluster.set_slice(shown)
        self._slices[key] = (obj, shown)

    def _rule(self, key: Key, obj: Obj) -> None:
        read_rules((obj,))  # it must be readable
        self._rule_objects[key] = obj
        self._retaint()

    def _retaint(self) -> None:
        """Slices that rules apply to, or applied to until now, are read again."""
        rules = read_rules(self._rule_objects.values())
        if rules == self._rules:
            return
        self._rules = rules
        for key, (obj, shown) in self._slices.items():
            now = tainted(obj, rules)
            if now != shown:
                self.cluster.set_slice(now)
                self._slices[key] = (obj, now)

    def _class(self, key: Key, obj: Obj) -> None:
        self.cluster.set_class(read_class(obj))
        self._classes[key] = obj
        self._reclass()

    def _reclass(self) -> None:
        self._by_resource = classes_by_resource(self._classes.values())
        for key, obj in list(self._with_extended.items()):
            self._pod(key, obj)

    def _group(self, key: Key, obj: Obj) -> None:
        group = self.cluster.pod_groups[key] = state(obj)
        if says_scheduled(group) and key not in self.cluster.members:
            self.cluster.deserted.add(key)
        else:
            self.cluster.deserted.discard(key)
        self.gangs.set_owner(POD_GROUPS, key, obj)
        before, shared = self._shared.pop(key, None), group_claims(obj)
        if shared is not None:
            self._shared[key] = shared
        if shared != before:
            for pod, found in list(self._members.get(key, {}).items()):
                self._pod(pod, found)

    def _priority(self, key: Key, obj: Obj) -> None:
        self._priority_objects[key] = obj
        self._reprioritise()

    def _reprioritise(self) -> None:
        found = priority_classes(self._priority_objects.values())
        if found != self._priorities:
            self._priorities = found
            self.gangs.set_classes({name: value for name, (value, _, _) in found.items()})
            for obj in list(self._prioritised.values()):
                self.upsert(PODS, obj)
