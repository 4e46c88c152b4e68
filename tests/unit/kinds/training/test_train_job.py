"""TrainJobs and their runtimes."""

from __future__ import annotations

from typing import Any

import pytest

from mizzen.base import names
from mizzen.kinds.registry import builtin_kinds

GROUP = "trainer.kubeflow.org"
JOB, RUNTIME = (builtin_kinds()[(GROUP, p)] for p in ("trainjobs", "clustertrainingruntimes"))


def _job(
    nodes: int | None = 2, annotations: dict[str, str] | None = None, **spec: Any
) -> dict[str, Any]:
    trainer = {"numNodes": nodes} if nodes is not None else {}
    body = {
        "apiVersion": f"{GROUP}/v1alpha1", "kind": "TrainJob", "metadata": {"name": "j", "annotations": annotations or {}},
        "spec": {"runtimeRef": {"name": "jax-distributed"}, "trainer": trainer, **spec},
    }  # fmt: skip
    decoded = JOB.decode(body)
    assert not decoded.causes and not decoded.unknown, decoded
    return decoded.object


LEAST, MOST = names.MIN_NODES, names.MAX_NODES


@pytest.mark.parametrize(
    ("nodes", "annotations", "causes"),
    [
        (2, {}, []),
        (2, {LEAST: "1", MOST: "3"}, []),
        (2, {LEAST: "one"}, [f"metadata.annotations[{LEAST}]"]),
        (2, {LEAST: "0"}, [f"metadata.annotations[{LEAST}]"]),
        (2, {LEAST: "-1"}, [f"metadata.annotations[{LEAST}]"]),
        (None, {LEAST: "3", MOST: "1"}, [f"metadata.annotations[{LEAST}]"]),
        (1, {LEAST: "2"}, ["spec.trainer.numNodes"]),
        (4, {MOST: "3"}, ["spec.trainer.numNodes"]),
        (2, {names.MAX_FAILURES: "x"}, [f"metadata.annotations[{names.MAX_FAILURES}]"]),
    ],
)
def test_sizes(nodes: int | None, annotations: dict[str, str], causes: list[str]) -> None:
    assert [c.field for c in JOB.check(_job(nodes, annotations), None)] == causes


def test_defaults_and_what_cannot_change() -> None:
    job = _job()
    assert job["spec"]["runtimeRef"] == {
        "name": "jax-distributed",
        "apiGroup": GROUP,
        "kind": "ClusterTrainingRuntime",
    }
    assert (
        job["spec"]["managedBy"] == "trainer.kubeflow.org/trainjob-controller"
        and job["spec"]["suspend"] is False
    )
    other = _job(runtimeRef={"name": "other"}, managedBy="kueue.x-k8s.io/multikueue")
    assert [c.field for c in JOB.check(other, job)] == ["spec.runtimeRef", "spec.managedBy"]
    assert JOB.check(_job(3), job) == []


def test_columns() -> None:
    job = _job()
    cells = {c.name: c for c in JOB.columns}
    assert cells["State"].cell(job, 0) == "Pending" and cells["Nodes"].cell(job, 0) == "0/2"
    job["status"] = {
        "jobsStatus": [{"name": "node", "ready": 2, "active": 2}],
        "trainerStatus": {"metrics": [{"name": "step", "value": "7"}]},
    }
    assert cells["State"].cell(job, 0) == "Running" and cells["Nodes"].cell(job, 0) == "2/2"
    assert cells["Step"].cell(job, 0) == "7"
    job["metadata"]["annotations"] = {names.PROGRESS: '{"step": 8, "steps": 20}'}
    assert cells["Step"].cell(job, 0) == "8/20"
    job["status"]["conditions"] = [{"type": "Complete", "status": "True"}]
    assert cells["State"].cell(job, 0) == "Complete"


def _runtime(pod: dict[str, Any], **policy: Any) -> list[str]:
    replicated = {"name": "node", "template": {"spec": {"template": {"spec": pod}}}}
    body = {
        "apiVersion": f"{GROUP}/v1alpha1", "kind": "ClusterTrainingRuntime", "metadata": {"name": "r"},
        "spec": {"mlPolicy": {"numNodes": 1, **policy}, "template": {"spec": {"replicatedJobs": [replicated]}}},
    }  # fmt: skip
    decoded = RUNTIME.decode(body)
    assert not decoded.causes and not decoded.unknown, decoded
    RUNTIME.default(decoded.object)
    return [c.field for c in RUNTIME.check(decoded.object, None)]


def test_runtimes() -> None:
    assert _runtime({"containers": [{"name": "node"}]}, jax={}) == []
    assert _runtime({"containers": [{"name": "node"}]}, jax={}, torch={}) == ["spec.mlPolicy"]
    bad = _runtime({"containers": [{"name": "Bad"}]})
    assert bad == [
        "spec.template.spec.replicatedJobs[0].template.spec.template.spec.containers[0].name"
    ]


def test_a_misspelt_annotation_of_ours_is_refused_with_the_right_one() -> None:
    wrong = _job(2, {"mizzen.dev/min-nodse": "1", "example.com/anything": "x"})
    causes = JOB.check(wrong, None)
    assert [c.field for c in causes] == ["metadata.annotations[mizzen.dev/min-nodse]"]
    assert 'did you mean "mizzen.dev/min-nodes"?' in causes[0].message
    assert JOB.check(wrong, wrong) == []  # one that is there already does not block other changes


@pytest.mark.parametrize(
    ("length", "nodes", "annotations", "is_fine"),
    [
        (54, 2, {}, True),
        (55, 2, {}, False),
        (54, 10, {}, True),
        (54, 11, {}, False),
        (53, 11, {}, True),
        (54, 2, {MOST: "64"}, False),
    ],
)
def test_a_name_that_no_worker_can_be_derived_from_is_refused(
    length: int, nodes: int, annotations: dict[str, str], is_fine: bool
) -> None:
    job = _job(nodes, annotations)
    job["metadata"]["name"] = "a" * length
    causes = JOB.check(job, None)
    assert [c.field for c in causes] == ([] if is_fine else ["metadata.name"])
    assert is_fine or "take a name of at most 5" in causes[0].message


def _patched(template: dict[str, Any]) -> list[tuple[str, str]]:
    jobs = [{"name": "node", "template": template}]
    entry = {"template": {"spec": {"replicatedJobs": jobs}}}
    job = _job(runtimePatches=[{"manager": "m", "trainingRuntimeSpec": entry}])
    at = "spec.runtimePatches[0].trainingRuntimeSpec.template.spec.replicatedJobs[0].template."
    assert all(c.field.startswith(at) for c in JOB.check(job, None))
    return [(c.field.removeprefix(at), c.message) for c in JOB.check(job, None)]


def test_patches_of_the_runtime_are_checked_when_they_are_given() -> None:
    container = {"name": "node", "env": [{"name": "A", "value": "1"}]}
    pod = {"spec": {"template": {"spec": {"containers": [container]}}}}
    assert _patched(pod) == []
    container["env"] = [{"name": "A", "value": True}]
    (wrong,) = _patched(pod)
    assert wrong[0] == "spec.template.spec.containers[0].env[0].value"
    assert "must be of type string, not boolean" in wrong[1]
    ((path, message),) = _patched({"spec": {"template": {"spec": {"nodeSelectr": {}}}}})
    assert path == "spec.template.spec.nodeSelectr" and 'did you mean "nodeSelector"?' in message
    reference = {"valueFrom": {"fieldRef": {"apiVersion": "v2", "fieldPath": "metadata.name"}}}
    container["env"] = [{"name": "A", **reference}]
    ((path, message),) = _patched(pod)
    assert path == "spec.template.spec.containers[0].env[0].valueFrom.fieldRef.apiVersion"
    assert "is not served" in message
    container["env"] = []
    pod["spec"]["template"]["spec"] = {"containers": [container], "hostUsers": False}
    assert _patched(pod) == [], "a node may refuse it"


def test_what_a_runtime_asks_for_and_is_not_served() -> None:
    def unserved(kind: Any, spec: dict[str, Any]) -> list[str]:
        body = {
            "apiVersion": f"{GROUP}/v1alpha1", "kind": kind.resource.kind,
            "metadata": {"name": "x"}, "spec": spec,
        }  # fmt: skip
        return [u.cause.message for u in kind.decode(body).unserved]

    mpi = {"mlPolicy": {"mpi": {"numProcPerNode": 2}}, "template": {}}
    (message,) = unserved(RUNTIME, mpi)
    assert "of the policies only jax is served" in message
    job = {"runtimeRef": {"name": "r"}, "initializer": {"dataset": {"storageUri": "hf://x"}}}
    (message,) = unserved(JOB, job)
    assert "nothing is fetched before training" in message
    assert unserved(JOB, {"runtimeRef": {"name": "r"}, "managedBy": "kueue.x-k8s.io/multikueue"})


def test_a_runtime_has_workers_and_nothing_else() -> None:
    pod = {"containers": [{"name": "node"}]}
    replicated = [
        {"name": name, "template": {"spec": {"template": {"spec": pod}}}}
        for name in ("dataset-initializer", "node")
    ]
    body = {
        "apiVersion": f"{GROUP}/v1alpha1", "kind": "ClusterTrainingRuntime",
        "metadata": {"name": "r"}, "spec": {"template": {"spec": {"replicatedJobs": replicated}}},
    }  # fmt: skip
    causes = RUNTIME.check(RUNTIME.decode(body).object, None)
    assert [c.field for c in causes] == ["spec.template.spec.replicatedJobs[0].name"]
