"""The objects that `mizzen train` and `mizzen serve` create."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mizzen.base.names import MAX_NODES, MIN_NODES
from mizzen.base.objects import Obj
from mizzen.base.resources import MODEL_ENDPOINTS, TRAIN_JOBS

_NAME_MAX = 52  # leaves room for the suffixes of pods within a DNS label's 63


@dataclass(frozen=True, slots=True)
class Training:
    """The arguments of `mizzen train`; `device_resource` is the class's extended resource name."""

    name: str
    namespace: str
    script: str
    directory: str
    arguments: Sequence[str]
    workers: int
    runtime: str
    device_resource: str
    min_workers: int | None = None
    max_workers: int | None = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])


def train_job(options: Training) -> Obj:
    """The TrainJob: upstream's fields, elasticity as annotations."""
    metadata: Obj = {"name": options.name, "namespace": options.namespace}
    if options.min_workers is not None or options.max_workers is not None:
        metadata["annotations"] = {
            MIN_NODES: str(options.min_workers or 1),
            MAX_NODES: str(options.max_workers or options.workers),
        }
    trainer: Obj = {
        "numNodes": options.workers,
        "command": ["python", options.script],
        "resourcesPerNode": {"limits": {options.device_resource: 1}},
    }
    if options.arguments:
        trainer["args"] = list(options.arguments)
    if options.env:
        trainer["env"] = [{"name": name, "value": value} for name, value in options.env.items()]
    return {
        "apiVersion": TRAIN_JOBS.api_version,
        "kind": TRAIN_JOBS.kind,
        "metadata": metadata,
        "spec": {
            "runtimeRef": {"name": options.runtime},
            "trainer": trainer,
            "runtimePatches": [_working_directory(options.directory)],
        },
    }


def _working_directory(directory: str) -> Obj:
    # The trainer has no field for it: a patch of the runtime's container does it.
    container = {"name": "node", "workingDir": directory}
    pod = {"spec": {"containers": [container]}}
    job = {"name": "node", "template": {"spec": {"template": pod}}}
    spec = {"template": {"spec": {"replicatedJobs": [job]}}}
    return {"manager": "mizzen.dev/cli", "trainingRuntimeSpec": spec}


@dataclass(frozen=True, slots=True)
class Serving:
    """The arguments of `mizzen serve`."""

    name: str
    namespace: str
    model: str
    min_replicas: int
    max_replicas: int
    device_class: str
    devices: int
    concurrency: int | None = None
    max_batch: int | None = None
    context_length: int | None = None
    precision: str = ""


def model_endpoint(options: Serving) -> Obj:
    """The ModelEndpoint; what was not said is left to its defaults."""
    spec: Obj = {
        "model": {"path": options.model, "name": options.name},
        "replicas": {"min": options.min_replicas, "max": options.max_replicas},
        "resources": {"deviceClassName": options.device_class, "count": options.devices},
    }
    engine: Obj = {}
    if options.concurrency is not None:
        spec["scaling"] = {"targetConcurrency": options.concurrency}
    if options.max_batch is not None:
        engine["maxBatchSize"] = options.max_batch
    if options.context_length is not None:
        engine["contextLength"] = options.context_length
    if options.precision:
        engine["args"] = {"INFERENCE_PRECISION_HINT": options.precision}
    if engine:
        spec["engine"] = engine
    return {
        "apiVersion": MODEL_ENDPOINTS.api_version,
        "kind": MODEL_ENDPOINTS.kind,
        "metadata": {"name": options.name, "namespace": options.namespace},
        "spec": spec,
    }


def name_from(text: str) -> str:
    """A name the API accepts, made of a file's: 'Tiny_Model.v2' -> 'tiny-model-v2'."""
    name = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_NAME_MAX].strip("-")
    return name if name and name[0].isalpha() else f"w-{name}".strip("-")
