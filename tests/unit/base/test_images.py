from typing import Any

import pytest

from mizzen.base.images import CONTAINERS, PROCESSES, differ, kind_of_node, kind_of_pod


def spec(*images: str, **more: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "image": image} for image in images], **more}


@pytest.mark.parametrize(
    ("pod", "kind"),
    [
        (spec("mizzen.dev/python"), PROCESSES),
        (spec("/usr/bin/sleep"), PROCESSES),
        (spec("nginx"), CONTAINERS),
        (spec("registry.example/mizzen.dev/python:1"), CONTAINERS),
        (spec("nginx", "mizzen.dev/python"), PROCESSES),
        (spec("nginx", initContainers=[{"name": "i", "image": "/bin/true"}]), PROCESSES),
        (spec(""), ""),
        (spec("nginx", runtimeClassName="sandboxed"), ""),
    ],
)
def test_images_say_what_kind_of_node_they_need(pod: dict[str, Any], kind: str) -> None:
    assert kind_of_pod(pod) == kind


@pytest.mark.parametrize(
    ("runtime", "kind"),
    [("process://0.1.0", PROCESSES), ("containerd://2.4.2", CONTAINERS), ("", "")],
)
def test_a_node_says_what_it_runs(runtime: str, kind: str) -> None:
    assert kind_of_node({"status": {"nodeInfo": {"containerRuntimeVersion": runtime}}}) == kind
    assert kind_of_node({}) == ""


def test_who_says_nothing_differs_from_nobody() -> None:
    assert differ(PROCESSES, CONTAINERS) and not differ(PROCESSES, PROCESSES)
    assert not differ("", CONTAINERS) and not differ(PROCESSES, "")
