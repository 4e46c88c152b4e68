"""`mizzen install` on a real API server: it takes everything, and the identities suffice."""

from __future__ import annotations

from mizzen.base.resources import NODES
from mizzen.client.client import Client
from mizzen.compose.checks import problems
from mizzen.compose.install import resource_of
from mizzen.compose.manifests import manifests
from support.proxy import Proxy
from support.second_home import Stage, component, install, kubeconfig_of, until_ready


async def test_everything_is_created_once_and_updated_after_that(stage: Stage) -> None:
    first = await install(stage)
    assert all(line.endswith(("created", "updated")) for line in first), first
    for obj in manifests():
        namespace = obj["metadata"].get("namespace", "")
        await stage.admin.get(resource_of(obj), obj["metadata"]["name"], namespace)
    again = await install(stage)
    assert len(again) == len(manifests())
    assert not any(line.endswith("created") for line in again), again


async def test_the_scheduler_needs_no_more_than_its_role(stage: Stage) -> None:
    await install(stage)
    await stage.add_node("ours")
    kubeconfig = await kubeconfig_of(stage, "mizzen-scheduler")
    async with component("scheduler", kubeconfig) as scheduler:
        await until_ready(scheduler)
        await stage.add_gang("train", 2)

        async def is_bound() -> bool:
            return len(await stage.bound()) == 2

        await stage.until(is_bound, "the gang is bound")
        assert "orbidden" not in scheduler.log, scheduler.log


async def test_what_is_missing_or_shared_is_said_beforehand(stage: Stage, proxy: Proxy) -> None:
    (nothing,) = await problems(stage.admin)
    assert "no node is handed over" in nothing
    await stage.add_node("ours")
    assert await problems(stage.admin) == []
    await stage.admin.patch(NODES, "ours", {"spec": {"taints": None}})
    (overlap,) = await problems(stage.admin)
    assert 'Node "ours" is labelled for Mizzen but lacks its taint' in overlap

    proxy.read = lambda path, query: (404, b"") if "podgroups" in path else None
    path = stage.cluster.kubeconfig(server=proxy.url)
    async with Client.from_kubeconfig(path, user_agent="mizzen-test") as client:
        assert [line.split(":")[0] for line in await problems(client)] == [
            'Node "ours" is labelled for Mizzen but lacks its taint, so other schedulers use it '
            "as well; run",
            "scheduling.k8s.io/v1alpha2 is not served",
        ]
