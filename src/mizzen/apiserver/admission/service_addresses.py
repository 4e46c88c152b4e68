"""Gives Services their cluster IPs and node ports, in the commit that writes them.

Nothing is reserved apart: an address is taken as long as a Service has it, so none is lost where a
write fails, and none is given twice, since all writes pass here one after another.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from ipaddress import IPv4Network

from mizzen.apiserver import ip_addresses
from mizzen.apiserver.admission_chain import CREATE, UPDATE, AdmissionRequest, Plugin, Transaction
from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.context import Context
from mizzen.apiserver.core import refusals
from mizzen.apiserver.core.service_addresses import allocate
from mizzen.base.errors import InternalError
from mizzen.base.objects import Obj
from mizzen.base.resources import SERVICES
from mizzen.kinds.core import service_spec
from mizzen.kinds.core.service_spec import HEADLESS
from mizzen.store.store import ObjectKey, Store

_SERVICES = refusals.qualified(SERVICES)


class ServiceAddresses:
    """The Services that may have each address and port; bounded by those that there have been.

    An entry is a hint: whether that Service does have it is read in the draft that asks.
    """

    def __init__(self, store: Store, catalog: Catalog, network: IPv4Network, ports: range) -> None:
        self.network = network
        self._catalog = catalog
        self.ports = ports
        self._store = store
        self._hints: dict[str | int, set[ObjectKey]] | None = None

    def give(self, request: AdmissionRequest) -> None:
        """Errors: Invalid, InternalError where none is left."""
        new, old = request.object, request.old
        if old is not None and new["spec"] is old["spec"]:
            return
        service_spec.default(new)  # what it is to be given depends on what it leaves out
        request.draft.rests_on(_SERVICES)
        allocate(new, old, _Pool(self, request.draft, request.key))

    def note(self, request: AdmissionRequest) -> None:
        """A Service is about to be written."""
        draft, old = request.draft, request.old
        after = ip_addresses.addresses_of(request.object)
        before = set[str]() if old is None else ip_addresses.addresses_of(old)
        ip_addresses.release(draft, request.key, before - after)
        ip_addresses.claim(draft, self._catalog, request.key, after - before)
        if self._hints is not None:
            for value in _taken(request.object):
                self._hints.setdefault(value, set()).add(request.key)

    def free(self, draft: Transaction, key: ObjectKey, gone: Obj) -> None:
        """An object goes."""
        if key.resource == _SERVICES:
            ip_addresses.release(draft, key, ip_addresses.addresses_of(gone))

    def holds(self, draft: Transaction, value: str | int, but: ObjectKey) -> bool:
        """True if another Service has this address or port, or another object the address."""
        if isinstance(value, str) and ip_addresses.is_anothers(draft, value, but):
            return True
        if self._hints is None:
            self._hints = {}
            for stored in self._store.peek_all(_SERVICES):
                for each in _taken(stored.object()):
                    self._hints.setdefault(each, set()).add(stored.key)
        hints = self._hints.get(value)
        if not hints:
            return False
        for key in list(hints):
            found = draft.get(key) if key != but else None
            if found is not None and value in _taken(found):
                return True
            if key != but and draft.peek(key) is None:
                hints.discard(key)
        return False


class _Pool:
    """The addresses and ports as one draft sees them."""

    def __init__(self, of: ServiceAddresses, draft: Transaction, key: ObjectKey) -> None:
        self.network = of.network
        self.ports = of.ports
        self._of = of
        self._draft = draft
        self._key = key

    def has_address(self, address: str) -> bool:
        return self._of.holds(self._draft, address, self._key)

    def has_port(self, port: int) -> bool:
        return self._of.holds(self._draft, port, self._key)

    def next_address(self) -> str:
        """Not the first, which is the API server's own."""
        for offset in self._in_turn(range(2, self.network.num_addresses - 1)):
            address = str(self.network[offset])
            if not self.has_address(address):
                return address
        raise InternalError(
            f'failed to allocate a serviceIP for Service "{self._key.name}": range is full'
        )

    def next_port(self, taken: set[int]) -> int:
        for port in self._in_turn(self.ports):
            if port not in taken and not self.has_port(port):
                return port
        raise InternalError("failed to allocate a nodePort: range is full")

    def _in_turn(self, values: range) -> Iterator[int]:
        """All values, from one that follows from the name: neighbours in time are none in value,
        and a Service that is made again has its own again."""
        start = zlib.crc32(f"{self._key.namespace}/{self._key.name}".encode())
        for index in range(len(values)):
            yield values[(start + index) % len(values)]


def _taken(service: Obj) -> set[str | int]:
    spec: Obj = service["spec"]
    addresses = {ip for ip in spec.get("clusterIPs") or () if ip != HEADLESS}
    health = {spec["healthCheckNodePort"]} if spec.get("healthCheckNodePort") else set[int]()
    return addresses | service_spec.node_ports(service) | health


def service_addresses(context: Context) -> Plugin:
    config = context.config
    addresses = ServiceAddresses(
        context.store, context.catalog, config.service_range, config.node_ports
    )
    return Plugin(
        frozenset((CREATE, UPDATE)),
        lambda served: served.resource == SERVICES,
        mutate=addresses.give,
        admit=addresses.note,
        remove=addresses.free,
    )


PLUGIN = service_addresses
