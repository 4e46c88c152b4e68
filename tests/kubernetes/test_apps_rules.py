"""Kinds of `apps` as both API servers take them: the same defaults, the same words for what is wrong."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from mizzen.base.errors import ApiError
from mizzen.base.names import ADMIN
from mizzen.base.resources import (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
    Resource,
)
from mizzen.client.client import Client
from support.api_in_process import ApiInProcess
from support.real_cluster import Cluster

DRY_RUN = {"dryRun": "All"}
LABELS = {"app": "web"}
TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": LABELS},
    "spec": {"containers": [{"name": "c", "image": "example.com/c"}]},
}
SPEC: dict[str, Any] = {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}
SETS = (DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS)


def merged(base: Any, *paths: tuple[str, Any]) -> Any:
    """A copy with these values at these dotted paths; None removes."""
    result = copy.deepcopy(base)
    for path, value in paths:
        *parents, last = path.split(".")
        node = result
        for name in parents:
            node = node.setdefault(name, {})
        if value is None:
            node.pop(last, None)
        else:
            node[last] = value
    return result


def case(resource: Resource, *paths: tuple[str, Any]) -> Any:
    spec = SPEC if resource != REPLICATION_CONTROLLERS else {"template": TEMPLATE}
    body = {"metadata": {"name": "it", "namespace": "default"}, "spec": spec}
    name = ",".join(f"{path}={value}" for path, value in paths) or "plain"
    return pytest.param(resource, merged(body, *paths), id=f"{resource.plural}-{name}"[:90])


CASES = [
    *(case(each) for each in (*SETS, REPLICATION_CONTROLLERS)),
    *(case(each, ("spec.selector", {})) for each in SETS),
    *(case(each, ("spec.selector.matchLabels", {"app": "db"})) for each in SETS),
    *(case(each, ("spec.template.spec.restartPolicy", "Never")) for each in SETS),
    *(case(each, ("spec.template.spec.activeDeadlineSeconds", 5)) for each in SETS),
    *(case(each, ("spec.minReadySeconds", -1)) for each in SETS),
    *(case(each, ("spec.replicas", -1)) for each in (DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS)),
    case(DEPLOYMENTS, ("metadata.name", "Not A Name")),
    case(DEPLOYMENTS, ("spec.strategy", {"type": "Recreate"})),
    case(DEPLOYMENTS, ("spec.strategy", {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}})),
    case(DEPLOYMENTS, ("spec.strategy.rollingUpdate", {"maxSurge": 0, "maxUnavailable": 0})),
    case(DEPLOYMENTS, ("spec.strategy.rollingUpdate", {"maxSurge": "0%", "maxUnavailable": "0%"})),
    case(DEPLOYMENTS, ("spec.strategy.rollingUpdate", {"maxSurge": "x"})),
    case(DEPLOYMENTS, ("spec.strategy.rollingUpdate", {"maxUnavailable": "101%"})),
    case(DEPLOYMENTS, ("spec.strategy.rollingUpdate", {"maxUnavailable": -1})),
    case(DEPLOYMENTS, ("spec.revisionHistoryLimit", -1)),
    case(DEPLOYMENTS, ("spec.minReadySeconds", 600)),
    case(DEPLOYMENTS, ("spec.progressDeadlineSeconds", 1), ("spec.minReadySeconds", 1)),
    case(STATEFUL_SETS, ("spec.updateStrategy", {"type": "OnDelete"})),
    case(STATEFUL_SETS, ("spec.updateStrategy.rollingUpdate", {"partition": -1})),
    case(STATEFUL_SETS, ("spec.podManagementPolicy", "Sometimes")),
    case(STATEFUL_SETS, ("spec.serviceName", "Not A Name")),
    case(STATEFUL_SETS, ("spec.ordinals", {"start": -1})),
    case(STATEFUL_SETS, ("spec.persistentVolumeClaimRetentionPolicy", {"whenScaled": "Delete"})),
    case(STATEFUL_SETS, ("spec.persistentVolumeClaimRetentionPolicy", {"whenScaled": "Never"})),
    case(STATEFUL_SETS, ("spec.template.spec.hostname", "Not A Name")),
    case(DAEMON_SETS, ("spec.updateStrategy", {"type": "OnDelete"})),
    case(DAEMON_SETS, ("spec.updateStrategy.rollingUpdate", {"maxSurge": 1})),
    case(DAEMON_SETS, ("spec.updateStrategy.rollingUpdate", {"maxSurge": 1, "maxUnavailable": 0})),
    case(DAEMON_SETS, ("spec.updateStrategy.rollingUpdate", {"maxUnavailable": 0})),
    case(DAEMON_SETS, ("spec.revisionHistoryLimit", -1)),
    case(REPLICATION_CONTROLLERS, ("spec.selector", {"app": "db"})),
    case(REPLICATION_CONTROLLERS, ("spec.template.spec.restartPolicy", "Never")),
    case(CONTROLLER_REVISIONS, ("spec", None), ("data", {"a": "b"}), ("revision", 1)),
    case(CONTROLLER_REVISIONS, ("spec", None), ("revision", 1)),
    case(CONTROLLER_REVISIONS, ("spec", None), ("data", {"a": "b"}), ("revision", -1)),
]
UPDATES = [
    (DEPLOYMENTS, {"spec": {"selector": {"matchLabels": {"tier": "x"}}}}),
    (DEPLOYMENTS, {"metadata": {"annotations": {"a": "b"}}}),
    (DEPLOYMENTS, {"metadata": {"labels": {"a": "b"}}}),
    (DEPLOYMENTS, {"spec": {"replicas": 5}}),
    (REPLICA_SETS, {"metadata": {"annotations": {"a": "b"}}}),
    (REPLICA_SETS, {"spec": {"selector": {"matchLabels": {"tier": "x"}}}}),
    (STATEFUL_SETS, {"spec": {"serviceName": "other"}}),
    (STATEFUL_SETS, {"spec": {"replicas": 2, "ordinals": {"start": 1}}}),
    (DAEMON_SETS, {"spec": {"minReadySeconds": 1}}),
    (DAEMON_SETS, {"spec": {"template": {"metadata": {"annotations": {"a": "b"}}}}}),
]


def differences(ours: Any, theirs: Any, path: str = "") -> list[Any]:
    """Where they differ, with what each has there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        names = sorted({*ours, *theirs})
        return [d for n in names for d in differences(ours.get(n), theirs.get(n), f"{path}.{n}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [d for i, pair in pairs for d in differences(*pair, f"{path}[{i}]")]
    return [] if ours == theirs else [(path, ours, theirs)]


class Both:
    """The same request to both servers."""

    def __init__(self, ours: Client, theirs: Client) -> None:
        self.clients = (ours, theirs)

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[Any, Any]:
        data = orjson.dumps(body) if body is not None else None
        ours, theirs = [await _ask(c, method, path, data, **more) for c in self.clients]
        return ours, theirs


async def _ask(client: Client, method: str, path: str, data: bytes | None, **more: Any) -> Any:
    try:
        answer: Any = orjson.loads(await client.raw(method, path, body=data, **more))
    except ApiError as error:
        causes = sorted([cause.field, cause.reason, cause.message] for cause in error.causes)
        return {"code": error.code, "reason": error.reason, "causes": causes}
    for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        answer.get("metadata", {}).pop(field, None)
    return answer


@pytest_asyncio.fixture
async def both(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Both]:
    cluster.make_namespace("default")
    server = ApiInProcess(tmp_path)
    await server.start()
    try:
        config = cluster.kubeconfig()
        async with (
            server.client(ADMIN) as ours,
            Client.from_kubeconfig(config, user_agent="test") as theirs,
        ):
            yield Both(ours, theirs)
    finally:
        await server.stop()


@pytest.mark.parametrize(("resource", "body"), CASES)
async def test_a_creation(both: Both, resource: Resource, body: Any) -> None:
    typed = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
    ours, theirs = await both.ask("POST", resource.path("default"), typed, params=DRY_RUN)
    assert differences(ours, theirs) == []


@pytest.mark.parametrize(("resource", "change"), UPDATES)
async def test_an_update(both: Both, resource: Resource, change: Any) -> None:
    body = {"metadata": {"name": "it", "namespace": "default"}, "spec": SPEC}
    typed = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
    path = resource.path("default", "it")
    await both.ask("POST", resource.path("default"), typed)
    try:
        merge = "application/merge-patch+json"
        ours, theirs = await both.ask("PATCH", path, change, content_type=merge)
        assert differences(ours, theirs) == []
        if resource != DAEMON_SETS:
            ours, theirs = await both.ask("GET", f"{path}/scale")
            assert differences(ours, theirs) == []
    finally:
        await both.ask("DELETE", path)


async def test_a_strategic_patch_puts_what_is_new_first(both: Both) -> None:
    resource, strategic = DEPLOYMENTS, "application/strategic-merge-patch+json"
    body = {"metadata": {"name": "order", "namespace": "default"}, "spec": SPEC}
    typed = {"apiVersion": resource.api_version, "kind": resource.kind, **body}
    typed["metadata"]["finalizers"] = ["example.com/a", "example.com/b"]
    path = resource.path("default", "order")
    await both.ask("POST", resource.path("default"), typed)
    containers = [{"name": "d", "image": "d"}]
    change = {
        "metadata": {"finalizers": ["example.com/z"]},
        "spec": {"template": {"spec": {"containers": containers}}},
    }
    try:
        ours, theirs = await both.ask("PATCH", path, change, content_type=strategic)
        assert differences(ours, theirs) == []
        names = [each["name"] for each in theirs["spec"]["template"]["spec"]["containers"]]
        assert names == ["d", "c"]
    finally:
        await both.ask("PATCH", path, {"metadata": {"finalizers": None}}, content_type=strategic)
        await both.ask("DELETE", path)
