"""Gives pods the token and the pull secrets of their ServiceAccount, which must be there.

Source: upstream's ServiceAccount admission. An account is read again once it has been written.
"""

from __future__ import annotations

from mizzen.apiserver.admission_chain import CREATE, UPDATE_EPHEMERAL, AdmissionRequest, Plugin
from mizzen.apiserver.context import Context
from mizzen.apiserver.core.pod_accounts import (
    MIRROR,
    Account,
    account_of,
    ephemeral_problem,
    mirror_problem,
    mount_token,
    secrets_problem,
)
from mizzen.apiserver.core.refusals import forbidden, qualified
from mizzen.base.errors import Unclassified
from mizzen.base.objects import Obj
from mizzen.base.reading import part
from mizzen.base.resources import PODS, SERVICE_ACCOUNTS
from mizzen.store.store import ObjectKey

KNOWN_MAX = 4096  # accounts; about 1 KiB each
_ACCOUNTS = qualified(SERVICE_ACCOUNTS)


class _Accounts:
    def __init__(self, *, mounts: bool) -> None:
        """`mounts`: whether there are tokens to be shown to pods."""
        self._mounts = mounts
        self._known: dict[ObjectKey, tuple[int, Account]] = {}  # by the revision it was read at

    def mutate(self, request: AdmissionRequest) -> None:
        """Errors: Forbidden."""
        if request.operation != CREATE:
            return
        spec = request.object["spec"]
        if not _is_mirror(request):
            account = self._account(request)
            if self._mounts:
                mount_token(spec, account)
            if account.pull_secrets and not spec.get("imagePullSecrets"):
                spec["imagePullSecrets"] = [{"name": name} for name in account.pull_secrets]
        self.admit(request)

    def admit(self, request: AdmissionRequest) -> None:
        """Of what has become of it since, by webhooks perhaps, too. Errors: Forbidden, Unclassified."""
        spec = request.object["spec"]
        if request.operation == UPDATE_EPHEMERAL:
            problem = ephemeral_problem(spec, self._account(request))
            if problem:
                raise Unclassified(problem)  # as upstream, where it is an error without a status
        elif problem := self._problem(request, spec):
            raise forbidden(PODS, request.key.name, problem)

    def _problem(self, request: AdmissionRequest, spec: Obj) -> str:
        if _is_mirror(request):
            return mirror_problem(spec)
        return secrets_problem(spec, self._account(request))

    def _account(self, request: AdmissionRequest) -> Account:
        namespace, name = request.key.namespace, request.object["spec"].get("serviceAccountName")
        if not name:
            words = f"no service account specified for pod {namespace}/{request.key.name}"
            raise forbidden(PODS, request.key.name, words)
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


def _is_mirror(request: AdmissionRequest) -> bool:
    return MIRROR in part(request.object["metadata"], "annotations")


def service_account(context: Context) -> Plugin:
    # Agents of the version before refuse the mount: what is emulated is to run there, too.
    mounts = context.token_signer is not None and not context.config.version.is_emulated
    accounts = _Accounts(mounts=mounts)
    return Plugin(
        frozenset((CREATE, UPDATE_EPHEMERAL)),
        lambda served: served.resource == PODS,
        mutate=accounts.mutate,
        admit=accounts.admit,
        by_template=True,
    )


PLUGIN = service_account
