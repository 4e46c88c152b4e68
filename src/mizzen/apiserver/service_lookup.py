"""Whom a Service leads to just now, by what the store has."""

from __future__ import annotations

from mizzen.apiserver.core.service_backends import Address, backends
from mizzen.base.resources import PODS
from mizzen.store.store import Store, Stored

ENDPOINT_SLICES = "endpointslices.discovery.k8s.io"


def backends_of(store: Store, service: Stored, port: int) -> list[Address]:
    """Host and port of each of a Service's endpoints, in order.

    Errors: LookupError for a port that the Service lacks.
    """
    namespace, named = service.key.namespace, service.key.name.encode()
    slices = (s.object() for s in store.list(ENDPOINT_SLICES, namespace).items if named in s.data)
    pods = (each.object() for each in store.list(PODS.plural, namespace).items)
    return backends(service.object(), port, slices, pods)
