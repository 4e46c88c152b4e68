"""Keeps a namespace within its ResourceQuotas: exact, for it charges in the commit itself.

A write that takes more or less of a quota writes the quota's `status.used` along, in the same
draft. Removals give back, whoever removes. The usage is counted from the objects where the status
does not tell it: of a new quota, after a change of its limits, and whenever its status is written,
which the controller does now and then (pods that are stuck in their deletion are charged no longer,
and nobody writes them).
"""

from __future__ import annotations

from collections.abc import Iterator

from mizzen.apiserver.admission_chain import (
    ACCOUNTING,
    CREATE,
    UPDATE,
    UPDATE_RESIZE,
    UPDATE_STATUS,
    AdmissionRequest,
    Plugin,
    Transaction,
)
from mizzen.apiserver.catalog import Served
from mizzen.apiserver.context import Context
from mizzen.apiserver.core import quota as quotas
from mizzen.apiserver.core.quota_usage import (
    CLAIMS,
    PODS,
    SERVICES,
    VOLUME_CLAIMS,
    Usage,
    difference,
    is_ended,
    is_overdue,
    resources_behind,
    usage_of,
)
from mizzen.apiserver.core.refusals import forbidden
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.store.store import ObjectKey, Store

QUOTAS = "resourcequotas"
_IGNORED = ("events", "events.events.k8s.io")


class Quotas:
    """The namespaces that may have quotas; bounded by those that ever had one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._namespaces: set[str] | None = None  # a hint: which quotas there are, drafts say

    def count_own(self, request: AdmissionRequest) -> None:
        """Gives a quota the status that is true in this very commit."""
        self._hints().add(request.key.namespace)
        draft, quota = request.draft, request.object
        used = self._count(draft, quota)
        if request.operation == CREATE:  # it counts itself where it counts its kind
            quota = quotas.with_status(quota, used)
            quota = quotas.charged(quota, used, self._usage(draft, request.key, quota)) or quota
            request.object["status"] = quota["status"]
        else:
            request.object["status"] = {**part(quota, "status"), "used": used}

    def charge(self, request: AdmissionRequest) -> None:
        """Errors: Forbidden where a quota does not allow it."""
        draft, key, old = request.draft, request.key, request.old
        draft.rests_on(QUOTAS, key.namespace)
        if key.namespace not in self._hints() or not _may_change(request):
            return
        is_pod = key.resource == PODS
        if is_pod and old is not None and is_overdue(old, draft.now_ns):
            self._count_anew(draft, key.namespace)
            return
        after = self._usage(draft, key, request.object)
        before = {} if old is None else self._usage(draft, key, old)
        for quota in self._of(draft, key.namespace):
            is_in = quotas.matches(quota, key.resource, request.object)
            was_in = old is not None and quotas.matches(quota, key.resource, old)
            if not is_in and not was_in:
                continue
            problem = (
                quotas.unsaid(quota, request.object) if is_pod and is_in and old is None else ""
            )
            change = difference(after if is_in else {}, before if was_in else {})
            used = part(quota, "status", "used")
            if not problem and request.operation != UPDATE_STATUS:
                problem = quotas.exceeded(quota, used, change)
            if problem:
                raise forbidden(request.served.resource, key.name, problem)
            self._write(draft, quotas.charged(quota, used, change))

    def give_back(self, draft: Transaction, key: ObjectKey, gone: Obj) -> None:
        """The object is removed in this draft."""
        namespace, resource = key.namespace, key.resource
        if not namespace or namespace not in self._hints() or resource in _IGNORED:
            return
        if resource == PODS and not is_ended(gone) and is_overdue(gone, draft.now_ns):
            self._count_anew(draft, namespace)  # it may be charged no longer
            return
        change = difference({}, self._usage(draft, key, gone))
        for quota in self._of(draft, namespace):
            if quotas.matches(quota, resource, gone):
                self._write(draft, quotas.charged(quota, part(quota, "status", "used"), change))

    def _count_anew(self, draft: Transaction, namespace: str) -> None:
        for quota in draft.list(QUOTAS, namespace):
            self._write(draft, quotas.with_status(quota, self._count(draft, quota)))

    def _of(self, draft: Transaction, namespace: str) -> Iterator[Obj]:
        for quota in draft.list(QUOTAS, namespace):
            if quotas.is_counted(quota):
                yield quota
            else:
                yield quotas.with_status(quota, self._count(draft, quota))

    def _count(self, draft: Transaction, quota: Obj) -> Usage:
        namespace, hard = quota["metadata"]["namespace"], quotas.hard_of(quota)
        behind = sorted({resource for name in hard for resource in resources_behind(name)})
        return quotas.total(
            hard,
            (
                self._usage(draft, ObjectKey(resource, namespace, ""), obj)
                for resource in behind
                for obj in draft.list(resource, namespace)
                if quotas.matches(quota, resource, obj)
            ),
        )

    def _usage(self, draft: Transaction, key: ObjectKey, obj: Obj) -> Usage:
        def lookup(resource: str, namespace: str, name: str) -> Obj | None:
            return draft.get(ObjectKey(resource, namespace, name))

        return usage_of(key.resource, obj, draft.now_ns, lookup)

    def _write(self, draft: Transaction, quota: Obj | None) -> None:
        if quota is not None:
            metadata = quota["metadata"]
            key = ObjectKey(QUOTAS, metadata["namespace"], metadata["name"])
            draft.put(key, quota, "update/status")

    def _hints(self) -> set[str]:
        if self._namespaces is None:
            self._namespaces = {stored.key.namespace for stored in self._store.list(QUOTAS).items}
        return self._namespaces


def _concerns(served: Served) -> bool:
    return served.resource.namespaced and served.key not in _IGNORED


def _may_change(request: AdmissionRequest) -> bool:
    """False where an update leaves alone all that is counted."""
    old, new = request.old, request.object
    if old is None:
        return True
    if request.key.resource not in (PODS, SERVICES, VOLUME_CLAIMS, CLAIMS):
        return False
    if request.operation == UPDATE:
        return new["spec"] != old["spec"]
    if request.key.resource == PODS:
        return is_ended(new) != is_ended(old)
    return request.key.resource == VOLUME_CLAIMS


def resource_quota(context: Context) -> tuple[Plugin, Plugin]:
    known = Quotas(context.store)
    own = Plugin(
        frozenset((CREATE, UPDATE_STATUS)), lambda s: s.key == QUOTAS, mutate=known.count_own
    )
    operations = frozenset((CREATE, UPDATE, UPDATE_STATUS, UPDATE_RESIZE))
    charge = Plugin(
        operations, _concerns, admit=known.charge, remove=known.give_back, stage=ACCOUNTING,
        by_template=True,
    )  # fmt: skip
    return own, charge


PLUGIN = resource_quota
