from typing import Any

from mizzen.base.objects import Obj
from mizzen.cli.core.listing import rows

_CREATED = {"creationTimestamp": "2026-01-01T00:00:00Z", "namespace": "default"}


def _object(name: str, **fields: Any) -> Obj:
    metadata = _CREATED | {"name": name, "uid": f"uid-{name}"} | fields.pop("metadata", {})
    return {"metadata": metadata, **fields}


def test_pods_follow_their_workload_with_their_devices() -> None:
    metrics = [{"name": "step", "value": "7"}, {"name": "loss", "value": "2.50001"}]
    trainer = {"metrics": metrics, "progressPercentage": 70}
    job = _object("job", status={"trainerStatus": trainer, "jobsStatus": [{"ready": 1}]})
    owner = [{"uid": "uid-job", "controller": True}]
    pod = _object("job-0", metadata={"ownerReferences": owner}, status={"phase": "Running"})
    message = "0/1 nodes fit; ask for less"
    scheduled = {"type": "PodScheduled", "status": "False", "message": message}
    alone = _object("alone", status={"phase": "Pending", "conditions": [scheduled]})
    claim = _object(
        "claim",
        status={
            "allocation": {"devices": {"results": [{"device": "core-1"}]}},
            "reservedFor": [{"uid": "uid-job-0"}],
        },
    )
    found = rows([job], [], [], [alone, pod], [claim])
    assert [(r["kind"], r["name"], r["status"], r["devices"], r["detail"]) for r in found] == [
        ("trainjob", "job", "Running", ["core-1"], "step 7, loss 2.5, 70%"),
        ("pod", "job-0", "Running", ["core-1"], ""),
        ("pod", "alone", "Pending", [], message),
    ]


def test_what_waits_says_why() -> None:
    """A job without workers and a pod whose container does not start: the reason is in the list."""
    waiting = {"type": "mizzen.dev/Waiting", "status": "True", "message": "pod job-0: no room"}
    job = _object("job", status={"conditions": [waiting], "jobsStatus": [{"ready": 0}]})
    state = {"waiting": {"reason": "FailedMount", "message": 'Secret "s" does not exist'}}
    pod = _object("pod", status={"phase": "Pending", "containerStatuses": [{"state": state}]})
    ended = {"terminated": {"exitCode": 143, "message": "the instance went down while it ran"}}
    failed = _object("over", status={"phase": "Failed", "containerStatuses": [{"state": ended}]})
    assert [(r["status"], r["detail"]) for r in rows([job], [], [], [failed, pod], [])] == [
        ("Pending", "pod job-0: no room"),
        ("Failed", "exit code 143: the instance went down while it ran"),
        ("FailedMount", 'Secret "s" does not exist'),
    ]


def test_a_gated_pod_and_a_job_that_backs_off_say_so() -> None:
    message = "Scheduling is blocked due to non-empty scheduling gates"
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    pod = _object("pod", status={"phase": "Pending", "conditions": [{**gated, "message": message}]})
    waiting = {"type": "mizzen.dev/Waiting", "status": "True", "message": "next try at noon"}
    job = _object("job", spec={"completions": 2}, status={"conditions": [waiting], "succeeded": 1})
    other = _object("other", spec={"managedBy": "example.com/mine"})
    assert [(r["status"], r["detail"]) for r in rows([], [], [job, other], [pod], [])] == [
        ("Pending", "1/2: next try at noon"),
        ("Pending", "0/1, run by example.com/mine"),
        ("SchedulingGated", message),
    ]
