"""Workloads of `apps` as kubectl's user sees them, on a whole instance with its own agent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from support.instance import Instance

SLEEP = ["/bin/sh", "-c", "trap 'exit 0' TERM; while true; do sleep 0.1; done"]


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    instance = Instance(tmp_path_factory.mktemp("workloads"))
    instance.ok("up", "--detach")
    yield instance
    instance.run("down")


def template(app: str, version: str = "1", *, probed: bool = False, **spec: Any) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "c",
        "image": "mizzen.dev/python",
        "command": SLEEP,
        "env": [{"name": "VERSION", "value": version}],
    }
    if probed:
        container["command"] = ["python", "-m", "http.server", "8000", "--bind", "$(POD_IP)"]
        container["readinessProbe"] = {
            "httpGet": {"port": 8000, "path": "/"},
            "periodSeconds": 1,
        }
        container["env"].append({
            "name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}
        })  # fmt: skip
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {"terminationGracePeriodSeconds": 5, "containers": [container], **spec},
    }


def apply(instance: Instance, kind: str, name: str, **spec: Any) -> None:
    body = {
        "apiVersion": "v1" if kind == "ReplicationController" else "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": spec,
    }
    if "selector" not in spec:
        spec["selector"] = {"matchLabels": {"app": name}}
    instance.kubectl("apply", "-f", "-", given=json.dumps(body))


def get(instance: Instance, *words: str) -> Any:
    return json.loads(instance.kubectl("get", *words, "-o", "json"))


def alive(instance: Instance, app: str) -> list[Any]:
    pods = get(instance, "pods", "-l", f"app={app}")["items"]
    return [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]


def versions(instance: Instance, app: str) -> list[str]:
    return sorted(pod["spec"]["containers"][0]["env"][0]["value"] for pod in alive(instance, app))


def rolled(instance: Instance, what: str) -> str:
    return instance.kubectl("rollout", "status", what, "--timeout=50s")


def progressing(instance: Instance, deployment: str) -> str:
    """The reason of the Deployment's condition of that type."""
    conditions = get(instance, "deployment", deployment)["status"]["conditions"]
    return next(each["reason"] for each in conditions if each["type"] == "Progressing")


def set_version(instance: Instance, what: str, version: str) -> None:
    instance.kubectl("set", "env", what, f"VERSION={version}")


def test_a_deployment_from_creation_to_undo(instance: Instance) -> None:
    apply(instance, "Deployment", "web", replicas=2, template=template("web", probed=True))
    assert "successfully rolled out" in rolled(instance, "deployment/web")
    words = instance.kubectl("get", "deployment", "web", "--no-headers").split()
    assert words[:4] == ["web", "2/2", "2", "2"]
    wide = instance.kubectl("get", "deployment", "web", "-o", "wide", "--no-headers").split()
    assert wide[-3:] == ["c", "mizzen.dev/python", "app=web"]

    instance.kubectl("scale", "deployment", "web", "--replicas=3")
    rolled(instance, "deployment/web")
    assert len(alive(instance, "web")) == 3

    set_version(instance, "deployment/web", "2")
    assert "successfully rolled out" in rolled(instance, "deployment/web")
    instance.until(lambda: versions(instance, "web") == ["2", "2", "2"])
    history = instance.kubectl("rollout", "history", "deployment/web").splitlines()
    assert [line.split()[0] for line in history[2:] if line] == ["1", "2"]
    shown = instance.kubectl("rollout", "history", "deployment/web", "--revision=1")
    assert "VERSION:\t1" in shown

    instance.kubectl("rollout", "undo", "deployment/web")
    rolled(instance, "deployment/web")
    instance.until(lambda: versions(instance, "web") == ["1", "1", "1"])
    history = instance.kubectl("rollout", "history", "deployment/web").splitlines()
    assert [line.split()[0] for line in history[2:] if line] == ["2", "3"]

    before = {pod["metadata"]["uid"] for pod in alive(instance, "web")}
    instance.kubectl("rollout", "restart", "deployment/web")
    rolled(instance, "deployment/web")
    after = instance.until(lambda: (p := alive(instance, "web")) and len(p) == 3 and p)
    assert before.isdisjoint(pod["metadata"]["uid"] for pod in after)


def test_a_deployment_by_kubectls_own_words(instance: Instance) -> None:
    made = ("create", "deployment", "made", "--image=mizzen.dev/python", "--replicas=2")
    instance.kubectl(*made, "--", "python", "-c", "import time; time.sleep(600)")
    assert "successfully rolled out" in rolled(instance, "deployment/made")
    described = instance.kubectl("describe", "deployment", "made")
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in described
    assert "ScalingReplicaSet" in described
    instance.kubectl("delete", "deployment", "made")
    instance.until(lambda: get(instance, "pods", "-l", "app=made")["items"] == [])


def test_a_paused_deployment_is_not_rolled(instance: Instance) -> None:
    apply(instance, "Deployment", "paused", replicas=1, template=template("paused"))
    rolled(instance, "deployment/paused")
    instance.kubectl("rollout", "pause", "deployment/paused")
    set_version(instance, "deployment/paused", "2")
    instance.kubectl("scale", "deployment", "paused", "--replicas=2")
    instance.until(lambda: versions(instance, "paused") == ["1", "1"])
    found = get(instance, "deployment", "paused")["status"]["conditions"]
    assert {"DeploymentPaused"} == {c["reason"] for c in found if c["type"] == "Progressing"}
    instance.kubectl("rollout", "resume", "deployment/paused")
    rolled(instance, "deployment/paused")
    instance.until(lambda: versions(instance, "paused") == ["2", "2"])


def test_a_rollout_without_progress_is_told(instance: Instance) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    spec = {"replicas": 1, "strategy": rolling}
    apply(instance, "Deployment", "late", template=template("late"), **spec)
    rolled(instance, "deployment/late")
    spec["progressDeadlineSeconds"] = 2
    gated = template("late", "2", schedulingGates=[{"name": "example.com/never"}])
    apply(instance, "Deployment", "late", template=gated, **spec)
    with pytest.raises(AssertionError, match="exceeded its progress deadline"):
        rolled(instance, "deployment/late")
    assert versions(instance, "late") == ["1", "2"]
    instance.kubectl("rollout", "undo", "deployment/late")
    instance.until(lambda: progressing(instance, "late") == "NewReplicaSetAvailable")
    rolled(instance, "deployment/late")
    instance.until(lambda: versions(instance, "late") == ["1"])


def test_recreated_old_and_new_pods_never_run_together(instance: Instance) -> None:
    spec = {"replicas": 2, "strategy": {"type": "Recreate"}}
    apply(instance, "Deployment", "anew", template=template("anew"), **spec)
    rolled(instance, "deployment/anew")
    set_version(instance, "deployment/anew", "2")

    def done() -> bool:
        pods = get(instance, "pods", "-l", "app=anew")["items"]
        found = {pod["spec"]["containers"][0]["env"][0]["value"] for pod in pods}
        assert found != {"1", "2"}
        return found == {"2"} and len(pods) == 2

    instance.until(done)
    rolled(instance, "deployment/anew")


def test_a_stateful_set_is_made_updated_and_undone_in_order(instance: Instance) -> None:
    apply(instance, "StatefulSet", "db", replicas=3, serviceName="db", template=template("db"))
    assert "roll out complete: 3 new pods" in rolled(instance, "statefulset/db")
    names = [pod["metadata"]["name"] for pod in alive(instance, "db")]
    assert names == ["db-0", "db-1", "db-2"]
    started = [pod["metadata"]["creationTimestamp"] for pod in alive(instance, "db")]
    assert started == sorted(started)
    set_version(instance, "statefulset/db", "2")
    rolled(instance, "statefulset/db")
    assert versions(instance, "db") == ["2", "2", "2"]
    history = instance.kubectl("rollout", "history", "statefulset/db").splitlines()
    assert [line.split()[0] for line in history[2:] if line] == ["1", "2"]
    instance.kubectl("rollout", "undo", "statefulset/db")
    rolled(instance, "statefulset/db")
    instance.until(lambda: versions(instance, "db") == ["1", "1", "1"])
    instance.kubectl("scale", "statefulset", "db", "--replicas=1")
    instance.until(lambda: len(get(instance, "pods", "-l", "app=db")["items"]) == 1)
    assert instance.kubectl("get", "sts", "db", "--no-headers").split()[:2] == ["db", "1/1"]


def test_a_daemon_set_runs_on_the_node_and_is_updated(instance: Instance) -> None:
    apply(instance, "DaemonSet", "each", template=template("each"))
    assert "successfully rolled out" in rolled(instance, "daemonset/each")
    counts = instance.kubectl("get", "daemonset", "each", "--no-headers").split()
    assert counts[:7] == ["each", "1", "1", "1", "1", "1", "<none>"]
    set_version(instance, "daemonset/each", "2")
    rolled(instance, "daemonset/each")
    instance.until(lambda: versions(instance, "each") == ["2"])
    instance.kubectl("rollout", "undo", "daemonset/each")
    rolled(instance, "daemonset/each")
    instance.until(lambda: versions(instance, "each") == ["1"])


def test_orphaned_pods_stay_and_are_adopted_anew(instance: Instance) -> None:
    def make() -> None:
        apply(instance, "ReplicaSet", "kept", replicas=2, template=template("kept"))

    make()
    ready = ("replicaset", "kept", "-o", "jsonpath={.status.readyReplicas}")
    instance.until(lambda: instance.kubectl("get", *ready) == "2")
    before = {pod["metadata"]["uid"] for pod in alive(instance, "kept")}
    instance.kubectl("delete", "replicaset", "kept", "--cascade=orphan")
    instance.until(
        lambda: all("ownerReferences" not in p["metadata"] for p in alive(instance, "kept"))
    )
    make()
    instance.until(lambda: all("ownerReferences" in p["metadata"] for p in alive(instance, "kept")))
    assert {pod["metadata"]["uid"] for pod in alive(instance, "kept")} == before
    instance.kubectl("delete", "replicaset", "kept", "--cascade=foreground")
    assert alive(instance, "kept") == []


def test_a_replication_controller(instance: Instance) -> None:
    spec = {"selector": {"app": "rc"}, "template": template("rc")}
    apply(instance, "ReplicationController", "rc", replicas=1, **spec)
    instance.until(lambda: len(alive(instance, "rc")) == 1)
    instance.kubectl("scale", "rc", "rc", "--replicas=2")
    instance.until(lambda: len(alive(instance, "rc")) == 2)


def test_what_is_wrong_with_a_deployment_is_said(instance: Instance) -> None:
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "x"}}, "template": template("y")}
    with pytest.raises(AssertionError, match="`selector` does not match template `labels`"):
        apply(instance, "Deployment", "bad", **spec)


def test_deleted_with_all_that_is_theirs(instance: Instance) -> None:
    for what in ("deployment/web", "statefulset/db", "daemonset/each", "rc/rc"):
        instance.kubectl("delete", what)
    for app in ("web", "db", "each", "rc"):
        instance.until(lambda app=app: get(instance, "pods", "-l", f"app={app}")["items"] == [])
    left = get(instance, "replicasets,controllerrevisions")["items"]
    assert not [one for one in left if one["metadata"]["name"].startswith(("web", "db", "each"))]
