"""Objects that must exist for Mizzen to be useful; made once, then the user's to change."""

from __future__ import annotations

from mizzen.base.names import (
    CPU_CORE_CLASS,
    CPU_CORE_RESOURCE,
    CPU_DRIVER,
    GPU_CLASS,
    GPU_DRIVER,
    GPU_RESOURCE,
    IMAGE_PYTHON,
    PRIORITY_INFERENCE,
    PRIORITY_TRAINING,
    SIMULATED_CLASS,
    SIMULATED_DRIVER,
    SIMULATED_RESOURCE,
)
from mizzen.base.objects import Obj
from mizzen.base.operations import Create
from mizzen.base.resources import CLUSTER_TRAINING_RUNTIMES, DEVICE_CLASSES, PRIORITY_CLASSES
from mizzen.controllers.core.rendezvous import Policy, policies
from mizzen.controllers.core.training_runtime import NODE

ANCESTOR_STEP = "trainer.kubeflow.org/trainjob-ancestor-step"


def defaults() -> list[Create]:
    """Every built-in object, as a creation that an existing one makes unnecessary."""
    return [
        _priority("system-node-critical", 2_000_001_000, "Needed for a node to work."),
        _priority("system-cluster-critical", 2_000_000_000, "Needed for the cluster to work."),
        _priority(PRIORITY_INFERENCE, 1000, "Model replicas that people wait for."),
        _priority(PRIORITY_TRAINING, 100, "Training; shrinks when inference needs devices."),
        _device_class(CPU_CORE_CLASS, CPU_DRIVER, CPU_CORE_RESOURCE),
        _device_class(GPU_CLASS, GPU_DRIVER, GPU_RESOURCE),
        _device_class(SIMULATED_CLASS, SIMULATED_DRIVER, SIMULATED_RESOURCE),
        *(Create(CLUSTER_TRAINING_RUNTIMES, _runtime(policy)) for policy in policies().values()),
    ]


def _priority(name: str, value: int, description: str) -> Create:
    body: Obj = {"metadata": {"name": name}, "value": value, "description": description}
    return Create(PRIORITY_CLASSES, body)


def _device_class(name: str, driver: str, extended_resource: str) -> Create:
    spec: Obj = {
        "selectors": [{"cel": {"expression": f'device.driver == "{driver}"'}}],
        "extendedResourceName": extended_resource,
    }
    return Create(DEVICE_CLASSES, {"metadata": {"name": name}, "spec": spec})


def _runtime(policy: Policy) -> Obj:
    """One process a node on Mizzen's own interpreter, its workers met by this policy."""
    container = {"name": NODE, "image": IMAGE_PYTHON}
    pod: Obj = {
        "spec": {
            "restartPolicy": "OnFailure",
            "priorityClassName": PRIORITY_TRAINING,
            "containers": [container],
        }
    }
    job: Obj = {
        "metadata": {"labels": {ANCESTOR_STEP: "trainer"}},
        "spec": {"template": pod},
    }
    return {
        "metadata": {
            "name": policy.runtime,
            "labels": {"trainer.kubeflow.org/framework": policy.name},
        },
        "spec": {
            "mlPolicy": {"numNodes": 1, policy.name: {}},
            "template": {"spec": {"replicatedJobs": [{"name": NODE, "template": job}]}},
        },
    }
