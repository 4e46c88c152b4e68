"""The IPAddress of each cluster IP, which says whose it is: made and removed in the commit that gives
the address to a Service, or takes it.

One that somebody else has made keeps its address from Services. Who deletes one of a Service that is
there has it made again. Where one plan takes an address from a Service and gives it to another, the
first one's goes in the commit, since it is not the same object, and the other's follows. Source: pkg/registry/core/service/ipallocator, Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from mizzen.apiserver.admission_chain import Transaction
from mizzen.apiserver.catalog import Catalog
from mizzen.apiserver.core.field_managers import Writer, track_create
from mizzen.apiserver.core.refusals import qualified
from mizzen.apiserver.core.stamping import stamp_create
from mizzen.apiserver.core.user import API_SERVER
from mizzen.apiserver.draft import MANAGER, Draft
from mizzen.apiserver.due_names import DueNames
from mizzen.apiserver.server import Server
from mizzen.base.clock import rfc3339
from mizzen.base.objects import Obj, labels_of
from mizzen.base.reading import part, text
from mizzen.base.resources import IP_ADDRESSES, SERVICES
from mizzen.kinds.core.service_spec import HEADLESS
from mizzen.store.store import Event, ObjectKey

FAMILY = "ipaddress.kubernetes.io/ip-family"
MANAGED_BY, ALLOCATOR = "ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io"
_KEY, _SERVICES = qualified(IP_ADDRESSES), qualified(SERVICES)


def addresses_of(service: Obj) -> set[str]:
    return {ip for ip in part(service, "spec").get("clusterIPs") or () if ip and ip != HEADLESS}


def is_anothers(draft: Transaction, address: str, service: ObjectKey) -> bool:
    """True if the address is said to be of something else than this Service."""
    found = draft.get(ObjectKey(_KEY, "", address))
    return found is not None and not _is_of(found, service)


def claim(
    draft: Transaction, catalog: Catalog, service: ObjectKey, addresses: Iterable[str]
) -> None:
    """Says of these addresses that they are this Service's."""
    served = catalog.by_key(_KEY)
    if served is None:
        return  # it is a version without them that is emulated
    for address in sorted(addresses):
        key = ObjectKey(_KEY, "", address)
        if draft.get(key) is not None or draft.removes(key):
            continue
        family = f"IPv{ip_address(address).version}"
        reference = {"resource": SERVICES.plural, "namespace": service.namespace}
        new: Obj = {
            "apiVersion": IP_ADDRESSES.api_version, "kind": IP_ADDRESSES.kind,
            "metadata": {"name": address, "labels": {FAMILY: family, MANAGED_BY: ALLOCATOR}},
            "spec": {"parentRef": {**reference, "name": service.name}},
        }  # fmt: skip
        stamp_create(new["metadata"], draft.now_ns, draft.new_id())
        served.kind.prepare_create(new)
        writer, now = Writer(MANAGER), rfc3339(draft.now_ns)
        track_create(served.kind, new, writer, now, is_builtin=True)
        draft.put(key, new, "create")


def release(draft: Transaction, service: ObjectKey, addresses: Iterable[str]) -> None:
    """Lets go of addresses that were this Service's."""
    for address in sorted(addresses):
        key = ObjectKey(_KEY, "", address)
        found = draft.get(key)
        if found is not None and _is_of(found, service):
            draft.remove(key, found)


def mend(draft: Draft, catalog: Catalog) -> None:
    """Makes what Services lack, and removes what is of none."""
    services = {
        ObjectKey(_SERVICES, each["metadata"]["namespace"], each["metadata"]["name"]): each
        for each in draft.list(_SERVICES)
    }
    for found in draft.list(_KEY):
        service = services.get(_parent(found))
        is_ours = labels_of(found).get(MANAGED_BY) == ALLOCATOR
        if is_ours and (service is None or found["metadata"]["name"] not in addresses_of(service)):
            draft.remove(ObjectKey(_KEY, "", found["metadata"]["name"]), found)
    for key, service in services.items():
        claim(draft, catalog, key, addresses_of(service))


class IpAddresses:
    """Follows the IPAddresses of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._due = DueNames("IPAddresses of Service", self._mend)

    async def run(self) -> None:
        """Runs until cancelled."""
        self._server.store.listen(_KEY, self._on_change)
        self._server.store.listen(_SERVICES, self._on_service)
        await self._due.run()

    def _on_change(self, event: Event) -> None:
        if event.type == "DELETED":
            parent = _parent(event.stored.object())
            if parent.resource == _SERVICES:
                self._due.mark(f"{parent.namespace}/{parent.name}")

    def _on_service(self, event: Event) -> None:
        if event.type == "DELETED":
            return
        store, key = self._server.store, event.stored.key
        addresses = addresses_of(event.stored.object())
        if any(store.peek(ObjectKey(_KEY, "", address)) is None for address in addresses):
            self._due.mark(f"{key.namespace}/{key.name}")

    async def _mend(self, name: str) -> None:
        draft = self._server.draft(API_SERVER)
        key = ObjectKey(_SERVICES, *name.split("/", 1))
        service = draft.get(key)
        if service is not None:
            claim(draft, self._server.catalog, key, addresses_of(service))
            done = draft.commit()
            if done is not None:
                await done


def _parent(found: Obj) -> ObjectKey:
    reference = part(found, "spec", "parentRef")
    group, plural = text(reference, "group"), text(reference, "resource")
    resource = f"{plural}.{group}" if group else plural
    return ObjectKey(resource, text(reference, "namespace"), text(reference, "name"))


def _is_of(found: Obj, service: ObjectKey) -> bool:
    return _parent(found) == service
