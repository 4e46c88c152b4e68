"""How much of the machine a pod may use."""

from typing import Any

import pytest

from mizzen.node.core.resources import cpu_limit, memory_limit


def pod(own: dict[str, str] | None, *limits: dict[str, str]) -> dict[str, Any]:
    containers = [{"name": "c", "resources": {"limits": each}} for each in limits]
    return {"spec": {"containers": containers, "resources": {"limits": own or {}}}}


@pytest.mark.parametrize(
    ("own", "limits", "memory", "cpu"),
    [
        (None, [{"memory": "1Gi", "cpu": "1"}], 2**30, 1000),
        (None, [{"memory": "1Gi"}, {"memory": "1Gi", "cpu": "1"}], 2**31, None),
        (None, [{}], None, None),
        ({"memory": "1Mi", "cpu": "250m"}, [{}, {"memory": "1Ki"}], 2**20, 250),
        ({"cpu": "2"}, [{"memory": "1Gi", "cpu": "1"}], 2**30, 2000),
    ],
)
def test_the_pods_own_limit_comes_before_those_of_its_containers(
    own: dict[str, str] | None, limits: list[dict[str, str]], memory: int | None, cpu: int | None
) -> None:
    assert (memory_limit(pod(own, *limits)), cpu_limit(pod(own, *limits))) == (memory, cpu)
