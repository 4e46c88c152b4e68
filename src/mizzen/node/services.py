"""Makes the addresses of Services lead to their endpoints, on this machine: feeds the forwarder.

The forwarder (`forwarder/`) is a process of its own that lives as long as this; it is started anew
where it ends, with all routes, and again with the agent's next life.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mizzen.base.objects import Key, Obj, key_of, labels_of, namespace_of
from mizzen.base.resources import ENDPOINT_SLICES, SERVICES
from mizzen.client.client import Client
from mizzen.client.events import EventRecorder
from mizzen.client.informer import Informer
from mizzen.host.ports import holder_of
from mizzen.node import forwarder
from mizzen.node.boundary import Boundary
from mizzen.node.core.service_routes import FORWARDED, Route, routes
from mizzen.node.core.service_variables import service_variables

log = logging.getLogger("mizzen.node")
GATHER_S = 0.005  # what changes together is told together
AGAIN_FIRST_S, AGAIN_MAX_S = 0.1, 5.0
END_S = 1.0
_MAIN = Path(forwarder.__file__).with_name("__main__.py")
_SERVICE_NAME = "kubernetes.io/service-name"
# As kube-proxy: headless Services have no address, and others may have a proxy of their own.
_PROXY_NAME = "service.kubernetes.io/service-proxy-name"
_FORWARDED_SLICES = f"!service.kubernetes.io/headless,!{_PROXY_NAME}"


class Services:
    """The Services and slices as the API has them, and the forwarder that follows them."""

    def __init__(
        self,
        client: Client,
        node: str,
        node_port_address: str,
        events: EventRecorder,
        boundary: Boundary,
        log_file: Path,
    ) -> None:
        self.services = Informer(client, SERVICES)
        self.slices = Informer(client, ENDPOINT_SLICES, labels=_FORWARDED_SLICES)
        self._node = node
        self._node_port_address = node_port_address
        self._events = events
        self._boundary = boundary
        self._log_file = log_file
        self._slices_of: dict[Key, dict[Key, Obj]] = {}  # by Service
        self._routes: dict[Key, dict[str, Route]] = {}  # by Service, as the forwarder has them
        self._owners: dict[str, Key] = {}  # of each route's key
        self._refused: dict[str, str] = {}  # route's key -> why the forwarder cannot listen
        self._due: set[Key] = set()
        self._wake = asyncio.Event()
        self._counts: Counter[str] = Counter()

    def statistics(self) -> Mapping[str, int]:
        return {"routes": len(self._owners), "refused": len(self._refused), **self._counts}

    def variables(self, pod: Obj) -> dict[str, str]:
        """The variables by which the pod's containers find Services."""
        links = pod["spec"].get("enableServiceLinks")
        services = self.services.objects.values()
        return service_variables(services, namespace_of(pod), links is not False)

    def connect(self) -> None:
        """Follows the informers; call once they have synced."""
        self.services.add_handler(self._on_service)
        self.slices.add_handler(self._on_slice)

    async def run(self) -> None:
        """Keeps a forwarder running and its table true, until cancelled."""
        pause_s = AGAIN_FIRST_S
        while True:
            began = asyncio.get_running_loop().time()
            self._routes.clear()
            self._owners.clear()
            self._refused.clear()
            self._due.update(self.services.objects)
            await self._serve()
            if asyncio.get_running_loop().time() - began > AGAIN_MAX_S:
                pause_s = AGAIN_FIRST_S
            self._counts["restarts"] += 1
            log.warning("the forwarder of Services ended, again in %g s", pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, AGAIN_MAX_S)

    async def _serve(self) -> None:
        """One life of the forwarder."""
        child, ours = self._launch()
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(self._tell(writer))
                await self._listen(reader)
                telling.cancel()
        except* ConnectionError:
            pass
        finally:
            writer.close()  # it ends with this
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(child.wait, END_S)
            child.kill()
            child.wait()

    def _launch(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, theirs = socket.socketpair()
        with theirs, self._log_file.open("ab") as output:
            child = subprocess.Popen(
                [sys.executable, "-I", "-S", "-X", "utf8", str(_MAIN)],
                stdin=theirs.fileno(),
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in a terminal is the agent's affair
            )
        return child, ours

    # -- what the API says ------------------------------------------------------------------------

    def _on_service(self, kind: str, old: Obj | None, new: Obj) -> None:
        self._mark(key_of(new))

    def _on_slice(self, kind: str, old: Obj | None, new: Obj) -> None:
        for each in (old, new):
            name = labels_of(each).get(_SERVICE_NAME) if each is not None else None
            if each is None or not name:
                continue
            service = Key(namespace_of(each), name)
            slices = self._slices_of.setdefault(service, {})
            slices.pop(key_of(each), None)
            if each is new and kind != "DELETED":
                slices[key_of(each)] = each
            if not slices:
                del self._slices_of[service]
            self._mark(service)

    def _mark(self, service: Key) -> None:
        self._due.add(service)
        self._wake.set()

    # -- what the forwarder is told ---------------------------------------------------------------

    async def _tell(self, writer: asyncio.StreamWriter) -> None:
        while True:
            due, self._due = self._due, set()
            for key in due:
                service = self.services.objects.get(key)
                if service is None:
                    self._lead(writer, key, ())
                    continue
                with self._boundary.around(service):
                    self._lead(writer, key, self._wanted(key, service))
            await writer.drain()
            if not self._due:
                self._wake.clear()
                await self._wake.wait()
            await asyncio.sleep(GATHER_S)

    def _wanted(self, key: Key, service: Obj) -> list[Route]:
        if _PROXY_NAME in labels_of(service):
            return []
        slices = self._slices_of.get(key, {}).values()
        return list(routes(service, slices, self._node, self._node_port_address))

    def _lead(self, writer: asyncio.StreamWriter, key: Key, wanted: Iterable[Route]) -> None:
        """Tells what differs; the forwarder listens where there is an endpoint."""
        before = self._routes.pop(key, {})
        now: dict[str, Route] = {}
        for route in wanted:
            if route.protocol not in FORWARDED:
                self._report(key, route.key, f"{route.protocol} is not forwarded by this node")
            elif route.endpoints:
                now[route.key] = route
        for name in before.keys() - now.keys():
            if self._owners.get(name) == key:  # else another Service has the address by now
                del self._owners[name]
                self._refused.pop(name, None)
                writer.write(_line(before[name]._replace(endpoints=())))
        for name, route in now.items():
            self._owners[name] = key
            if before.get(name) != route:
                writer.write(_line(route))
        if now:
            self._routes[key] = now

    # -- what it says -----------------------------------------------------------------------------

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        async for line in reader:
            said: dict[str, Any] = json.loads(line)
            owner = self._owners.get(said["key"])
            if owner is not None:
                code: int = said["error"]
                self._report(owner, said["key"], _why(said["key"], code) if code else "")

    def _report(self, owner: Key, route: str, problem: str) -> None:
        """Says on the Service where it cannot be reached, once, and that it can be again."""
        before = self._refused.get(route, "")
        service = self.services.objects.get(owner)
        if problem == before or service is None:
            return
        if problem:
            self._refused[route] = problem
            self._events.event(service, "Warning", "FailedToListen", problem)
        else:
            del self._refused[route]
            self._events.event(service, "Normal", "Listening", f"{route} is listened on")


def _line(route: Route) -> bytes:
    said: dict[str, Any] = {"key": route.key, **route._asdict()}
    return json.dumps(said).encode() + b"\n"


def _why(route: str, code: int) -> str:
    """What hinders the forwarder, and what to do."""
    place, _, protocol = route.partition("/")
    port = int(place.rpartition(":")[2])
    advice = ""
    if code == errno.EACCES:
        advice = (
            "; ports below 1024 are root's on this machine: choose a port from 1024 on, or as root "
            f"`sysctl net.ipv4.ip_unprivileged_port_start={port}`"
        )
    elif code == errno.EADDRNOTAVAIL:
        advice = "; it is no address of this machine"
    elif code == errno.EADDRINUSE:
        holder = holder_of(port)
        advice = f"; {holder} has it" if holder else ""
    return f"cannot listen on {place} ({protocol}): {os.strerror(code)}{advice}"
