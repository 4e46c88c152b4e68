"""A TrainJob and its runtime, merged into what its pods look like.

Source: Kubeflow Trainer v2 (trainer 8c0f505): the runtime's JobSet template has one
replicatedJob `node` with a container `node`; the job's `trainer` overrides image, command,
args, env, numNodes and resources; `runtimePatches` patch the template's pods.
Initializers and the other ML policies are refused by the API server (`SERVED_FIELDS`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from mizzen.base.names import IMAGE_PYTHON, MAX_NODES, MIN_NODES
from mizzen.base.objects import Key, Obj, annotations_of, name_of, namespace_of
from mizzen.base.reading import entries, part
from mizzen.base.resources import CLUSTER_TRAINING_RUNTIMES, TRAINING_RUNTIMES, Resource
from mizzen.controllers.core.rendezvous import Policy, policy_of
from mizzen.controllers.core.view import View

HOSTNAME_LENGTH_MAX = 63  # of a DNS label
NODE = "node"  # upstream's name of the replicated job and of its main container


class RuntimeTrouble(Exception):
    """The job cannot be built as it stands; `reason` goes into its Failed condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class NodeTemplate:
    """The part common to all pods of one TrainJob, resources still as the user named them."""

    num_nodes: int
    min_nodes: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    pod_spec: Obj
    policy: Policy | None  # None: how the workers meet is left to the program


def runtime_reference(job: Obj) -> tuple[Resource, Key]:
    """The runtime object that the job names; the kind defaults to ClusterTrainingRuntime."""
    reference: Obj = job["spec"].get("runtimeRef") or {}
    name = str(reference.get("name") or "")
    if reference.get("kind") == TRAINING_RUNTIMES.kind:
        return TRAINING_RUNTIMES, Key(namespace_of(job), name)
    return CLUSTER_TRAINING_RUNTIMES, Key("", name)


def node_template(view: View, job: Obj) -> NodeTemplate:
    """The job merged with its runtime. Errors: RuntimeTrouble, worded for the job's author."""
    runtime = _find_runtime(view, job)
    spec: Obj = runtime["spec"]
    policy: Obj = spec.get("mlPolicy") or {}
    replicated = _replicated_node(runtime)
    template = merge_named(
        part(replicated, "template", "spec", "template"), _patch_for_nodes(job, runtime)
    )
    pod_spec: Obj = dict(template.get("spec") or {})
    trainer: Obj = job["spec"].get("trainer") or {}
    _override_container(pod_spec, trainer, runtime)
    num_nodes = int(trainer.get("numNodes") or policy.get("numNodes") or 1)
    _check_hostname(job, num_nodes)
    metadata: Obj = template.get("metadata") or {}
    return NodeTemplate(
        num_nodes=num_nodes,
        min_nodes=_min_nodes(job, num_nodes),
        labels={**part(metadata, "labels"), **part(job, "spec", "labels")},
        annotations={**part(metadata, "annotations"), **part(job, "spec", "annotations")},
        pod_spec=pod_spec,
        policy=policy_of(policy),
    )


def merge_named(base: Obj, patch: Obj) -> Obj:
    """`base` with `patch` laid over it: maps merge, lists of named things merge by name.

    Other lists are replaced. This is what strategic merge does for pod templates as far as
    merge keys are `name`, which is all that runtimePatches allow.
    """
    result = dict(base)
    for name, value in patch.items():
        old: Any = result.get(name)
        if isinstance(value, dict) and isinstance(old, dict):
            result[name] = merge_named(cast("Obj", old), cast("Obj", value))
        elif _is_named(value) and _is_named(old):
            result[name] = _merge_lists(old, cast("list[Obj]", value))
        else:
            result[name] = value
    return result


def _merge_lists(old: list[Obj], new: list[Obj]) -> list[Obj]:
    patches = {str(entry["name"]): entry for entry in new}
    merged = [merge_named(entry, patches.pop(str(entry["name"]), {})) for entry in old]
    return merged + [entry for entry in new if str(entry["name"]) in patches]


def _is_named(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    entries = cast("list[Any]", value)
    return all(isinstance(entry, dict) and "name" in entry for entry in entries)


def _find_runtime(view: View, job: Obj) -> Obj:
    resource, key = runtime_reference(job)
    runtime = view.get(resource, key)
    if runtime is not None:
        return runtime
    known = ", ".join(sorted(other.name for other in view.all(resource))) or "none"
    raise RuntimeTrouble(
        "TrainingRuntimeNotSupported",
        f'spec.runtimeRef: {resource.kind} "{key}" not found; there are: {known}',
    )


def _replicated_node(runtime: Obj) -> Obj:
    for job in entries(runtime, "spec", "template", "spec", "replicatedJobs"):
        if job.get("name") == NODE:
            return job
    raise RuntimeTrouble(
        "TrainingRuntimeNotSupported",
        f'{runtime["kind"]} "{name_of(runtime)}" has no replicatedJob named "{NODE}"',
    )


def _patch_for_nodes(job: Obj, runtime: Obj) -> Obj:
    """All runtimePatches for the pods of `node`, merged in order."""
    patch: Obj = {}
    for entry in entries(job, "spec", "runtimePatches"):
        for target in entries(entry, "trainingRuntimeSpec", "template", "spec", "replicatedJobs"):
            if target.get("name") != NODE:
                raise RuntimeTrouble(
                    "InvalidRuntimePatch",
                    f'spec.runtimePatches: "{name_of(runtime)}" has no replicatedJob '
                    f'"{target.get("name")}"; there is: {NODE}',
                )
            patch = merge_named(patch, part(target, "template", "spec", "template"))
    return patch


def _override_container(pod_spec: Obj, trainer: Obj, runtime: Obj) -> None:
    containers: list[Obj] = list(pod_spec.get("containers") or ())
    names = [container.get("name") for container in containers]
    if NODE not in names:
        raise RuntimeTrouble(
            "TrainingRuntimeNotSupported",
            f'{runtime["kind"]} "{name_of(runtime)}" has no container named "{NODE}"',
        )
    index = names.index(NODE)
    changed = dict(containers[index])
    for name in ("image", "command", "args"):
        if trainer.get(name):
            changed[name] = trainer[name]
    if trainer.get("command") and not trainer.get("args"):
        changed.pop("args", None)  # the runtime's arguments belong to the runtime's command
    if trainer.get("env"):
        changed["env"] = _merge_lists(list(changed.get("env") or ()), trainer["env"])
    if trainer.get("resourcesPerNode"):
        changed["resources"] = trainer["resourcesPerNode"]
    if str(changed.get("image") or "") == IMAGE_PYTHON and not (
        changed.get("command") or changed.get("args")
    ):
        raise RuntimeTrouble(
            "MissingCommand",
            "spec.trainer.command: neither the job nor its runtime says what to run; "
            'set it, for example ["python", "/path/train.py"]',
        )
    containers[index] = changed
    pod_spec["containers"] = containers


def _check_hostname(job: Obj, num_nodes: int) -> None:
    """The API server checks it where the job itself says how many workers there are."""
    hostname = f"{name_of(job)}-{NODE}-0-{num_nodes - 1}"
    if len(hostname) > HOSTNAME_LENGTH_MAX:
        raise RuntimeTrouble(
            "InvalidName",
            f'metadata.name: a worker would be named "{hostname}", which is longer than '
            f"{HOSTNAME_LENGTH_MAX} characters; make the job anew under a shorter name",
        )


def _min_nodes(job: Obj, num_nodes: int) -> int:
    """The gang's smallest size. Errors: RuntimeTrouble when the annotations contradict."""
    low = _count(job, MIN_NODES, num_nodes)
    high = _count(job, MAX_NODES, max(num_nodes, low))
    if low > num_nodes:
        raise RuntimeTrouble(
            "InvalidElasticity",
            f"spec.trainer.numNodes: {num_nodes} is below annotation {MIN_NODES}: {low}",
        )
    if num_nodes > high:
        raise RuntimeTrouble(
            "InvalidElasticity",
            f"spec.trainer.numNodes: {num_nodes} is above annotation {MAX_NODES}: {high}",
        )
    return low


def _count(job: Obj, name: str, default: int) -> int:
    text = annotations_of(job).get(name)
    if text is None:
        return default
    if not text.isdigit() or int(text) < 1:
        raise RuntimeTrouble(
            "InvalidElasticity", f"annotation {name}: {text!r} is not a number from 1"
        )
    return int(text)
