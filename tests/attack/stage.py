"""One instance under attack: how families reach it, and whether it still stands."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from mizzen.compose import settings
from mizzen.host import pki
from mizzen.host.home import Home
from support.instance import Instance

ANSWER_S_MAX = 30.0  # of one request; what takes longer is held to hang
STANDING_S = 30.0  # to answer again after a strike
BYSTANDER = "bystander"
NAMESPACE = "/api/v1/namespaces/default"


@dataclass(frozen=True)
class Attack:
    """A name for the report, and what is done; an AssertionError says what did not hold."""

    name: str
    strike: Callable[[], None]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def said(self) -> str:
        return f"{self.status} {self.body[:200]!r}"


@dataclass
class Stage:
    instance: Instance
    home: Home
    seed: int = 1
    peak_bytes: dict[str, int] = field(default_factory=dict)

    def chance(self, family: str) -> Random:
        """The same draws for the same seed, whichever families run."""
        return Random(f"{self.seed}-{family}")

    # Reaching it

    def token(self, identity: str = "admin") -> str:
        return json.loads(self.home.tokens.read_text())[identity]

    def connect(self, *, tls: bool = True, timeout_s: float = ANSWER_S_MAX) -> socket.socket:
        """A connection to the API server; without `tls` the bare TCP one."""
        known = settings.load(self.home)
        plain = socket.create_connection(("127.0.0.1", known.port), timeout_s)
        if not tls:
            return plain
        context = ssl.create_default_context(cafile=str(self.home.pki / "ca.crt"))
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        identity: str | None = "admin",
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The API server's answer; a body that is not bytes is sent as JSON."""
        known = settings.load(self.home)
        context = ssl.create_default_context(cafile=str(self.home.pki / "ca.crt"))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", known.port, timeout=ANSWER_S_MAX, context=context
        )
        return _answer(connection, method, path, body, self._token(identity), content_type, headers)

    def ask(
        self,
        path: str,
        body: Any = None,
        *,
        key: str | None = "",
        method: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The gateway's answer; `key` None sends none, "" the instance's own."""
        known = settings.load(self.home)
        token = pki.load_api_keys(self.home)[0] if key == "" else key
        connection = http.client.HTTPConnection(
            "127.0.0.1", known.gateway_port, timeout=ANSWER_S_MAX
        )
        verb = method or ("GET" if body is None else "POST")
        return _answer(connection, verb, path, body, token, "application/json", headers)

    def create_pod(self, name: str, command: list[str], **spec: Any) -> Answer:
        container = {"name": "c", "image": "mizzen.dev/python", "command": command}
        container |= spec.pop("container", {})
        whole = {"restartPolicy": "Never", "containers": [container], **spec}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole}
        return self.request("POST", f"{NAMESPACE}/pods", pod)

    def pod(self, name: str) -> dict[str, Any]:
        return self.request("GET", f"{NAMESPACE}/pods/{name}").json

    def delete(self, path: str) -> None:
        """Deletes at once and waits until it is gone."""
        self.request("DELETE", path, {"gracePeriodSeconds": 0, "propagationPolicy": "Background"})
        self.until(lambda: self.request("GET", path).status == 404, f"{path} to be gone")

    def until(self, condition: Callable[[], Any], what: str, deadline_s: float = 60.0) -> Any:
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            if found := condition():
                return found
            time.sleep(0.1)
        raise AssertionError(f"not in {deadline_s:.0f} s: {what}")

    def _token(self, identity: str | None) -> str | None:
        return None if identity is None else self.token(identity)

    # Whether it stands

    def facts(self) -> dict[str, Any]:
        """What no attack may change: processes, restarts, the bystander's process."""
        processes = {p["role"]: (p["pid"], p["restarts"]) for p in self._processes()}
        status = self.pod(BYSTANDER)["status"]
        (container,) = status["containerStatuses"]
        return {
            "processes": processes,
            "shim": self.shim_pid(),
            "bystander": (status["phase"], container["restartCount"], container["containerID"]),
        }

    def stands(self, before: Mapping[str, Any]) -> None:
        """Asserts that all answer and nothing that counts has changed."""
        self.measure()
        end = time.monotonic() + STANDING_S
        while True:
            try:
                assert self.request("GET", "/readyz").status == 200, "the API server is not ready"
                assert self.ask("/v1/models").status == 200, "the gateway does not answer"
                break
            except (OSError, http.client.HTTPException) as error:
                if time.monotonic() > end:
                    raise AssertionError(f"no answer within {STANDING_S} s: {error}") from error
                time.sleep(0.2)
        after = self.facts()
        changed = [f"{k}: {before[k]} became {after[k]}" for k in before if after[k] != before[k]]
        assert not changed, "; ".join(changed)

    def measure(self) -> None:
        """Remembers the most memory that each process ever held, by the kernel's own count."""
        pids = {p["role"]: p["pid"] for p in self._processes()}
        if shim := self.shim_pid():
            pids["shim"] = shim
        for role, pid in pids.items():
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{pid}/status").read_text()
                words = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
                peak = int(words["VmHWM"].split()[0]) * 1024
                self.peak_bytes[role] = max(peak, self.peak_bytes.get(role, 0))

    def supervisor_log(self) -> list[str]:
        """Why processes ended, in the supervisor's words; empty before it wrote any."""
        with contextlib.suppress(FileNotFoundError):
            log = self.home.logs / "supervisor.log"
            return log.read_text(errors="replace").splitlines()
        return []

    def shim_pid(self) -> int:
        """The process that starts the pods, found among the instance's own; 0 if there is none."""
        for pid in self.instance.processes():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"/runtimes/process/shim/" in words:
                    return pid
        return 0

    def _processes(self) -> list[dict[str, Any]]:
        return self.instance.status()["processes"]


def _answer(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Any,
    token: str | None,
    content_type: str,
    more: Mapping[str, str] | None,
) -> Answer:
    headers = {"Content-Type": content_type, **(more or {})}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    with contextlib.closing(connection):
        connection.request(method, path, data, headers)
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())


@contextlib.contextmanager
def descriptors(count: int) -> Iterator[None]:
    """Room for that many open files in this process, or an error that says so."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + len(os.listdir("/proc/self/fd")) + 64
    assert hard in (resource.RLIM_INFINITY,) or hard >= wanted, f"ulimit -Hn {wanted} is needed"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
