"""Deletes what is in namespaces that are being deleted, and tells what is left.

Source: kubernetes pkg/controller/namespace/deletion.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mizzen.apiserver import operations
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.core import emptying, stamping
from mizzen.apiserver.core.emptying import Remaining
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.draft import DELETED_AT_ONCE, DELETED_BYTES_AT_ONCE, Draft
from mizzen.apiserver.server import Server
from mizzen.base.objects import Obj, is_terminating
from mizzen.base.resources import NAMESPACES, PODS
from mizzen.store.store import ObjectKey

_READ_AT_ONCE = 500  # of what waits for its finalizers: enough to say which
_MARK = b'"deletionTimestamp"'
_OPTIONS = DeleteOptions(propagation="Background")


@dataclass(slots=True)
class _Round:
    """The budget of one look at a namespace."""

    deletes: int = DELETED_AT_ONCE
    reads: int = _READ_AT_ONCE
    remaining: Remaining = field(default_factory=Remaining)


def empty_namespace(server: Server, draft: Draft, namespace: Obj) -> bool:
    """Deletes some of what is in it; False where there is more. Once nothing is left it takes the
    finalizer off, which removes the namespace; until then its conditions say what is.

    Pods go first and all else stays until they are gone: nobody's policy, token or configuration is
    taken from a program that still runs. Source: KEP-5080.
    """
    name = namespace["metadata"]["name"]
    round = _Round()
    pods = server.catalog.by_place((PODS.group, PODS.plural))
    assert pods is not None, "pods are built in"
    if not _empty(server, draft, pods, name, round):
        return False
    if round.remaining.is_nothing:
        for served in list(server.catalog.stored()):
            if served.resource.namespaced and not _empty(server, draft, served, name, round):
                return False
    new = emptying.with_conditions(namespace, round.remaining, draft.now_ns)
    if round.remaining.is_nothing:
        new = emptying.finalized(new)
    key = ObjectKey(NAMESPACES.plural, "", name)
    if stamping.is_removable(NAMESPACES, new):
        draft.remove(key, new)
    elif new != namespace:
        draft.put(key, new, "update/status")
    return True


def _empty(server: Server, draft: Draft, served: Served, namespace: str, round: _Round) -> bool:
    """One kind; False where this round may delete no more."""
    for stored in server.store.list(served.key, namespace).items:
        key = stored.key
        if _MARK in stored.data and not round.reads:
            round.remaining.add(served.resource, ())
            continue
        obj = draft.get(key)
        if obj is None:
            continue
        if is_terminating(obj):
            round.reads -= 1
        else:
            if not round.deletes or draft.read_bytes > DELETED_BYTES_AT_ONCE:
                return False
            round.deletes -= 1
            obj, gone = operations.delete(draft, served, namespace, key.name, _OPTIONS)
            if gone:
                continue
        round.remaining.add(served.resource, obj["metadata"].get("finalizers") or ())
    return True
