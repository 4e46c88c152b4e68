from __future__ import annotations

from typing import Any

import pytest

from mizzen.base.objects import Key, Obj
from mizzen.base.openai import OpenAIError
from mizzen.gateway.core.endpoints import (
    endpoint_of_pod,
    model_ids,
    read_endpoint,
    ready_address,
    resolve,
)


def endpoint(name: str, namespace: str = "default", served: str = "") -> Any:
    model = {"path": "/m", **({"name": served} if served else {})}
    return read_endpoint(
        {"metadata": {"name": name, "namespace": namespace}, "spec": {"model": model}}
    )


def pod(**status: Any) -> Obj:
    return {
        "metadata": {
            "name": "tiny-0",
            "namespace": "default",
            "uid": "u",
            "ownerReferences": [
                {"kind": "ModelEndpoint", "name": "tiny", "uid": "e", "controller": True}
            ],
        },
        "status": {
            "podIP": "127.64.0.2",
            "conditions": [{"type": "Ready", "status": "True"}],
            **status,
        },
    }


def test_reads_what_it_needs() -> None:
    read = read_endpoint(
        {
            "metadata": {"name": "tiny", "namespace": "ns", "uid": "u"},
            "spec": {
                "model": {"path": "/m", "name": "said"},
                "replicas": {"min": 0, "max": 3},
                "scaling": {"targetConcurrency": 4, "scaleDownDelaySeconds": 2},
                "queue": {"maxLength": 7, "timeoutSeconds": 9},
                "engine": {"maxBatchSize": 5},
            },
            "status": {
                "demand": {"replicas": 0},
                "conditions": [{"type": "Ready", "status": "False", "message": "no file"}],
            },
        }
    )
    assert (read.key, read.served, read.demand) == (Key("ns", "tiny"), "said", 0)
    assert (read.policy.minimum, read.policy.maximum, read.policy.target) == (0, 3, 4)
    assert read.policy.down_delay_ns == 2 * 10**9
    assert (read.queue_max, read.queue_timeout_s, read.replica_capacity) == (7, 9.0, 5)
    assert read.problem == "no file"


def test_a_ready_pod_has_an_address() -> None:
    found = ready_address(pod())
    assert found is not None
    assert (found.pod, found.uid) == ("tiny-0", "u")
    assert endpoint_of_pod(pod()) == (Key("default", "tiny"), "e")


def test_a_label_makes_no_replica() -> None:
    copy = pod()
    copy["metadata"] |= {"ownerReferences": [], "labels": {"mizzen.dev/endpoint": "tiny"}}
    assert endpoint_of_pod(copy) is None
    of_a_job = pod()
    of_a_job["metadata"]["ownerReferences"][0]["kind"] = "Job"
    assert endpoint_of_pod(of_a_job) is None


@pytest.mark.parametrize(
    "status", [{"conditions": []}, {"phase": "Failed"}, {"phase": "Succeeded"}]
)
def test_a_pod_that_is_not_ready_has_none(status: dict[str, Any]) -> None:
    assert ready_address(pod(**status)) is None


def test_a_terminating_pod_gets_no_new_requests() -> None:
    leaving = pod()
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert ready_address(leaving) is None


def test_names() -> None:
    known = [endpoint("a"), endpoint("b", served="org/b"), endpoint("a", "other")]
    assert resolve("org/b", known).key == Key("default", "b")
    assert resolve("default/b", known).key == Key("default", "b")
    assert resolve("other/a", known).key == Key("other", "a")
    with pytest.raises(OpenAIError, match="say one of default/a, other/a"):
        resolve("a", known)
    with pytest.raises(OpenAIError, match="does not exist; there are a, org/b"):
        resolve("c", known)
    with pytest.raises(OpenAIError, match="no model is served yet"):
        resolve("c", [])


def test_every_listed_name_resolves() -> None:
    known = [endpoint("a"), endpoint("b", served="org/b"), endpoint("a", "other")]
    for name, expected in model_ids(known):
        assert resolve(name, known) is expected
