"""Helm with a chart that has a hook, a custom kind and its definition, and a test."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.client_programs import go_program
from support.instance import Instance

CHART = str(Path(__file__).parent / "chart")
DEADLINE_S = 120
WAIT = ("--wait", "--timeout", f"{DEADLINE_S}s")
Helm = Callable[..., str]


@pytest.fixture
def helm(instance: Instance, namespace: str, tmp_path: Path) -> Helm:
    """Helm in the test's namespace, with a home of its own."""
    config = instance.home / "config" / "kubeconfig"
    environment = {**os.environ, "KUBECONFIG": str(config), "HOME": str(tmp_path)}

    def run(*words: str) -> str:
        done = subprocess.run(
            [go_program("helm"), "-n", namespace, *words],
            capture_output=True,
            text=True,
            timeout=DEADLINE_S + 10,
            env=environment,
        )
        assert done.returncode == 0, (words, done.stdout[-3000:], done.stderr[-3000:])
        return done.stdout

    return run


@pytest.fixture
def get(instance: Instance, namespace: str) -> Callable[[str], dict[str, Any]]:
    """One object of the test's namespace, `kind/name`."""
    return lambda which: json.loads(instance.kubectl("get", which, "-n", namespace, "-o", "json"))


@pytest.mark.client(
    "helm", "install --wait with a CRD and a hook, test, upgrade, history, rollback, uninstall"
)
def test_release(
    helm: Helm, get: Callable[[str], dict[str, Any]], instance: Instance, namespace: str
) -> None:
    helm("install", "r", CHART, *WAIT)
    assert get("deploy/r")["status"]["readyReplicas"] == 1
    assert get("job/r-before")["status"]["succeeded"] == 1
    assert get("gadgets.shop.example.com/r")["spec"]["size"] == 1
    settings = get("cm/r-settings")["data"]
    assert settings["namespace"] == get(f"ns/{namespace}")["metadata"]["uid"]
    assert settings["deployments"] == "true"
    assert "Succeeded" in helm("test", "r", "--timeout", f"{DEADLINE_S}s")

    helm("upgrade", "r", CHART, "--set", "replicas=2,greeting=ahoy", *WAIT)
    upgraded = get("deploy/r")
    assert upgraded["status"]["readyReplicas"] == 2
    assert upgraded["spec"]["template"]["metadata"]["annotations"]["greeting"] == "ahoy"
    assert get("gadgets.shop.example.com/r")["spec"]["size"] == 2

    helm("rollback", "r", "1", *WAIT)
    assert get("deploy/r")["spec"]["replicas"] == 1
    assert get("cm/r-settings")["data"]["greeting"] == "hello"
    history = json.loads(helm("history", "r", "-o", "json"))
    assert [each["status"] for each in history] == ["superseded", "superseded", "deployed"]
    assert json.loads(helm("list", "-o", "json"))[0]["revision"] == "3"

    helm("uninstall", "r", *WAIT)
    left = instance.kubectl(
        "get", "deploy,svc,secret,gadgets.shop.example.com", "-n", namespace, "-o", "name"
    )
    assert not left.strip()


@pytest.mark.client("helm", "a dry run at the server with a generated name leaves nothing")
def test_dry_run(
    helm: Helm, get: Callable[[str], dict[str, Any]], instance: Instance, namespace: str
) -> None:
    words = ("--generate-name", "--dry-run=server", "--skip-crds", "--set", "gadget=false")
    rendered = helm("install", CHART, *words)
    assert get(f"ns/{namespace}")["metadata"]["uid"] in rendered
    assert not instance.kubectl("get", "deploy,secret,job", "-n", namespace, "-o", "name").strip()


@pytest.mark.client("helm", "upgrade --install that fails goes back by itself")
def test_rollback_on_failure(helm: Helm, get: Callable[[str], dict[str, Any]]) -> None:
    words = ("upgrade", "--install", "r", CHART)
    helm(*words, *WAIT)
    with pytest.raises(AssertionError, match="must be greater than or equal to 0"):
        helm(*words, "--set", "replicas=-1", "--rollback-on-failure", *WAIT)
    assert get("deploy/r")["spec"]["replicas"] == 1
    history = json.loads(helm("history", "r", "-o", "json"))
    assert [each["status"] for each in history][-1] == "deployed"
    assert len(history) == 3
