"""kubectl and the official Python client reach the inside of pods of a real instance."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pty
import re
import select
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.instance import Instance

pytestmark = pytest.mark.slow
DEADLINE_S = 60
FILE_BYTES = 100 << 20
POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {{name: main, image: mizzen.dev/python, command: [sh, -c, '{script}'], {more}}}
"""


class Cluster:
    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.kubeconfig = str(instance.home / "config" / "kubeconfig")

    def run(self, name: str, script: str, more: str = "") -> None:
        manifest = POD.format(name=name, script=script, more=more)
        self.instance.kubectl("apply", "-f-", given=manifest)
        self.instance.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")

    def kubectl(self, *words: str, given: bytes | None = None) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            self.words(*words), input=given, capture_output=True, timeout=DEADLINE_S
        )
        return done.returncode, done.stdout, done.stderr

    def words(self, *words: str) -> list[str]:
        return ["kubectl", "--kubeconfig", self.kubeconfig, *words]

    @contextlib.contextmanager
    def forwarded(self, name: str, port: int) -> Generator[int]:
        """The local port through which a pod's is reached."""
        words = self.words("port-forward", f"pod/{name}", f":{port}")
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            assert process.stdout is not None
            said = process.stdout.readline().decode()
            found = re.search(r"127\.0\.0\.1:([0-9]+)", said)
            assert found, said
            try:
                yield int(found[1])
            finally:
                process.terminate()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    instance = Instance(tmp_path_factory.mktemp("home"))
    instance.ok("up", "--detach")
    try:
        made = Cluster(instance)
        made.run("p", "exec sleep 600")
        yield made
    finally:
        instance.run("down")


def test_exec_has_streams_and_an_exit_code(cluster: Cluster) -> None:
    script = "echo out; echo err >&2; exit 3"
    code, out, error = cluster.kubectl("exec", "p", "--", "sh", "-c", script)
    assert (code, out) == (3, b"out\n") and error.startswith(b"err\n")
    sent = os.urandom(1 << 20)
    assert cluster.kubectl("exec", "-i", "p", "--", "cat", given=sent)[:2] == (0, sent)
    code, _, error = cluster.kubectl("exec", "p", "--", "no-such-program")
    assert code == 1 and b"cannot run 'no-such-program'" in error
    code, _, error = cluster.kubectl("exec", "p", "-c", "x", "--", "ls")
    assert code == 1 and b"container x is not valid for pod p" in error


def at_terminal(words: list[str], *typed: tuple[bytes, bytes]) -> tuple[int, bytes]:
    """What a program shows at a terminal where, once it has said this, that is typed: again and
    again while nothing is said, as kubectl drops what is typed before its terminal is raw."""
    terminal, theirs = pty.openpty()
    said, left, last, deadline = b"", [*typed], b"", time.monotonic() + DEADLINE_S
    with subprocess.Popen(
        words, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        with contextlib.suppress(OSError):  # the terminal's end
            while time.monotonic() < deadline:
                if select.select([terminal], (), (), 1)[0]:
                    said += os.read(terminal, 65536)
                    while left and left[0][0] in said:
                        last = left.pop(0)[1]
                        os.write(terminal, last)
                else:
                    os.write(terminal, last)
        if time.monotonic() > deadline:
            process.kill()
    os.close(terminal)
    return process.returncode, said


def test_exec_at_a_terminal(cluster: Cluster) -> None:
    script = 'test -t 0 && printf "ready> " && read x && echo "<$x>" && exit 4'
    words = cluster.words("exec", "-it", "p", "--", "sh", "-c", script)
    code, said = at_terminal(words, (b"ready> ", b"typed\r"))
    assert code == 4 and b"<typed>" in said


def test_attach_to_a_terminal(cluster: Cluster) -> None:
    script = 'while printf "name? "; read x; do echo hello $x; done'
    cluster.run("tty", script, "stdin: true, tty: true")
    words = cluster.words("attach", "-it", "tty")
    _, said = at_terminal(words, (b"pressing enter", b"bo\r"), (b"hello bo", b"\x04"))
    assert b"hello bo" in said


def test_attach_with_input(cluster: Cluster) -> None:
    cluster.run("in", "cat; echo over", "stdin: true, stdinOnce: true")
    _, out, _ = cluster.kubectl("attach", "-i", "in", given=b"all of it\n")
    assert b"all of it\n" in out and b"over\n" in out


def test_cp_both_ways(cluster: Cluster, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    (sent / "deep").mkdir(parents=True)
    (sent / "deep" / "file").write_bytes(os.urandom(3 << 20))
    inside, back = tmp_path / "inside", tmp_path / "back"
    inside.mkdir()
    assert cluster.kubectl("cp", str(sent), f"p:{inside}/copy")[0] == 0
    assert cluster.kubectl("cp", f"p:{inside}/copy", str(back))[0] == 0
    assert (back / "deep" / "file").read_bytes() == (sent / "deep" / "file").read_bytes()


def digest(url: str) -> str:
    with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
        return hashlib.sha256(answer.read()).hexdigest()


def test_port_forward(cluster: Cluster, tmp_path: Path) -> None:
    content = os.urandom(FILE_BYTES)
    (tmp_path / "large").write_bytes(content)
    script = f"exec {sys.executable} -m http.server 8000 --bind $POD_IP --directory {tmp_path}"
    cluster.run("web", script, "readinessProbe: {httpGet: {port: 8000}, periodSeconds: 1}")
    with cluster.forwarded("web", 8000) as port:
        url = f"http://127.0.0.1:{port}/"
        assert digest(f"{url}large") == hashlib.sha256(content).hexdigest()
        with ThreadPoolExecutor(8) as pool:
            assert len({*pool.map(digest, [url] * 24)}) == 1
        # Half closed: the request is all that is said, the answer comes back all the same.
        with socket.create_connection(("127.0.0.1", port), DEADLINE_S) as half:
            half.sendall(b"GET /none HTTP/1.0\r\n\r\n")
            half.shutdown(socket.SHUT_WR)
            assert half.recv(100).startswith(b"HTTP/1.0 404")


# In a process of its own: the client leaves connections to the garbage collector.
PYTHON_CLIENT = """
import sys
from kubernetes import client, config
from kubernetes.stream import portforward, stream
api = client.CoreV1Api(config.new_client_from_config(sys.argv[1]))
words = ["sh", "-c", "read x; echo got $x; echo err >&2; exit 7"]
opened = stream(
    api.connect_get_namespaced_pod_exec, "p", "default", command=words,
    stdin=True, stdout=True, stderr=True, tty=False, _preload_content=False,
)
opened.write_stdin("it" + chr(10))
opened.run_forever(timeout=60)
assert (opened.read_stdout(), opened.read_stderr()) == ("got it" + chr(10), "err" + chr(10))
assert opened.returncode == 7
opened.close()
ports = portforward(api.connect_get_namespaced_pod_portforward, "web4", "default", ports="8001")
end = ports.socket(8001)
end.setblocking(True)
end.sendall(b"GET /none HTTP/1.0" + bytes((13, 10, 13, 10)))
assert end.recv(100).startswith(b"HTTP/1.0 404")
end.close()
assert not ports.error(8001)
"""


def test_the_python_client(cluster: Cluster) -> None:
    script = f"exec {sys.executable} -m http.server 8001 --bind $POD_IP"
    cluster.run("web4", script, "readinessProbe: {httpGet: {port: 8001}, periodSeconds: 1}")
    words = [sys.executable, "-c", PYTHON_CLIENT, cluster.kubeconfig]
    done = subprocess.run(words, capture_output=True, text=True, timeout=2 * DEADLINE_S)
    assert done.returncode == 0, done.stderr
