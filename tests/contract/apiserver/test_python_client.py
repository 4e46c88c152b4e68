"""The official Python client, unmodified."""

from __future__ import annotations

import threading

import kubernetes
import pytest

from support.api_process import ApiServer


@pytest.fixture
def core(api: ApiServer) -> kubernetes.client.CoreV1Api:
    return kubernetes.client.CoreV1Api(
        kubernetes.config.new_client_from_config(str(api.home.kubeconfig))
    )


def test_objects_and_lists(core: kubernetes.client.CoreV1Api, namespace: str) -> None:
    meta = kubernetes.client.V1ObjectMeta(name="c", labels={"a": "b"})
    body = kubernetes.client.V1ConfigMap(metadata=meta, data={"k": "v"})
    core.create_namespaced_config_map(namespace, body)
    core.patch_namespaced_config_map("c", namespace, {"data": {"k": "w"}})
    found = core.list_namespaced_config_map(namespace, label_selector="a=b").items
    assert [(item.metadata.name, item.data) for item in found] == [("c", {"k": "w"})]
    core.delete_namespaced_config_map("c", namespace)
    with pytest.raises(kubernetes.client.ApiException) as refused:
        core.read_namespaced_config_map("c", namespace)
    assert refused.value.status == 404


def test_watch(core: kubernetes.client.CoreV1Api, namespace: str) -> None:
    revision = core.list_namespaced_config_map(namespace).metadata.resource_version
    seen: list[tuple[str, str]] = []

    def look() -> None:
        watch = kubernetes.watch.Watch()
        stream = watch.stream(
            core.list_namespaced_config_map, namespace, resource_version=revision,
            timeout_seconds=10,
        )  # fmt: skip
        for event in stream:
            seen.append((event["type"], event["object"].metadata.name))
            if len(seen) == 2:
                watch.stop()

    watcher = threading.Thread(target=look)
    watcher.start()
    body = kubernetes.client.V1ConfigMap(metadata=kubernetes.client.V1ObjectMeta(name="c"))
    core.create_namespaced_config_map(namespace, body)
    core.delete_namespaced_config_map("c", namespace)
    watcher.join(10)
    assert seen == [("ADDED", "c"), ("DELETED", "c")]
