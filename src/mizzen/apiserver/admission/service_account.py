"""Gives pods the pull secrets of their ServiceAccount, which must be there.

Source: upstream's ServiceAccount admission. An account is read again once it has been written.
"""

from __future__ import annotations

from mizzen.apiserver.admission_chain import CREATE, AdmissionRequest, Plugin
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.pod_accounts import (
    MIRROR,
    Account,
    account_of,
    mirror_problem,
    secrets_problem,
)
from mizzen.apiserver.core.refusals import forbidden, qualified
from mizzen.base.reading import part
from mizzen.base.resources import PODS, SERVICE_ACCOUNTS
from mizzen.store.store import ObjectKey

KNOWN_MAX = 4096  # accounts; about 1 KiB each
_ACCOUNTS = qualified(SERVICE_ACCOUNTS)


class _Accounts:
    def __init__(self) -> None:
        self._known: dict[ObjectKey, tuple[int, Account]] = {}  # by the revision it was read at

    def mutate(self, request: AdmissionRequest) -> None:
        """Errors: Forbidden."""
        new = request.object
        spec = new["spec"]
        if MIRROR in part(new["metadata"], "annotations"):
            if problem := mirror_problem(spec):
                raise forbidden(PODS, request.key.name, problem)
            return
        account = self._account(request, spec["serviceAccountName"])
        if account.pull_secrets and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [{"name": name} for name in account.pull_secrets]
        if account.mountable is not None and (problem := secrets_problem(spec, account)):
            raise forbidden(PODS, request.key.name, problem)

    def _account(self, request: AdmissionRequest, name: str) -> Account:
        namespace = request.key.namespace
        key = ObjectKey(_ACCOUNTS, namespace, name)
        stored = request.draft.peek(key)
        if stored is not None:
            known = self._known.get(key)
            if known is not None and known[0] == stored.revision:
                return known[1]
        obj = request.draft.get(key)
        if obj is None:
            why = f'serviceaccount "{name}" not found'
            words = f"error looking up service account {namespace}/{name}: {why}"
            raise forbidden(PODS, request.key.name, words)
        account = account_of(obj)
        if stored is not None:
            if len(self._known) >= KNOWN_MAX:
                del self._known[next(iter(self._known))]
            self._known[key] = (stored.revision, account)
        return account


def service_account(context: Context) -> Plugin:
    accounts = _Accounts()
    return Plugin(
        frozenset((CREATE,)),
        lambda served: served.resource == PODS,
        mutate=accounts.mutate,
        by_template=True,
    )


PLUGIN = service_account
