"""Each namespace keeps its ServiceAccount `default` and its ConfigMap `kube-root-ca.crt`.

Both come with the namespace (`admission/namespace_contents.py`), are made again when somebody
deletes them, and the authority's certificate is put back when somebody changes it.
"""

from __future__ import annotations

from mizzen.apiserver import operations
from mizzen.apiserver.core.namespace_contents import DEFAULT_ACCOUNT, contents
from mizzen.apiserver.core.refusals import qualified
from mizzen.apiserver.core.user import API_SERVER
from mizzen.apiserver.draft import Draft
from mizzen.apiserver.due_names import DueNames
from mizzen.apiserver.server import Server
from mizzen.base.objects import Obj, is_terminating
from mizzen.base.resources import CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS, Resource
from mizzen.base.service_accounts import ROOT_CA
from mizzen.store.store import Event, ObjectKey


class NamespaceContents:
    """Follows namespaces, ServiceAccounts and ConfigMaps of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._due = DueNames("namespace contents of", self._fill)

    async def run(self) -> None:
        """Runs until cancelled."""
        store = self._server.store
        for stored in store.list(qualified(NAMESPACES)).items:
            self._due.mark(stored.key.name)
        store.listen(qualified(NAMESPACES), self._on_namespace)
        store.listen(qualified(SERVICE_ACCOUNTS), self._on_account)
        store.listen(qualified(CONFIG_MAPS), self._on_config_map)
        await self._due.run()

    async def _fill(self, name: str) -> None:
        """Errors: ApiError."""
        draft = self._server.draft(API_SERVER)
        namespace = draft.get(ObjectKey(qualified(NAMESPACES), "", name))
        if namespace is None or is_terminating(namespace):
            return
        for resource, wanted in contents(self._server.root_ca):
            self._keep(draft, resource, name, wanted)
        done = draft.commit()
        if done is not None:
            await done

    def _keep(self, draft: Draft, resource: Resource, namespace: str, wanted: Obj) -> None:
        served = self._server.catalog.by_place((resource.group, resource.plural))
        assert served is not None, "both are built in"
        key = ObjectKey(served.key, namespace, wanted["metadata"]["name"])
        found = draft.get(key)
        if found is None:
            if not draft.removes(key):
                operations.create(draft, served, namespace, wanted)
        elif "data" in wanted and found.get("data") != wanted["data"]:
            body = {**found, "metadata": dict(found["metadata"]), "data": wanted["data"]}
            operations.update(draft, served, namespace, key.name, body)

    def _on_namespace(self, event: Event) -> None:
        if event.type == "ADDED":
            self._due.mark(event.key.name)

    def _on_account(self, event: Event) -> None:
        if event.type == "DELETED" and event.key.name == DEFAULT_ACCOUNT:
            self._due.mark(event.key.namespace)

    def _on_config_map(self, event: Event) -> None:
        if event.key.name == ROOT_CA and event.type != "ADDED":
            self._due.mark(event.key.namespace)
