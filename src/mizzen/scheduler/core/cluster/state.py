"""The cluster: nodes, devices, claims, pods and gangs as values, kept up to date by deltas.

`objects.py` reads API objects into it. Plans are made in it and undone: what a plan wants enters
only once it is written, by the same deltas as everything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from mizzen.base.objects import Key, Obj
from mizzen.base.resources import Resource
from mizzen.scheduler.core.cluster.holdings import ClaimState, Holdings, owns_cores
from mizzen.scheduler.core.cluster.layouts import Terms
from mizzen.scheduler.core.cluster.nodes import Nodes
from mizzen.scheduler.core.cluster.pools import Pools
from mizzen.scheduler.core.cluster.shapes import Shapes
from mizzen.scheduler.core.cluster.signatures import Signatures
from mizzen.scheduler.core.conventions.gang import Gang
from mizzen.scheduler.core.conventions.pod_group_status import PodGroupState, says_scheduled
from mizzen.scheduler.core.dra.model import (
    Allocation,
    AllocationError,
    ClaimRequest,
    DeviceClass,
    DeviceId,
    Selectors,
)
from mizzen.scheduler.core.limits import DEFAULT, Limits
from mizzen.scheduler.core.queue.usage import Amounts, Usage
from mizzen.scheduler.core.types import Claim, NodeView, Placement, PodSpecView

NO_QUEUES: Mapping[str, Callable[[PodSpecView], str]] = {}


class Cluster:
    """Everything placing depends on. Not a value: it is fed, asked, and rolled back.

    Between decisions nothing is left on the undo log. Deltas must not come between a mark and its
    rollback.
    """

    def __init__(
        self,
        selectors: Selectors,
        limits: Limits = DEFAULT,
        queues: Mapping[str, Callable[[PodSpecView], str]] = NO_QUEUES,
    ) -> None:
        """`queues` tells, for each queue policy that counts, a pod's queue, "" for none."""
        self.limits = limits
        self.terms = Terms(selectors)
        self.signatures = Signatures(self.terms, limits)
        self.nodes = Nodes(self.signatures, limits)
        self.usage = {name: Usage(of, self._devices_by_claim) for name, of in queues.items()}
        self.holdings = Holdings(self.nodes, limits, list(self.usage.values()))
        self.pools = Pools(limits)
        self.shapes = Shapes(self.nodes, limits)
        self.claims: dict[Key, ClaimState] = {}
        self.pods: dict[Key, PodSpecView] = {}
        self.waiting: dict[Key, PodSpecView] = {}  # to be placed
        self.gangs: dict[Key, Gang] = {}
        self.exclusive: dict[Key, Gang] = {}  # those that want domains for themselves
        self.pod_groups: dict[Key, PodGroupState] = {}
        self.members: dict[Key, dict[Key, PodSpecView]] = {}  # by gang
        self.unread: set[Key] = set()  # claims whose selectors could not be looked at yet
        self.deserted: set[Key] = set()  # gangs said to have places, none of whose members is left
        self.queue_objects: dict[Resource, dict[Key, Obj]] = {}  # of kinds that queue policies read
        self.leaving: dict[Key, PodSpecView] = {}  # terminating pods and a plan's victims
        self.arrived: list[Placement] = []  # placed or promised a place by a plan
        self.chips: dict[int, list[int]] = {}  # devices held by pods of a priority, by node
        self.version = 0  # grows with every change of what claims are read against
        self._alive: dict[str, Key] = {}  # uids of pods that are not finished
        self._on_node: dict[str, set[Key]] = {}  # pods bound there
        self._users_of: dict[Key, set[Key]] = {}  # claim -> pods that name it
        self._idle: set[Key] = set()  # claims allocated that no live pod uses

    # -- undo -------------------------------------------------------------------------------

    def mark(self) -> int:
        return self.nodes.mark()

    def rollback(self, mark: int) -> None:
        self.nodes.rollback(mark)

    # -- nodes and devices ---------------------------------------------------------------------

    def set_node(self, view: NodeView) -> None:
        """A node that is new or has changed."""
        number = self.nodes.index.get(view.name)
        if number is not None and not self.nodes.moves(number, view):
            self.nodes.revise(number, view)
        else:
            if number is not None:
                self.delete_node(view.name)
            layout, pool_names = self.pools.layout_of(view.name)
            self.nodes.add(view, layout, pool_names)
            self._occupy(view.name)
        self._settled()

    def delete_node(self, name: str) -> None:
        """A node that is gone holds nothing for anyone; what was held there is kept in mind."""
        number = self.nodes.index.get(name)
        if number is None:
            return
        held = self.holdings.held_on(number)
        for key in self._on_node.get(name, ()):
            self.holdings.drop(self.pods[key].uid)
        for chips in self.chips.values():
            if number < len(chips):
                chips[number] = 0
        self._forget_pool_names(number)
        self.nodes.remove(name)
        self.holdings.restore(held)
        self._settled()

    def set_slice(self, item: Obj, source: Obj | bytes | None = None) -> None:
        """A ResourceSlice. Errors: what reading a malformed one raises; nothing has changed then."""
        self._relayout(self.pools.upsert(item, source))

    def delete_slice(self, name: str) -> None:
        self._relayout(self.pools.delete(name))

    def set_class(self, item: DeviceClass) -> None:
        if self.terms.classes.get(item.name) != item:
            self._read(item.selectors)
            self.terms.classes[item.name] = item
            self._reterm()

    def delete_class(self, name: str) -> None:
        if self.terms.classes.pop(name, None) is not None:
            self._reterm()

    def _occupy(self, name: str) -> None:
        """A node that appeared: what is known to be there is there."""
        number = self.nodes.index[name]
        signature = self.nodes.sigs[number]
        assert signature is not None
        listed = self.nodes.pool_names.get(number)
        for ordinal, pool in enumerate(signature.layout.pools):
            key = (pool.driver, name if listed is None else listed[ordinal])
            if listed is not None:
                self.holdings.pool_at[key] = number
            if key in self.holdings.elsewhere:
                self.holdings.restore(self.holdings.recall_pool(key))
        for pod in self._on_node.get(name, ()):
            self._charge(self.pods[pod])

    def _relayout(self, names: Iterable[str]) -> None:
        for name in names:
            number = self.nodes.index.get(name)
            if number is not None:
                self._relayout_node(name, number)
        if "" in names:
            self._reterm()
        self._settled()

    def _relayout_node(self, name: str, number: int) -> None:
        layout, pool_names = self.pools.layout_of(name)
        before = self.nodes.sigs[number]
        assert before is not None
        if layout is before.layout and pool_names == self.nodes.pool_names.get(number):
            return
        held = self.holdings.held_on(number)
        charged = [k for k in self._on_node.get(name, ()) if self._uncharge(self.pods[k])]
        self._forget_pool_names(number)
        free = self.nodes.vector_of(number)
        if pool_names is not None:
            self.nodes.pool_names[number] = pool_names
        self.nodes.put(number, self.signatures.of(before.static, layout, free))
        for ordinal, pool in enumerate(layout.pools):
            key = (pool.driver, name if pool_names is None else pool_names[ordinal])
            if pool_names is not None:
                self.holdings.pool_at[key] = number
            self.holdings.restore(self.holdings.recall_pool(key))
        self.holdings.restore(held)
        for key in charged:
            self._charge(self.pods[key])

    def _forget_pool_names(self, number: int) -> None:
        signature = self.nodes.sigs[number]
        assert signature is not None
        listed = self.nodes.pool_names.pop(number, ())
        for pool, name in zip(signature.layout.pools, listed, strict=False):
            self.holdings.pool_at.pop((pool.driver, name), None)

    def _reterm(self) -> None:
        self.terms.version += 1
        self.version += 1
        self.signatures.forget_answers()

    def _read(self, expressions: Iterable[str | None], attributes: Iterable[str] = ()) -> None:
        """Attributes that these read tell devices apart from now on."""
        names: set[str] | None = set(attributes)
        for expression in expressions:
            found = self.terms.selectors.reads(expression) if expression else frozenset[str]()
            names = None if names is None or found is None else names | found
        # Slices may leave the domain out: names alone tell enough, and never too little.
        bare = None if names is None else frozenset(n.rpartition("/")[2] for n in names)
        touched = self.pools.reference(bare)
        if touched:
            self._relayout(touched)

    def set_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """A namespace with its labels; None: it is gone."""
        self.holdings.index.set_namespace(name, labels, self.holdings.placed)

    # -- claims ------------------------------------------------------------------------------

    def set_claim(self, claim: Claim) -> None:
        """A claim that is new or has changed.

        Errors: SelectorsBusy; what it holds is known then, and what it asks for is not.
        """
        key = claim.key
        old = self.claims.get(key)
        is_news = old is None or old.claim.request is not claim.request
        if old is not None and old.allocation == claim.allocation:
            old.claim, old.users = claim, self._live_users(claim)
        else:
            self._reallocate(key, ClaimState(claim, self._live_users(claim)))
        self._note_idle(key)
        self._settled()
        if is_news:
            self._note_request(claim.request)

    def delete_claim(self, key: Key) -> None:
        if key in self.claims:
            self._reallocate(key, None)
            self._idle.discard(key)
            self._settled()

    def _reallocate(self, key: Key, state: ClaimState | None) -> None:
        """Puts another state in the claim's place; whoever uses it is charged anew."""
        old = self.claims.get(key)
        pods = [self.pods[pod] for pod in self._users_of.get(key, ())]
        charged = [pod for pod in pods if self._uncharge(pod)]
        if old is not None and old.allocation is not None:
            self.holdings.hold(old.allocation, -1)
        if state is None:
            self.claims.pop(key, None)
        else:
            self.claims[key] = state
            if state.allocation is not None:
                self.holdings.hold(state.allocation, 1)
        for pod in charged:
            self._charge(pod)

    def _note_request(self, request: ClaimRequest) -> None:
        for sub in (s for r in request.requests for s in r.alternatives):
            if sub.selectors:
                self._read(sub.selectors)
        if request.constraints:
            self._read((), [c.attribute for c in request.constraints if c is not None])

    def _live_users(self, claim: Claim) -> frozenset[str]:
        alive = self._alive
        return frozenset([c.uid for c in claim.reserved_for if c.uid in alive or not c.is_pod])

    def _note_idle(self, key: Key) -> None:
        state = self.claims.get(key)
        if state is not None and state.allocation is not None and not state.users:
            self._idle.add(key)
        else:
            self._idle.discard(key)

    # -- pods ---------------------------------------------------------------------------------

    def set_pod(self, pod: PodSpecView, *, wants_place: bool) -> None:
        """A pod that is new or has changed."""
        old = self.pods.get(pod.key)
        same_claims = old is not None and old.claims == pod.claims
        if old is not None:
            self._forget_pod(old, keep_claims=same_claims)
        self.pods[pod.key] = pod
        for entry in pod.claims if not same_claims else ():
            if entry.claim is not None:
                self._users_of.setdefault(entry.claim, set()).add(pod.key)
        if not pod.is_finished:
            self._alive[pod.uid] = pod.key
        if pod.gang is not None:
            self.members.setdefault(pod.gang, {})[pod.key] = pod
            self.deserted.discard(pod.gang)
        if pod.holds:
            self._on_node.setdefault(pod.node, set()).add(pod.key)
            self._charge(pod)
            if pod.is_terminating:
                self.leaving[pod.key] = pod
        if wants_place:
            self.waiting[pod.key] = pod
            if pod.neighbours is not None:
                self.holdings.index.watch(pod.neighbours, self.holdings.placed)
        if old is None or old.uid != pod.uid or old.is_finished != pod.is_finished:
            self._refresh_users(pod)
            if old is not None:
                self._refresh_users(old)
        self._settled()

    def delete_pod(self, key: Key) -> None:
        pod = self.pods.pop(key, None)
        if pod is None:
            return
        self._forget_pod(pod)
        self._alive.pop(pod.uid, None)
        self._refresh_users(pod)
        self._settled()

    def set_gang(self, gang: Gang) -> None:
        self.gangs[gang.key] = gang
        if gang.is_exclusive:
            self.exclusive[gang.key] = gang
        else:
            self.exclusive.pop(gang.key, None)

    def delete_gang(self, key: Key) -> None:
        self.gangs.pop(key, None)
        self.exclusive.pop(key, None)

    def _forget_pod(self, pod: PodSpecView, *, keep_claims: bool = False) -> None:
        key = pod.key
        if self.waiting.pop(key, None) is not None and pod.neighbours is not None:
            self.holdings.index.unwatch(pod.neighbours)
        self.leaving.pop(key, None)
        self._alive.pop(pod.uid, None)
        if pod.holds:
            self._uncharge(pod)
            self._on_node[pod.node].discard(key)
            if not self._on_node[pod.node]:
                del self._on_node[pod.node]
        for entry in pod.claims if not keep_claims else ():
            users = self._users_of.get(entry.claim) if entry.claim is not None else None
            if users is not None and entry.claim is not None:
                users.discard(key)
                if not users:
                    del self._users_of[entry.claim]
        if pod.gang is not None:
            listed = self.members[pod.gang]
            del listed[key]
            if not listed:
                del self.members[pod.gang]
                group = self.pod_groups.get(pod.gang)
                if group is not None and says_scheduled(group):
                    self.deserted.add(pod.gang)

    def _refresh_users(self, pod: PodSpecView) -> None:
        """The pod came to life or died: claims reserved for it have one user more or fewer."""
        for entry in pod.claims:
            state = self.claims.get(entry.claim) if entry.claim is not None else None
            if state is not None and entry.claim is not None:
                state.users = self._live_users(state.claim)
                self._note_idle(entry.claim)

    def _charge(self, pod: PodSpecView) -> None:
        number = self.nodes.index.get(pod.node)
        if number is None:
            return
        allocations = self.allocations_of(pod)
        if allocations:
            self._count_chips(pod.priority, number, allocations, 1)
        self.holdings.charge(pod, number, owns_cores(allocations))
        if pod.gang is not None:
            self.holdings.count_cores(pod.gang, _devices(allocations), 1)

    def _count_chips(
        self, priority: int, node: int, allocations: Iterable[Allocation], sign: int
    ) -> None:
        chips = self.chips.setdefault(priority, [])
        if node >= len(chips):
            chips += [0] * (len(self.nodes.names) - len(chips))
        chips[node] += sign * sum(len(a.results) for a in allocations)

    def _uncharge(self, pod: PodSpecView) -> bool:
        charged = self.holdings.charged.get(pod.uid)
        if charged is not None and pod.claims:
            self._count_chips(pod.priority, charged[0], self.allocations_of(pod), -1)
        if pod.gang is not None and pod.uid in self.holdings.charged:
            self.holdings.count_cores(pod.gang, _devices(self.allocations_of(pod)), -1)
        return self.holdings.refund(pod.uid)

    def _settled(self) -> None:
        """A delta is for good."""
        self.nodes.log.clear()
        self.signatures.sweep(len(self.nodes))

    # -- questions ------------------------------------------------------------------------------

    def node(self, name: str) -> NodeView:
        """A node that is known."""
        return self.nodes.views[self.nodes.index[name]]

    def node_views(self) -> list[NodeView]:
        """All nodes, by name."""
        return [self.nodes.views[i] for _, i in sorted(self.nodes.index.items())]

    def states_of(self, pod: PodSpecView) -> list[ClaimState]:
        found = [self.claims.get(e.claim) for e in pod.claims if e.claim is not None]
        return [state for state in found if state is not None]

    def allocations_of(self, pod: PodSpecView) -> list[Allocation]:
        return [s.allocation for s in self.states_of(pod) if s.allocation is not None]

    def _devices_by_claim(self, pod: PodSpecView) -> Iterable[tuple[Key, Amounts]]:
        """The number of devices of each DeviceClass that the pod's claims hold."""
        for state in self.states_of(pod):
            if state.allocation is not None:
                subs = (s for r in state.claim.request.requests for s in r.alternatives)
                class_of = {sub.name: sub.device_class for sub in subs}
                held = [
                    class_of.get(r.request, "") for r in state.allocation.results if not r.admin
                ]
                yield state.claim.key, tuple(Counter(held).items())

    def pods_on(self, node: str) -> Iterable[PodSpecView]:
        """Pods bound to the node, finished ones not."""
        return [self.pods[key] for key in self._on_node.get(node, ())]

    def is_shared(self, claim: Key) -> bool:
        """True if several pods name the claim."""
        return len(self._users_of.get(claim, ())) > 1

    def matches_shared(self, claims: Iterable[ClaimRequest]) -> bool:
        """True if a device that is not local to one node may serve a request of these claims."""
        devices = [device for item in self.pools.shared for device in item.devices]
        for sub in (s for c in claims for r in c.requests for s in r.alternatives):
            known = self.terms.classes.get(sub.device_class)
            try:
                if known and any(self.terms.matching.matches(known, sub, d) for d in devices):
                    return True
            except AllocationError:
                return True
        return False

    def idle_claims(self) -> Iterable[Key]:
        return self._idle


def _devices(allocations: Iterable[Allocation]) -> Iterable[DeviceId]:
    return (result.id for allocation in allocations for result in allocation.results)
