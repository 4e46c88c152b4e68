"""A real API server process on a free port, with a home of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mizzen.compose import settings
from mizzen.host import pki
from mizzen.host.clock import RealClock
from mizzen.host.home import Home
from support.ports import free_port


@dataclass(frozen=True)
class ApiServer:
    home: Home
    url: str
    tokens: dict[str, str]  # identity -> token
    process: subprocess.Popen[bytes]

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        identity: str = "admin",
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> tuple[int, Any]:
        """(HTTP status, answer as JSON where it is JSON)."""
        with self.open(method, path, body, identity, content_type, accept) as response:
            text = response.read()
            is_json = response.headers.get_content_type() == "application/json"
            return response.status, json.loads(text) if is_json and text else text.decode()

    def open(
        self, method: str, path: str, body: Any, identity: str, content_type: str, accept: str
    ) -> Any:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"content-type": content_type, "accept": accept}
        if identity:
            headers["authorization"] = f"Bearer {self.tokens[identity]}"
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        context = ssl.create_default_context(cafile=str(self.home.pki / "ca.crt"))
        try:
            return urllib.request.urlopen(request, timeout=60, context=context)
        except urllib.error.HTTPError as error:
            return error

    def kubectl(self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> str:
        """What kubectl prints. Errors: AssertionError with its message when it fails."""
        done = self.kubectl_run(*arguments, stdin=stdin, env=env)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}{done.stdout}"
        return done.stdout

    def kubectl_run(
        self, *arguments: str, stdin: str = "", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        program = shutil.which("kubectl")
        assert program, "these tests drive the API with kubectl (v1.32 or newer): install it"
        return subprocess.run(
            [program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            env={**os.environ, "KUBECONFIG": str(self.home.kubeconfig), "HOME": str(self.home.root),
                 **(env or {})},
        )  # fmt: skip


def start(root: Path, port: int = 0, *, files: int = 0) -> ApiServer:
    """Starts the process and waits until it answers; `files` limits its descriptors."""
    home = Home.locate(str(root), {})
    home.make()
    port = port or free_port()
    settings.save(
        home, settings.Settings(port=port, gateway_port=free_port(), certificate_port=free_port())
    )
    keys = pki.ensure(home, RealClock(), listen="127.0.0.1", port=port)
    reader, writer = os.pipe()
    command = [sys.executable, "-m", "mizzen.compose", "apiserver", "--home", str(root)]
    if files:
        command = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *command]
    process = subprocess.Popen([*command, "--ready-fd", str(writer)], pass_fds=(writer,))
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.readline() == b"ready\n", "the API server did not start"
    return ApiServer(home, f"https://127.0.0.1:{port}", dict(keys.tokens), process)


@contextlib.contextmanager
def running(root: Path, *, files: int = 0) -> Iterator[ApiServer]:
    server = start(root, files=files)
    try:
        yield server
    finally:
        server.process.terminate()
        server.process.wait(60)
