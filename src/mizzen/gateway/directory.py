"""Keeps one pool for each ModelEndpoint, fed by the informers of endpoints and pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mizzen.base.clock import Clock
from mizzen.base.objects import Key, Obj, key_of
from mizzen.gateway.core.endpoints import (
    Address,
    Endpoint,
    Owner,
    endpoint_of_pod,
    read_endpoint,
    ready_address,
    resolve,
)
from mizzen.gateway.pool import Pool, ScaleDecision


class Directory:
    """The routable endpoints and replicas. Pods may arrive before their endpoint, and after it."""

    def __init__(
        self,
        clock: Clock,
        *,
        on_scale: Callable[[ScaleDecision], None],
        on_known: Callable[[Endpoint], None],
        on_gone: Callable[[Key], None],
        on_replica_removed: Callable[[Address], None],
        on_pool: Callable[[Pool], None],
    ) -> None:
        self.pools: dict[Key, Pool] = {}
        self._addresses: dict[Owner, dict[str, Address]] = {}
        self._clock = clock
        self._on_scale = on_scale
        self._on_known = on_known
        self._on_gone = on_gone
        self._on_replica_removed = on_replica_removed
        self._on_pool = on_pool

    @property
    def endpoints(self) -> list[Endpoint]:
        return [pool.endpoint for pool in self.pools.values()]

    def find(self, model: str) -> Pool:
        """The pool that a request's `model` names; errors: OpenAIError 404 or 400."""
        return self.pools[resolve(model, self.endpoints).key]

    def statistics(self) -> Mapping[str, int]:
        return {
            "endpoints": len(self.pools),
            "replicas": sum(len(pool.replicas) for pool in self.pools.values()),
        }

    def on_endpoint(self, kind: str, _: Obj | None, obj: Obj) -> None:
        """An informer's handler; `kind` is ADDED, MODIFIED or DELETED."""
        endpoint = read_endpoint(obj)
        pool = self.pools.get(endpoint.key)
        if pool and (kind == "DELETED" or pool.endpoint.uid != endpoint.uid):
            del self.pools[endpoint.key]
            pool.close()
            self._on_gone(endpoint.key)
            pool = None
        if kind == "DELETED":
            return
        self._on_known(endpoint)
        if pool:
            pool.update(endpoint)
            self._on_pool(pool)
            return
        pool = self.pools[endpoint.key] = Pool(endpoint, self._clock, self._on_scale)
        owner = Owner(endpoint.key, endpoint.uid)
        for pod, address in self._addresses.get(owner, {}).items():
            pool.set_replica(pod, address)
        pool.update(endpoint)  # a demand from before a restart may be too high by now
        self._on_pool(pool)

    def on_pod(self, kind: str, old: Obj | None, obj: Obj) -> None:
        """An informer's handler for pods; those that no endpoint made are passed over."""
        owner = endpoint_of_pod(obj)
        before = endpoint_of_pod(old) if old else None
        pod = key_of(obj).name
        if before and before != owner:
            self._place(before, pod, None)
        if owner:
            self._place(owner, pod, None if kind == "DELETED" else ready_address(obj))

    def _place(self, owner: Owner, pod: str, address: Address | None) -> None:
        known = self._addresses.setdefault(owner, {})
        before = known.get(pod)
        if before is not None and before != address:
            self._on_replica_removed(before)
        if address is None:
            known.pop(pod, None)
            if not known:
                del self._addresses[owner]
        else:
            known[pod] = address
        pool = self.pools.get(owner.key)
        if pool and pool.endpoint.uid == owner.uid:
            pool.set_replica(pod, address)
