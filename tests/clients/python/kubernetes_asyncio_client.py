# ruff: noqa: ASYNC110 (scenarios poll with a deadline)
# pyright: basic, reportMissingImports=false
"""`kubernetes_asyncio`, the generated client on asyncio."""

import asyncio
import sys

from kubernetes_asyncio import client, config, dynamic, watch
from kubernetes_asyncio.stream import WsApiClient


async def typed(namespace: str) -> None:
    """create, list, patch, delete, many at once"""
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        names = [f"c{number}" for number in range(30)]
        body = lambda name: {"metadata": {"name": name, "labels": {"x": "y"}}}  # noqa: E731
        await asyncio.gather(
            *(core.create_namespaced_config_map(namespace, body(n)) for n in names)
        )
        found = await core.list_namespaced_config_map(namespace, label_selector="x=y")
        assert sorted(each.metadata.name for each in found.items) == sorted(names)
        patched = await core.patch_namespaced_config_map("c0", namespace, {"data": {"a": "b"}})
        assert patched.data == {"a": "b"}
        await core.delete_collection_namespaced_config_map(namespace, label_selector="x=y")
        found = await core.list_namespaced_config_map(namespace, label_selector="x=y")
        assert found.items == []


async def watched(namespace: str) -> None:
    """watch with a timeout, while others write"""
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        start = (await core.list_namespaced_config_map(namespace)).metadata.resource_version
        seen = []

        async def follow() -> None:
            async with watch.Watch() as events:
                async for event in events.stream(
                    core.list_namespaced_config_map, namespace, resource_version=start,
                    timeout_seconds=20,
                ):  # fmt: skip
                    seen.append((event["type"], event["object"].metadata.name))
                    if len(seen) == 3:
                        return

        task = asyncio.create_task(follow())
        await core.create_namespaced_config_map(namespace, {"metadata": {"name": "a"}})
        await core.patch_namespaced_config_map("a", namespace, {"data": {"a": "b"}})
        await core.delete_namespaced_config_map("a", namespace)
        await asyncio.wait_for(task, 30)
        assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")], seen


async def dynamically(namespace: str) -> None:
    """dynamic client: discovery, create, server-side apply, delete"""
    async with client.ApiClient() as api:
        found = await dynamic.DynamicClient(api)
        services = await found.resources.get(api_version="v1", kind="Service")
        body = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "s"},
            "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]},
        }
        made = await services.create(body=body, namespace=namespace)
        assert made.spec.clusterIP.startswith("127.")
        body["metadata"]["labels"] = {"l": "1"}
        made = await services.server_side_apply(
            body=body, name="s", namespace=namespace, field_manager="m"
        )
        assert made.metadata.labels.l == "1"
        await services.delete(name="s", namespace=namespace)


async def streams(namespace: str) -> None:
    """exec over a websocket, and logs"""
    async with client.ApiClient() as api:
        core = client.CoreV1Api(api)
        container = {"name": "c", "image": "mizzen.dev/python",
                     "command": ["sh", "-c", "echo hello; sleep 100"]}  # fmt: skip
        spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
        await core.create_namespaced_pod(namespace, {"metadata": {"name": "p"}, "spec": spec})
        async with asyncio.timeout(60):
            while (await core.read_namespaced_pod("p", namespace)).status.phase != "Running":
                await asyncio.sleep(0.1)
            while "hello" not in await core.read_namespaced_pod_log("p", namespace):
                await asyncio.sleep(0.1)
    async with WsApiClient() as sockets:
        core = client.CoreV1Api(sockets)
        said = await core.connect_get_namespaced_pod_exec(
            "p", namespace, command=["echo", "there"], stdout=True, stderr=True,
        )  # fmt: skip
        assert said.strip() == "there", said


async def main() -> None:
    await config.load_kube_config()
    await globals()[sys.argv[1]](sys.argv[2])


if __name__ == "__main__":
    asyncio.run(main())
