"""What a RuntimeClass says becomes part of the pod that names it, or the pod is refused."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from mizzen.store.memory import MemoryStore
from support.api_handlers import DEFAULT, Api, an_api

CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"
STRICT = {
    "metadata": {"name": "strict"},
    "handler": "other",
    "overhead": {"podFixed": {"memory": "64Mi", "cpu": "250m"}},
    "scheduling": {
        "nodeSelector": {"runtime": "strict"},
        "tolerations": [{"key": "strict", "operator": "Exists", "effect": "NoSchedule"}],
    },
}


@pytest_asyncio.fixture
async def api() -> Api:
    made = await an_api(MemoryStore())
    plain = {"metadata": {"name": "plain"}, "handler": "process"}
    for each in (STRICT, plain):
        assert (await made.call("POST", CLASSES, each))[0] == 201
    return made


def pod(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}], **spec},
    }


async def test_a_pod_gets_the_overhead_and_the_place_of_its_class(api: Api) -> None:
    wide = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
    asked = pod(
        runtimeClassName="strict", nodeSelector={"disk": "fast"}, tolerations=[wide],
        overhead={"cpu": "0.25", "memory": "65536Ki"},
    )  # fmt: skip
    code, made = await api.call("POST", f"{DEFAULT}/pods", asked)
    spec = made["spec"]
    assert code == 201
    assert spec["overhead"] == STRICT["overhead"]["podFixed"]
    assert spec["nodeSelector"] == {"disk": "fast", "runtime": "strict"}
    assert spec["tolerations"][:2] == [wide, STRICT["scheduling"]["tolerations"][0]]


async def test_a_toleration_that_another_includes_is_left_out(api: Api) -> None:
    everything = {"operator": "Exists"}
    asked = pod(runtimeClassName="strict", tolerations=[everything])
    _, made = await api.call("POST", f"{DEFAULT}/pods", asked)
    assert made["spec"]["tolerations"] == [everything]


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"runtimeClassName": "none"}, 'pod rejected: RuntimeClass "none" not found'),
        (
            {"runtimeClassName": "strict", "nodeSelector": {"runtime": "any"}},
            "conflict: runtimeClass.scheduling.nodeSelector[runtime] = strict; "
            "pod.spec.nodeSelector[runtime] = any",
        ),
        (
            {"runtimeClassName": "strict", "overhead": {"cpu": "1"}},
            "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
        ),
        (
            {"runtimeClassName": "plain", "overhead": {"cpu": "1"}},
            "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
        ),
    ],
)
async def test_what_does_not_go_with_the_class_is_refused(
    api: Api, spec: dict[str, Any], why: str
) -> None:
    code, status = await api.call("POST", f"{DEFAULT}/pods", pod(**spec))
    assert (code, status["message"]) == (403, f'pods "p" is forbidden: {why}')


async def test_a_class_that_says_nothing_changes_nothing(api: Api) -> None:
    code, made = await api.call("POST", f"{DEFAULT}/pods", pod(runtimeClassName="plain"))
    assert code == 201 and made["spec"]["runtimeClassName"] == "plain"
    assert not {"overhead", "nodeSelector"} & made["spec"].keys()
