"""Fills Secrets of type `kubernetes.io/service-account-token`, and removes those of no account.

Source: kube-controller-manager's serviceaccount-token controller. It runs here since the key that
signs tokens lies beside the API server, and is nobody else's. That a token was used is written here,
too, as a label with the day (`authenticators/token_secrets.py` tells).
"""

from __future__ import annotations

from mizzen.apiserver import operations
from mizzen.apiserver.core import token_secrets as rules
from mizzen.apiserver.core.refusals import qualified
from mizzen.apiserver.core.stamping import DeleteOptions
from mizzen.apiserver.core.user import API_SERVER
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.due_names import DueNames
from mizzen.apiserver.server import Server
from mizzen.base.objects import Obj, is_terminating, labels_of
from mizzen.base.reading import entries
from mizzen.base.resources import SECRETS, SERVICE_ACCOUNTS
from mizzen.host.token_signer import TokenSigner
from mizzen.store.store import Event, ObjectKey, Stored

_SECRETS, _ACCOUNTS = qualified(SECRETS), qualified(SERVICE_ACCOUNTS)


class TokenSecrets:
    """Follows Secrets and ServiceAccounts of one server."""

    def __init__(self, server: Server, signer: TokenSigner) -> None:
        self._server = server
        self._signer = signer
        self._due = DueNames("token in Secret", self._handle)
        self._used: set[str] = set()
        self._lost: dict[str, str] = {}  # Secrets that are gone -> their accounts

    async def run(self) -> None:
        """Runs until cancelled."""
        store = self._server.store
        self._server.on_token_secret_used = self._on_used
        store.listen(_SECRETS, self._on_secret)
        store.listen(_ACCOUNTS, self._on_account)
        for stored in store.list(_SECRETS).items:
            if rules.may_be_one(stored.data):
                self._due.mark(_name(stored.key))
        await self._due.run()

    def _on_used(self, key: ObjectKey) -> None:
        self._used.add(_name(key))
        self._due.mark(_name(key))

    def _on_secret(self, event: Event) -> None:
        if not rules.may_be_one(event.stored.data):
            return
        name = _name(event.key)
        if event.type == "DELETED":
            self._used.discard(name)
            account = rules.account_name(event.stored.object())
            if account:
                self._lost[name] = account
        self._due.mark(name)

    def _on_account(self, event: Event) -> None:
        """An account that comes or goes takes the tokens of another of its name with it."""
        if event.type == "MODIFIED":
            return
        namespace, name = event.key.namespace, event.key.name
        for stored in self._server.store.list(_SECRETS, namespace).items:
            if _is_of(stored, name):
                self._due.mark(_name(stored.key))

    async def _handle(self, name: str) -> None:
        """Errors: ApiError, OSError."""
        namespace, _, own = name.partition("/")
        draft = self._server.draft(API_SERVER)
        secret = draft.get(ObjectKey(_SECRETS, namespace, own))
        if secret is None:
            self._forget_reference(draft, namespace, own, self._lost.pop(name, ""))
        else:
            self._lost.pop(name, None)
            self._keep(draft, namespace, secret, name)
        done = draft.commit()
        if done is not None:
            await done
        self._used.discard(name)

    def _keep(self, draft: Draft, namespace: str, secret: Obj, name: str) -> None:
        owner = rules.account_name(secret)
        served = self._server.catalog.by_key(_SECRETS)
        if not owner or served is None or is_terminating(secret):
            return
        own, uid = secret["metadata"]["name"], secret["metadata"]["uid"]
        account = draft.get(ObjectKey(_ACCOUNTS, namespace, owner))
        if account is None or not rules.belongs_to(secret, account):
            operations.delete(draft, served, namespace, own, DeleteOptions(uid=uid))
            return
        wanted = rules.filled(secret, account, self._server.root_ca, self._signer.sign)
        if name in self._used:
            found = wanted or secret
            day = {rules.LAST_USED: rules.day_of(draft.now_ns)}
            labels = {**labels_of(found), **day}
            wanted = {**found, "metadata": {**found["metadata"], "labels": labels}}
        if wanted is not None:
            operations.update(draft, served, namespace, own, wanted)

    def _forget_reference(self, draft: Draft, namespace: str, own: str, owner: str) -> None:
        """Takes a Secret that is gone out of the list of its account."""
        account = draft.get(ObjectKey(_ACCOUNTS, namespace, owner)) if owner else None
        served = self._server.catalog.by_key(_ACCOUNTS)
        if account is None or served is None:
            return
        secrets = entries(account, "secrets")
        left = [each for each in secrets if each.get("name") != own]
        if left != secrets:
            changed = {**account, "metadata": dict(account["metadata"]), "secrets": left}
            operations.update(draft, served, namespace, owner, changed)


def _is_of(stored: Stored, account: str) -> bool:
    return rules.may_be_one(stored.data) and rules.account_name(stored.object()) == account


def _name(key: ObjectKey) -> str:
    return f"{key.namespace}/{key.name}"
