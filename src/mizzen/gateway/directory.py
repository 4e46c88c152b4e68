"""Keeps one pool for each ModelEndpoint, fed by the informers of endpoints and pods."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mizzen.base.clock import Clock
from mizzen.base.objects import Key, Obj, key_of
from mizzen.gateway.core.endpoints import (
    Address,
    Endpoint,
    endpoint_of_pod,
    read_endpoint,
    ready_address,
    resolve,
)
from mizzen.gateway.pool import Pool, Tip


class Directory:
    """What there is to route to. Pods may be heard of before their endpoint, and after."""

    def __init__(
        self,
        clock: Clock,
        *,
        on_tip: Callable[[Tip], None],
        on_known: Callable[[Endpoint], None],
        on_gone: Callable[[Key], None],
        on_left: Callable[[Address], None],
    ) -> None:
        self.pools: dict[Key, Pool] = {}
        self._addresses: dict[Key, dict[str, Address]] = {}
        self._clock = clock
        self._on_tip = on_tip
        self._on_known = on_known
        self._on_gone = on_gone
        self._on_left = on_left

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
            return
        pool = self.pools[endpoint.key] = Pool(endpoint, self._clock, self._on_tip)
        for pod, address in self._addresses.get(endpoint.key, {}).items():
            pool.set_replica(pod, address)
        pool.update(endpoint)  # a demand from before a restart may be too high by now

    def on_pod(self, kind: str, _: Obj | None, obj: Obj) -> None:
        """An informer's handler for pods; those without the endpoint label are passed over."""
        key = endpoint_of_pod(obj)
        if key is None:
            return
        pod = key_of(obj).name
        address = None if kind == "DELETED" else ready_address(obj)
        known = self._addresses.setdefault(key, {})
        before = known.get(pod)
        if before is not None and before != address:
            self._on_left(before)
        if address is None:
            known.pop(pod, None)
            if not known:
                del self._addresses[key]
        else:
            known[pod] = address
        pool = self.pools.get(key)
        if pool:
            pool.set_replica(pod, address)
