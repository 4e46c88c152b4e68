"""The Kubernetes API as methods over plain objects; schemas are left to the server."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, cast

import orjson

from mizzen.base.errors import NotFound
from mizzen.base.objects import Obj, name_of, namespace_of
from mizzen.base.operations import Bind, Create, Operation, Patch, plan_body
from mizzen.base.resources import PLANS, PODS, Resource
from mizzen.client import kubeconfig
from mizzen.client.kubeconfig import Connection
from mizzen.client.transport import STREAM_IDLE_S_MAX, Patience, Transport
from mizzen.client.watching import WatchEvent, decode, selector_parameters, watch_parameters

LOG_LINE_BYTES_MAX = 1 << 20
PatchType = Literal["merge", "json", "strategic"]
_PATCH_TYPES: Mapping[str, str] = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}
LIST_PAGE = 5000


class Client:
    """One identity at one API server.

    Errors: every method raises `base.errors.ApiError` subclasses; trouble with the
    connection is `Unavailable`. Nothing that may have been written is retried. A write that
    is cancelled or unavailable may or may not have happened.
    """

    def __init__(
        self, connection: Connection, *, user_agent: str, patience: Patience | None = None
    ) -> None:
        self._transport = Transport(connection, user_agent, patience)
        self._has_plans: bool | None = None
        self._may_write: Callable[[], None] = lambda: None

    def write_only_if(self, check: Callable[[], None]) -> None:
        """From now on `check` is asked before each write; what it raises the write raises."""
        self._may_write = check

    @staticmethod
    def from_kubeconfig(
        path: Path, *, user_agent: str, context: str = "", patience: Patience | None = None
    ) -> Client:
        connection = kubeconfig.load(path, context=context)
        return Client(connection, user_agent=user_agent, patience=patience)

    @property
    def connection(self) -> Connection:
        return self._transport.connection

    @property
    def namespace(self) -> str:
        """The namespace of the kubeconfig's context, "default" if it names none."""
        return self._transport.connection.namespace

    def waits(self) -> AsyncGenerator[bool, None]:
        """True after each pause for as long as a server that is away may be waited for."""
        return self._transport.waits()

    async def close(self) -> None:
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def statistics(self) -> Mapping[str, int]:
        """Counts since the start: requests by method, streams, refused, unavailable, plans."""
        return dict(self._transport.counts)

    # -- reading ------------------------------------------------------------------

    async def get(self, resource: Resource, name: str, namespace: str = "") -> Obj:
        path = resource.path(self._namespace(resource, namespace), name)
        return orjson.loads(await self._transport.request("GET", path))

    async def list(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> tuple[list[Obj], int]:
        """The objects of one namespace ("" = of all) and the revision they were read at."""
        items: list[Obj] = []
        revision = 0
        async for page, at in self.pages(resource, namespace, labels=labels, fields=fields):
            items += page
            revision = at
        return items, revision

    async def pages(
        self, resource: Resource, namespace: str = "", *, labels: str = "", fields: str = ""
    ) -> AsyncGenerator[tuple[list[Obj], int], None]:
        """As `list`, LIST_PAGE objects at a time; all pages are of one revision."""
        params = selector_parameters(labels, fields) | {"limit": str(LIST_PAGE)}
        while True:
            data = await self._transport.request("GET", resource.path(namespace), params=params)
            page: Obj = orjson.loads(data)
            items = cast("list[Obj]", page["items"])
            for item in items:  # a real API server leaves these out in lists of built-in kinds
                item.setdefault("apiVersion", resource.api_version)
                item.setdefault("kind", resource.kind)
            metadata = cast("Obj", page["metadata"])
            yield items, int(metadata.get("resourceVersion") or 0)
            if not metadata.get("continue"):
                return
            params["continue"] = str(metadata["continue"])

    async def watch(
        self,
        resource: Resource,
        namespace: str = "",
        *,
        revision: int | None = None,
        labels: str = "",
        fields: str = "",
    ) -> AsyncGenerator[WatchEvent, None]:
        """Events of one connection, bookmarks included, until the server ends it.

        `revision` None is a streaming list: first an ADDED for each object there is, then
        the bookmark that `ends_initial_events`. Reconnecting is the caller's (`Informer`).
        Errors: Expired when the revision is too old.
        """
        params = watch_parameters(revision, labels, fields)
        lines = self._transport.lines(resource.path(namespace), params=params)
        async with contextlib.aclosing(lines):
            async for line in lines:
                yield decode(line)

    async def logs(
        self,
        name: str,
        namespace: str = "",
        *,
        container: str = "",
        follow: bool = False,
        tail: int | None = None,
        previous: bool = False,
        timestamps: bool = False,
        since_s: int | None = None,
        resume_at: str = "",
    ) -> AsyncGenerator[bytes, None]:
        """Lines of a container's log as its program wrote them, newlines included; a last line
        without one has none here, and one above LOG_LINE_BYTES_MAX comes in parts. With `follow`
        until the container will not run again; `resume_at` (the time of a line) begins at that
        line (`client/following.py` does that).
        """
        params: dict[str, str] = {"follow": "true"} if follow else {}
        if container:
            params["container"] = container
        if tail is not None:
            params["tailLines"] = str(tail)
        if previous:
            params["previous"] = "true"
        if timestamps:
            params["timestamps"] = "true"
        if since_s is not None:
            params["sinceSeconds"] = str(since_s)
        if resume_at:
            params["resumeAt"] = resume_at
        path = PODS.path(namespace or self.namespace, name, "log")
        idle_s = math.inf if follow else STREAM_IDLE_S_MAX  # a program may say nothing for days
        pieces = self._transport.pieces(
            path, params=params, headers={"Accept": "*/*"}, idle_s=idle_s
        )
        rest: list[bytes] = []
        size = 0
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                *lines, last = piece.split(b"\n")
                for line in lines:
                    yield b"".join((*rest, line, b"\n"))
                    rest.clear()
                    size = 0
                rest.append(last)
                size += len(last)
                if size > LOG_LINE_BYTES_MAX:  # a program may never end its line
                    yield b"".join(rest)
                    rest.clear()
                    size = 0
        if any(rest):
            yield b"".join(rest)

    def lines(
        self, path: str, *, params: Mapping[str, str] | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Non-empty lines of any streamed GET, such as Mizzen's history."""
        return self._transport.lines(path, params=params, headers={"Accept": "*/*"})

    # -- writing ------------------------------------------------------------------

    async def create(self, resource: Resource, obj: Obj) -> Obj:
        typed = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        path = resource.path(self._namespace(resource, namespace_of(obj)))
        return await self._write("POST", path, typed)

    async def update(self, resource: Resource, obj: Obj, subresource: str = "") -> Obj:
        namespace = self._namespace(resource, namespace_of(obj))
        return await self._write("PUT", resource.path(namespace, name_of(obj), subresource), obj)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,
        namespace: str = "",
        *,
        subresource: str = "",
        type: PatchType = "merge",
    ) -> Obj:
        path = resource.path(self._namespace(resource, namespace), name, subresource)
        return await self._write("PATCH", path, patch, _PATCH_TYPES[type])

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str = "",
        *,
        grace_period_s: int | None = None,
        propagation: str = "",
        uid: str = "",
        resource_version: str = "",
    ) -> Obj:
        """The object as marked for deletion, or a Status when it is gone at once."""
        options: Obj = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if grace_period_s is not None:
            options["gracePeriodSeconds"] = grace_period_s
        if propagation:
            options["propagationPolicy"] = propagation
        preconditions = {"uid": uid, "resourceVersion": resource_version}
        if uid or resource_version:
            options["preconditions"] = {k: v for k, v in preconditions.items() if v}
        path = resource.path(self._namespace(resource, namespace), name)
        return await self._write("DELETE", path, options)

    async def commit(self, operations: Sequence[Operation]) -> list[Obj]:
        """Carries out all operations or none; the objects as written, in order.

        One operation is an ordinary request, several are one Plan. On an API server without
        Plans they are written one after the other and the first refusal stops the rest.
        """
        if not operations:
            return []
        if len(operations) > 1 and await self.serves_plans():
            self._transport.counts["plans"] += 1
            answer = await self._write("POST", PLANS.path(), plan_body(operations))
            return list(answer["status"].get("results") or ())
        return [await self._commit_one(operation) for operation in operations]

    async def raw(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> bytes:
        """The body of any successful request, such as discovery, `/version` or `/readyz`."""
        return await self._transport.request(
            method,
            path,
            params=params,
            body=body,
            content_type=content_type,
            headers={"Accept": accept},
        )

    async def _commit_one(self, operation: Operation) -> Obj:
        if isinstance(operation, Create):
            return await self.create(operation.resource, operation.object)
        if isinstance(operation, Bind):
            return await self._bind(operation)
        if isinstance(operation, Patch):
            return await self.patch(
                operation.resource,
                operation.name,
                guarded_patch(operation),
                operation.namespace,
                subresource=operation.subresource,
            )
        return await self.delete(
            operation.resource,
            operation.name,
            operation.namespace,
            grace_period_s=operation.grace_period_s,
            propagation=operation.propagation,
            uid=operation.uid,
            resource_version=operation.resource_version,
        )

    async def _bind(self, bind: Bind) -> Obj:
        metadata = {"name": bind.name, "namespace": bind.namespace}
        metadata |= {"uid": bind.uid} if bind.uid else {}
        metadata |= {"resourceVersion": bind.resource_version} if bind.resource_version else {}
        body: Obj = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": metadata,
            "target": {"apiVersion": "v1", "kind": "Node", "name": bind.node},
        }
        return await self._write("POST", PODS.path(bind.namespace, bind.name, "binding"), body)

    async def serves_plans(self) -> bool:
        """True if this is Mizzen's own API server; asked once, from discovery."""
        if self._has_plans is None:
            try:
                data = await self._transport.request("GET", PLANS.prefix)
            except NotFound:
                self._has_plans = False
            else:
                served: Obj = orjson.loads(data)
                names = {str(entry["name"]) for entry in served.get("resources") or ()}
                self._has_plans = PLANS.plural in names
        return self._has_plans

    async def _write(
        self, method: str, path: str, body: Any, content_type: str = "application/json"
    ) -> Obj:
        self._may_write()
        data = await self._transport.request(
            method, path, body=orjson.dumps(body), content_type=content_type
        )
        return orjson.loads(data)

    def _namespace(self, resource: Resource, namespace: str) -> str:
        return (namespace or self.namespace) if resource.namespaced else ""


def guarded_patch(operation: Patch) -> Obj:
    """The merge patch with its preconditions, as a real API server checks them.

    Source: apiserver `handlers/patch.go`: a resourceVersion or uid in the patch that differs
    from the stored one is a Conflict.
    """
    if not operation.resource_version and not operation.uid:
        return operation.patch
    metadata = dict(operation.patch.get("metadata") or {})
    if operation.resource_version:
        metadata["resourceVersion"] = operation.resource_version
    if operation.uid:
        metadata["uid"] = operation.uid
    return {**operation.patch, "metadata": metadata}
