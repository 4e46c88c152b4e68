"""Go's clients: informers and queues on client-go, an operator on controller-runtime."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.client_programs import go_program
from support.instance import Instance

DEADLINE_S = 90
WIDGET = """
apiVersion: clients.example.com/v1
kind: Widget
metadata: {name: %s}
spec: {size: %d}
"""


@pytest.fixture
def environment(widgets: Instance, tmp_path: Path) -> dict[str, str]:
    config = widgets.home / "config" / "kubeconfig"
    return {**os.environ, "KUBECONFIG": str(config), "HOME": str(tmp_path)}


def informers(environment: dict[str, str], *words: str) -> dict[str, Any]:
    """The line that the program ends with."""
    done = subprocess.run(
        [go_program("informers"), *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        env=environment,
    )
    assert done.returncode == 0, (words, done.stdout[-3000:], done.stderr[-3000:])
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "encoding",
    [
        pytest.param(
            word,
            marks=pytest.mark.client(
                "client-go", f"informer, lister, rate-limited queue, server-side apply, in {name}"
            ),
        )
        for word, name in [("json", "JSON"), ("protobuf", "protobuf")]
    ],
)
def test_reconcile(environment: dict[str, str], namespace: str, encoding: str) -> None:
    found = informers(environment, "reconcile", namespace, encoding)
    assert found == {"copied": 20, "conflict": True}


@pytest.mark.client("client-go", "leader election: the second leads once the first has let go")
def test_election(environment: dict[str, str], namespace: str) -> None:
    found = informers(environment, "elect", namespace)
    assert found == {"order": ["first", "second"], "holder": "second", "transitions": 1}


@pytest.mark.client(
    "client-go", "dynamic client and informer, metadata client, patches and apply of a custom kind"
)
def test_dynamic(environment: dict[str, str], namespace: str) -> None:
    assert informers(environment, "dynamic", namespace) == {
        "events": ["added", *["updated"] * 4, "deleted"],
        "spec": {"size": 3, "color": "red"},
        "status": {"ready": True},
        "invalid": True,
        "metadata": 1,
        "kind": "PartialObjectMetadata",
    }


@pytest.mark.client("client-go", "five writers of one object, who try again on each conflict")
def test_conflicts(environment: dict[str, str], namespace: str) -> None:
    assert informers(environment, "update", namespace, "protobuf") == {"counter": "5"}


@pytest.mark.client(
    "controller-runtime", "an operator: owned objects, finalizer, status, election and its failover"
)
def test_operator(environment: dict[str, str], namespace: str, widgets: Instance) -> None:
    def kubectl(*words: str, given: str | None = None) -> str:
        return widgets.kubectl("-n", namespace, *words, given=given)

    def field(which: str, path: str) -> str:
        return kubectl("get", which, "-o", f"jsonpath={path}", "--ignore-not-found")

    def apply(name: str, size: int) -> None:
        kubectl("apply", "-f", "-", given=WIDGET % (name, size))
        wish = ("wait", f"wg/{name}", "--timeout=30s")
        kubectl(*wish, f"--for=jsonpath={{.status.seen}}={size}")
        assert field(f"cm/of-{name}", "{.data.size}") == str(size)

    def start() -> subprocess.Popen[bytes]:
        words = [go_program("operator"), namespace]
        with (Path(environment["HOME"]) / "operator.log").open("ab") as log:
            return subprocess.Popen(words, stdout=log, stderr=log, env=environment)

    first = start()
    second = None
    try:
        apply("a", 1)
        apply("a", 2)
        kubectl("delete", "cm/of-a")
        widgets.until(lambda: field("cm/of-a", "{.data.size}") == "2")
        second = start()
        first.kill()
        first.wait()
        apply("b", 3)
        kubectl("delete", "wg", "--all", "--timeout=30s")
        widgets.until(lambda: not field("cm/of-a", "{.metadata.uid}"))
        assert second.poll() is None
    finally:
        for each in (first, second):
            if each is not None:
                each.kill()
                each.wait()
