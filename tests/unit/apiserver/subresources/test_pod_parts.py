"""Sizes and ephemeral containers of a pod are written by paths of their own, and nothing else is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api

PODS = f"{DEFAULT}/pods"
Json = dict[str, Any]


@pytest.fixture
def api() -> Api:
    api = Api(MemoryStore())
    asyncio.run(_prepare(api))
    return api


async def _prepare(api: Api) -> None:
    await api.call("POST", "/api/v1/namespaces", {"metadata": {"name": "default"}})
    amounts = {"cpu": "100m", "memory": "1Mi"}
    container = {"name": "c", "image": "i", "resources": {"requests": amounts}}
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [container]}}
    code, made = await api.call("POST", PODS, pod)
    assert code == 201, made


def change(api: Api, part: str, edit: Callable[[Json], object]) -> tuple[int, Json]:
    async def run() -> tuple[int, Json]:
        _, pod = await api.call("GET", f"{PODS}/p/{part}")
        edit(pod)
        return await api.call("PUT", f"{PODS}/p/{part}", pod)

    return asyncio.run(run())


def requests(cpu: str) -> Callable[[Json], object]:
    return lambda pod: pod["spec"]["containers"][0]["resources"]["requests"].update(cpu=cpu)


def test_a_resize_changes_sizes_alone_and_counts(api: Api) -> None:
    def edit(pod: Json) -> None:
        requests("200m")(pod)
        pod["spec"]["containers"][0]["image"] = "other"
        pod["spec"]["activeDeadlineSeconds"] = 5
        pod["status"]["phase"] = "Failed"

    code, pod = change(api, "resize", edit)
    assert code == 200, pod
    (container,) = pod["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"] == "200m"
    assert container["image"] == "i" and "activeDeadlineSeconds" not in pod["spec"]
    assert pod["status"]["phase"] == "Pending" and pod["metadata"]["generation"] == 2
    managers = [each.get("subresource") for each in pod["metadata"]["managedFields"]]
    assert "resize" in managers


NO_RESIZE: list[tuple[Callable[[Json], object], str]] = [
    (lambda pod: pod["spec"]["containers"][0]["resources"]["requests"].pop("cpu"),
     "resource requests cannot be removed"),
    (lambda pod: pod["spec"]["containers"][0].update(
        resources={"requests": {"cpu": "1", "memory": "1Mi"},
                   "limits": {"cpu": "1", "memory": "1Mi"}}),
     "Pod QOS Class may not change"),
    (lambda pod: pod["spec"]["containers"][0].update(name="d"),
     "may not be renamed or reordered"),
    (lambda pod: pod["spec"]["containers"].append({"name": "d", "image": "i"}),
     "may not be added or removed"),
    (lambda pod: pod["spec"]["containers"][0]["resources"]["requests"].update(
        {"ephemeral-storage": "1Mi"}), "only cpu and memory resources are mutable"),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "said"), NO_RESIZE)
def test_what_is_no_resize_is_refused(api: Api, edit: Callable[[Json], object], said: str) -> None:
    code, answer = change(api, "resize", edit)
    assert code == 422 and said in answer["message"], answer


def test_a_node_that_tells_no_sizes_cannot_resize(api: Api) -> None:
    def runs(pod: Json) -> None:
        state = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
        told = {"name": "c", "image": "i", "imageID": "", "ready": True, "restartCount": 0}
        pod["status"]["containerStatuses"] = [{**told, "state": state}]

    code, answer = change(api, "status", runs)
    assert code == 200, answer
    code, answer = change(api, "resize", requests("200m"))
    assert code == 422 and "node without support for resize" in answer["message"]


def test_ephemeral_containers_come_and_stay_as_they_are(api: Api) -> None:
    debugger: Json = {"name": "d", "image": "busybox"}
    code, pod = change(
        api, "ephemeralcontainers", lambda pod: pod["spec"].update(ephemeralContainers=[debugger])
    )
    assert code == 200, pod
    assert [each["name"] for each in pod["spec"]["ephemeralContainers"]] == ["d"]
    assert pod["metadata"]["generation"] == 2

    code, answer = change(
        api, "ephemeralcontainers", lambda pod: pod["spec"].pop("ephemeralContainers")
    )
    assert code == 422 and "may not be removed" in answer["message"]
    code, answer = change(
        api, "ephemeralcontainers",
        lambda pod: pod["spec"]["ephemeralContainers"][0].update(image="other"),
    )  # fmt: skip
    assert code == 422 and "may not be changed" in answer["message"]
    code, pod = change(api, "ephemeralcontainers", requests("9"))
    assert code == 200 and pod["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "100m"
