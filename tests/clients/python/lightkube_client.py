# pyright: basic, reportMissingImports=false
"""`lightkube`, sync and async."""

import asyncio
import sys

from lightkube import AsyncClient, Client, codecs
from lightkube.core.exceptions import ApiError
from lightkube.generic_resource import create_namespaced_resource, load_in_cluster_generic_resources
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Node, Pod
from lightkube.types import CascadeType, PatchType


def objects(namespace: str) -> None:
    """create, get, list by labels and fields, every type of patch, replace, delete"""
    client = Client(namespace=namespace)
    made = client.create(
        ConfigMap(metadata=ObjectMeta(name="a", labels={"x": "y"}), data={"k": "1"})
    )
    client.patch(ConfigMap, "a", {"data": {"k": "2"}})
    client.patch(ConfigMap, "a", {"data": {"l": "3"}}, patch_type=PatchType.MERGE)
    operation = {"op": "remove", "path": "/data/l"}
    client.patch(ConfigMap, "a", [operation], patch_type=PatchType.JSON)
    assert client.get(ConfigMap, "a").data == {"k": "2"}
    found = list(client.list(ConfigMap, labels={"x": ["y", "z"]}, fields={"metadata.name": "a"}))
    assert len(found) == 1
    try:
        client.replace(made)
    except ApiError as error:
        assert error.status.code == 409 and error.status.reason == "Conflict"
    else:
        raise AssertionError("a stale object was replaced")
    client.delete(ConfigMap, "a", cascade=CascadeType.FOREGROUND)
    client.deletecollection(ConfigMap)


def applied(namespace: str) -> None:
    """server-side apply, conflicts, force, the fields of a manager that no longer names them"""
    client = Client(namespace=namespace, field_manager="one")
    wish = ConfigMap(metadata=ObjectMeta(name="a"), data={"k": "1", "l": "2"})
    client.apply(wish)
    try:
        client.apply(ConfigMap(metadata=ObjectMeta(name="a"), data={"k": "2"}), field_manager="two")
    except ApiError as error:
        assert error.status.reason == "Conflict"
    else:
        raise AssertionError("no conflict between two managers")
    client.apply(
        ConfigMap(metadata=ObjectMeta(name="a"), data={"k": "2"}), field_manager="two", force=True
    )
    client.apply(ConfigMap(metadata=ObjectMeta(name="a"), data={}))
    assert client.get(ConfigMap, "a").data == {"k": "2"}


def workloads(namespace: str) -> None:
    """a Deployment: wait for a condition, scale by the subresource, logs of its pod"""
    client = Client(namespace=namespace)
    container = Container("c", image="mizzen.dev/python", command=["sh", "-c", "echo hi; sleep 99"])
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": "d"}),
        spec=PodSpec(containers=[container], terminationGracePeriodSeconds=0),
    )
    spec = DeploymentSpec(LabelSelector(matchLabels={"app": "d"}), template, replicas=1)
    client.create(Deployment(metadata=ObjectMeta(name="d"), spec=spec))
    client.wait(Deployment, "d", for_conditions=["Available"])
    client.replace(Deployment.Scale(metadata=ObjectMeta(name="d"), spec=ScaleSpec(replicas=2)), "d")
    assert client.get(Deployment, "d").spec.replicas == 2
    one = next(iter(client.list(Pod, labels={"app": "d"})))
    assert "hi" in "".join(client.log(one.metadata.name))
    assert len(list(client.list(Node))) == 1
    client.delete(Deployment, "d")


def custom(namespace: str) -> None:
    """custom kinds, loaded from the cluster's definitions; manifests by codecs"""
    client = Client(namespace=namespace)
    load_in_cluster_generic_resources(client)
    widget = create_namespaced_resource("clients.example.com", "v1", "Widget", "widgets")
    client.create(widget(metadata=ObjectMeta(name="w"), spec={"size": 1}))
    text = (
        "apiVersion: clients.example.com/v1\nkind: Widget\nmetadata: {name: x}\nspec: {size: 2}\n"
    )
    for each in codecs.load_all_yaml(text):
        client.create(each, namespace=namespace)
    sizes = sorted(each.spec["size"] for each in client.list(widget))
    assert sizes == [1, 2]
    client.patch(widget.Status, "w", {"status": {"ready": True}}, patch_type=PatchType.MERGE)
    assert client.get(widget, "w").status == {"ready": True}


def watched(namespace: str) -> None:
    """the async client: watch while others write"""

    async def follow() -> None:
        client = AsyncClient(namespace=namespace)
        await client.create(ConfigMap(metadata=ObjectMeta(name="a")))
        seen = []
        async for event, each in client.watch(ConfigMap, fields={"metadata.name": "a"}):
            seen.append(event)
            if event == "ADDED":
                await client.patch(ConfigMap, "a", {"data": {"k": "v"}})
            elif event == "MODIFIED":
                await client.delete(ConfigMap, each.metadata.name)
            else:
                break
        assert seen == ["ADDED", "MODIFIED", "DELETED"], seen

    asyncio.run(asyncio.wait_for(follow(), 30))


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
