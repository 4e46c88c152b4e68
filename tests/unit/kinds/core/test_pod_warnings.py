from __future__ import annotations

from typing import Any

from mizzen.kinds.core.pod_warnings import warn_of_pod, warn_of_template


def pod(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", **container}]}}


def test_a_variable_that_hides_an_earlier_one() -> None:
    env = [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}, {"name": "A", "value": "2"}]
    assert warn_of_pod(pod(env=env)) == [
        'spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when '
        "using apply"
    ]
    assert warn_of_pod(pod(env=[env[0], {"name": "A", "value": "$(A):2"}])) == []


def test_a_port_named_twice_is_told_and_one_of_two_protocols_is_not() -> None:
    port = {"containerPort": 53, "protocol": "UDP"}
    assert warn_of_pod(pod(ports=[port, {**port, "protocol": "TCP"}])) == []
    assert warn_of_pod(pod(ports=[port, {**port, "name": "d"}])) == [
        "spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]"
    ]


def test_parts_of_a_byte() -> None:
    resources = {"limits": {"memory": "1Gi", "cpu": "400m"}, "requests": {"memory": "400m"}}
    template = {"spec": {"template": pod(resources=resources)}}
    assert warn_of_template(template) == [
        "spec.template.spec.containers[0].resources.requests[memory]: fractional byte value "
        '"400m" is invalid, must be an integer'
    ]
