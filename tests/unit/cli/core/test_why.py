import json
from typing import Any

from mizzen.base.names import CAUSE, UNSCHEDULABLE
from mizzen.base.objects import Obj
from mizzen.cli.core.why import Change, explain

_BURST = "endpoint default/tiny wants 2 replicas: 23 requests in flight, 8 wanted per replica"


def _object(kind: str, name: str, owner: Obj | None = None, **fields: Any) -> Obj:
    metadata: Obj = {
        "name": name,
        "namespace": "default",
        "uid": f"uid-{kind}-{name}",
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    if owner:
        metadata["ownerReferences"] = [{"uid": owner["metadata"]["uid"], "controller": True}]
    metadata |= fields.pop("metadata", {})
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}


JOB = _object("TrainJob", "first-light")
PREEMPTED = {
    "type": "DisruptionTarget",
    "status": "True",
    "reason": "PreemptionByScheduler",
    "message": f"Preempted by Pod default/tiny-1 (priority 1000): {_BURST}",
}


def test_a_deleted_pod_still_says_why_it_had_to_go() -> None:
    pod = _object("Pod", "first-light-node-0-2", JOB)
    evicted = {
        **pod,
        "metadata": pod["metadata"] | {"annotations": {CAUSE: _BURST}},
        "status": {"conditions": [PREEMPTED]},
    }
    history = [
        Change(1, 10, "admin", "create", JOB),
        Change(2, 20, "system:mizzen:controllers", "create", pod),
        Change(3, 30, "system:mizzen:scheduler", "update", evicted),
        Change(4, 40, "system:mizzen:node", "delete", evicted, gone=True),
    ]
    chain = explain(JOB, [JOB], history, []).chain
    assert [link.time_ns for link in chain] == sorted(link.time_ns for link in chain)
    told = "\n".join(f"{link.by} {link.subject} {link.what}" for link in chain)
    assert "admin trainjob/first-light created" in told
    assert "scheduler pod/first-light-node-0-2 DisruptionTarget (PreemptionByScheduler)" in told
    assert "23 requests in flight" in told


def test_strangers_are_not_part_of_the_story() -> None:
    stranger = _object("Pod", "other")
    history = [Change(1, 10, "admin", "create", JOB), Change(2, 20, "admin", "create", stranger)]
    chain = explain(JOB, [JOB, stranger], history, []).chain
    assert {link.subject for link in chain} == {"trainjob/first-light"}


def test_owners_are_told_but_not_their_other_children() -> None:
    first, second = (_object("Pod", f"first-light-node-0-{i}", JOB) for i in range(2))
    claim = _object("ResourceClaim", "device", first)
    subjects = {link.subject for link in explain(first, [JOB, first, second, claim], [], []).chain}
    assert subjects == {
        "trainjob/first-light",
        "pod/first-light-node-0-0",
        "resourceclaim/device",
    }


def test_a_pending_pod_says_what_would_change_it() -> None:
    message = '0/1 nodes fit Pod "default/p": 1 lacks cpu; it fits once Pod default/a leaves'
    waiting = {"type": "PodScheduled", "status": "False", "message": message}
    pod = _object("Pod", "p", status={"conditions": [waiting]})
    told = explain(pod, [pod], [], [])
    assert told.waiting == ('pod/p: 0/1 nodes fit Pod "default/p": 1 lacks cpu',)
    assert told.change == ("it fits once Pod default/a leaves",)


def test_the_schedulers_record_is_told_reason_by_reason() -> None:
    record = {
        "nodes": 512,
        "reasons": [
            {"reason": "InsufficientDevices", "nodes": 480, "message": "480 nodes lack devices"},
            {"reason": "TaintNotTolerated", "nodes": 32, "message": "32 tainted a=b:NoSchedule"},
        ],
        "changes": [
            {"change": "Leave", "verified": True, "message": "it fits once Pod a/b leaves"},
            {"change": "Provide", "verified": False, "message": "add a node"},
        ],
    }
    waiting = {"type": "PodScheduled", "status": "False", "message": "0/512 nodes fit"}
    pods = [
        _object(
            "Pod",
            f"p-{i}",
            JOB,
            metadata={"annotations": {UNSCHEDULABLE: json.dumps(record)}},
            status={"conditions": [waiting]},
        )
        for i in range(2)
    ]
    told = explain(JOB, [JOB, *pods], [], []).unplaced
    assert [u.who for u in told] == [("pod/p-0", "pod/p-1")]
    assert told[0].reasons == (
        "480 nodes  InsufficientDevices: 480 nodes lack devices",
        " 32 nodes  TaintNotTolerated: 32 tainted a=b:NoSchedule",
    )
    assert told[0].changes == ("it fits once Pod a/b leaves", "add a node (not tried)")


def test_a_record_is_not_told_of_a_pod_that_has_a_place_nor_when_it_is_none() -> None:
    noted = {"annotations": {UNSCHEDULABLE: "no JSON"}}
    bound = _object("Pod", "p", metadata=noted, status={"conditions": []})
    assert explain(bound, [bound], [], []).unplaced == ()
    waiting = {"type": "PodScheduled", "status": "False", "message": "0/1 nodes fit"}
    odd = _object("Pod", "q", metadata=noted, status={"conditions": [waiting]})
    told = explain(odd, [odd], [], []).unplaced
    assert told[0].reasons == ()


def test_an_event_that_repeats_a_condition_is_told_once() -> None:
    pod = _object("Pod", "p", status={"conditions": [PREEMPTED]})
    event = {
        "metadata": {"uid": "event"},
        "involvedObject": {"kind": "Pod", "name": "p", "uid": pod["metadata"]["uid"]},
        "reason": "Preempted",
        "message": PREEMPTED["message"],
        "lastTimestamp": "2026-01-01T00:00:05Z",
        "source": {"component": "mizzen-scheduler"},
    }
    other = {**event, "reason": "Unhealthy", "message": "no answer", "count": 3}
    routine = {**event, "type": "Normal", "reason": "Pulled", "message": "image is there"}
    told = [link.what for link in explain(pod, [pod], [], [event, other, routine]).chain]
    assert sum("Preempted by" in what for what in told) == 1
    assert "Unhealthy: no answer (3 times)" in told
    assert not any("Pulled" in what for what in told)


def test_what_waits_is_named_once_though_it_is_asked_for_and_listed() -> None:
    condition = {"status": "False", "message": "0/1 nodes fit; label the nodes"}
    pod = _object("Pod", "tiny-1", status={"conditions": [condition | {"type": "PodScheduled"}]})
    assert explain(pod, [pod, pod], [], []).waiting == ("pod/tiny-1: 0/1 nodes fit",)
    group = _object(
        "PodGroup", "llama", status={"conditions": [condition | {"type": "PodGroupScheduled"}]}
    )
    told = explain(group, [group, pod], [], [])
    assert (told.waiting, told.change) == (
        ("podgroup/llama: 0/1 nodes fit",),
        ("label the nodes",),
    )


def test_a_pod_that_no_scheduler_has_heard_of_says_so() -> None:
    for scheduler, told in (("default-scheduler", "the scheduler has said"), ("other", '"other"')):
        pod = _object("Pod", "p", spec={"schedulerName": scheduler}, status={"phase": "Pending"})
        found = explain(pod, [pod], [], [])
        assert told in found.waiting[0] and found.change
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "x"}
    pod = _object("Pod", "p", spec={}, status={"phase": "Pending", "conditions": [gated]})
    assert explain(pod, [pod], [], []).waiting == ("pod/p: x",)
