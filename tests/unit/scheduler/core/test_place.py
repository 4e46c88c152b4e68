"""Whole decisions on a small cluster: what is bound, who leaves, what is said."""

from __future__ import annotations

from mizzen.base import names
from mizzen.base.operations import Bind, Delete, Patch
from support.scheduler_world import (
    CORE,
    NOW_NS,
    World,
    claim,
    exactly,
    halves,
    node,
    pod,
    pod_group,
)

NOW_TEXT = "2027-01-15T08:00:00Z"


def train(world: World, count: int, least: int = 1, **more: object) -> None:
    world.add(pod_group("train", least))
    world.add_pods([f"train-{i}" for i in range(count)], gang="train", **{"priority": 100, **more})


# -- placing -------------------------------------------------------------------------------


def test_a_pod_gets_its_claim_allocated_and_reserved_and_is_bound_in_one_decision() -> None:
    world = World()
    world.add_pods(["a"])
    (decision,) = world.run().decisions
    assert [type(o) for o in decision.operations] == [Patch, Patch, Bind]
    status = world.get("ResourceClaim", "a")["status"]
    assert status["reservedFor"] == [{"resource": "pods", "name": "a", "uid": "pod-a"}]
    assert status["allocation"] == {
        "devices": {
            "results": [
                {
                    "request": "r",
                    "driver": "cpu.mizzen.dev",
                    "pool": "n1",
                    "device": "core-0-half-0",
                }
            ]
        },
        "nodeSelector": {
            "nodeSelectorTerms": [
                {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
            ]
        },
        "allocationTimestamp": NOW_TEXT,
    }
    finalizers = world.get("ResourceClaim", "a")["metadata"]["finalizers"]
    assert finalizers == [names.CLAIM_FINALIZER]
    assert [n.message for n in decision.notes] == ["Successfully assigned default/a to n1"]


def test_members_of_a_gang_spread_over_cores() -> None:
    world = World()
    train(world, 2)
    world.run()
    assert world.bound() == {"train-0": ["core-0-half-0"], "train-1": ["core-1-half-0"]}


def test_a_gang_is_all_or_nothing() -> None:
    world = World()
    train(world, 5, least=5)
    world.run()
    assert world.bound() == {}
    assert world.condition("train-0")["message"] == (
        '0/1 nodes fit gang "default/train" beyond 4 of its 5 members: 4 of 4 devices of class '
        "cpu-core.mizzen.dev are in use, none free (want 1); "
        "its 5 members need 5 of them together and there are 4: "
        "ask for at most 4 members, or add devices"
    )
    world.nodes.append(node("n2"))
    world.slices.append(halves("n2"))
    world.run()
    assert len(world.bound()) == 5


def test_a_gang_waits_for_its_members_to_exist() -> None:
    world = World()
    train(world, 2, least=3)
    assert world.bound() == {}
    world.run()
    assert "2 of the 3 members it needs" in world.condition("train-1")["message"]
    world.add_pods(["train-2"], gang="train", first_rank=2, priority=100)
    world.run()
    assert len(world.bound()) == 3


def test_members_beyond_the_minimum_are_bound_while_they_fit_lowest_ranks_first() -> None:
    world = World()
    world.add_pods(["other"], priority=500)
    train(world, 6, least=1)
    world.run()
    assert sorted(world.bound()) == ["other", "train-0", "train-1", "train-2"]
    assert "a member of its gang before it" in world.condition("train-5")["message"]


def test_ranks_stay_contiguous() -> None:
    world = World()
    world.add(pod_group("train", 1))
    world.add_pods(["train-0"], gang="train")
    world.run()
    world.add_pods(["train-2"], gang="train", first_rank=2)
    world.run()
    assert list(world.bound()) == ["train-0"]
    assert "ranks get places in order" in world.condition("train-2")["message"]


def test_a_missing_pod_group_is_named() -> None:
    world = World()
    world.add_pods(["a"], gang="nope")
    world.run()
    assert 'PodGroup "default/nope" does not exist' in world.condition("a")["message"]


def test_what_is_merely_not_there_yet_is_not_written_at_once() -> None:
    world = World()
    world.add(pod("a", claims=("late",), created=NOW_TEXT))
    plan = world.plan()
    assert plan.decisions == ()
    assert plan.recheck_after_s > 0
    plan = world.plan(NOW_NS + 3_000_000_000)
    assert 'ResourceClaim "default/late" does not exist' in str(plan.decisions[0].operations[0])


def test_two_pods_share_a_named_claim_on_the_same_node() -> None:
    world = World(nodes=[node("n1"), node("n2")], slices=[halves("n1"), halves("n2")])
    world.add(claim("shared"), pod("a", claims=("shared",)), pod("b", claims=("shared",)))
    assert world.run().recheck_after_s > 0  # b rests on what a's plan writes
    world.run()
    assert world.bound() == {"a": ["core-0-half-0"], "b": ["core-0-half-0"]}
    reserved = world.get("ResourceClaim", "shared")["status"]["reservedFor"]
    assert [entry["name"] for entry in reserved] == ["a", "b"]


def test_a_claim_taken_by_name_after_its_pod_ended_is_not_stolen_from_a_waiting_preemptor() -> None:
    world = World(slices=[halves(cores=1)])
    train(world, 2)
    world.run()
    world.add_pods(["tiny"], priority=1000)
    world.run()
    world.end("train-1", with_claim=False)
    world.add(pod("train-1", claims=("train-1",), gang="train", rank=1, priority=100))
    world.run()
    assert sorted(world.bound()) == ["train-0"]
    world.objects.pop(("ResourceClaim", "train-1"))
    world.run()
    assert sorted(world.bound()) == ["tiny", "train-0"]


def test_pods_of_another_scheduler_and_gated_pods_are_left_alone() -> None:
    world = World()
    world.add(pod("a", schedulerName="theirs"), pod("b", schedulingGates=[{"name": "wait"}]))
    assert world.plan().decisions == ()


# -- shared cpu ---------------------------------------------------------------------------------


def test_claims_and_unclaimed_pods_divide_the_cores() -> None:
    world = World()
    world.add(pod("shared", cpu="1200m"))
    world.run()
    world.add_pods(["a", "b"], cpu="5")  # the request of a pod with its own core is not charged
    world.run()
    assert sorted(world.bound()) == ["a", "shared"]
    message = world.condition("b")["message"]
    assert "cpu not claimed by others (want 500m, most free 300m)" in message
    assert "it fits once Pod default/shared leaves" in message


def test_an_unclaimed_pod_does_not_fit_where_all_cores_are_claimed() -> None:
    world = World()
    world.add_pods(["a", "b", "c", "d"])
    world.run()
    world.add(pod("shared", cpu="100m"), pod("besteffort"))
    world.run()
    assert "shared" not in world.bound()
    assert "besteffort" in world.bound()


def test_shared_cpu_is_preempted_too() -> None:
    world = World()
    world.add_pods(["a", "b"], priority=1)
    world.add(pod("shared", cpu="1", priority=1))
    world.run()
    world.add(pod("urgent", cpu="500m", priority=9))
    (decision,) = world.run().decisions
    assert len(decision.victims) == 1


def test_taints_labels_and_cordons_are_counted() -> None:
    taint = {"key": "dedicated", "value": "infer", "effect": "NoSchedule"}
    world = World(nodes=[node("n1", unschedulable=True), node("n2", taints=[taint]), node("n3")])
    world.add(pod("a", nodeSelector={"disk": "ssd"}))
    world.run()
    assert world.condition("a")["message"] == (
        '0/3 nodes fit Pod "default/a": 2 nodes lack label disk=ssd, 1 cordoned; '
        "it fits without disk=ssd in its nodeSelector"
    )


# -- preemption ----------------------------------------------------------------------------------


def test_an_elastic_gang_shrinks_by_its_highest_rank_and_the_cause_is_passed_on() -> None:
    world = World()
    train(world, 4, least=1)
    world.run()
    world.add_pods(["tiny-1"], priority=1000, cause="17 requests in flight on tiny")
    (decision,) = world.run().decisions
    assert [v.key.name for v in decision.victims] == ["train-3"]
    target = world.condition("train-3", names.DISRUPTION_TARGET)
    assert (target["reason"], target["message"]) == (
        "PreemptionByScheduler",
        "Preempted by Pod default/tiny-1 (priority 1000): 17 requests in flight on tiny",
    )
    victim = world.get("Pod", "train-3")["metadata"]
    assert victim["annotations"][names.CAUSE] == "17 requests in flight on tiny"
    assert victim["deletionTimestamp"]
    assert world.get("Pod", "tiny-1")["status"]["nominatedNodeName"] == "n1"
    assert "waits for Pod default/train-3 to leave" in world.condition("tiny-1")["message"]


def test_nothing_is_decided_twice_while_a_victim_leaves_even_by_a_new_scheduler() -> None:
    world = World()
    train(world, 4)
    world.run()
    world.add_pods(["tiny-1"], priority=1000)
    world.run()
    world.forget()
    assert world.plan().decisions == ()


def test_the_freed_device_goes_to_the_preemptor_not_to_the_recreated_member() -> None:
    world = World()
    train(world, 4)
    world.run()
    world.add_pods(["tiny-1"], priority=1000)
    world.run()
    world.end("train-3", with_claim=False)  # gone, its claim not yet released
    world.add(claim("new"), pod("train-3", claims=("new",), gang="train", rank=3, priority=100))
    world.run()
    assert sorted(world.bound()) == ["train-0", "train-1", "train-2"]
    world.objects.pop(("ResourceClaim", "train-3"))
    world.run()
    assert "tiny-1" in world.bound()
    assert "train-3" not in world.bound()
    world.end("tiny-1")
    world.run()
    assert "train-3" in world.bound()


def test_a_free_device_is_kept_for_a_preemptor_that_waits_for_its_second() -> None:
    world = World(slices=[halves(cores=1)])
    world.add_pods(["low"], priority=1)
    world.run()
    world.add(claim("big", exactly(count=2)), pod("big", claims=("big",), priority=1000))
    world.run()
    world.add_pods(["other"], priority=5)
    world.run()
    assert "other" not in world.bound()
    world.end("low")
    world.run()
    assert sorted(world.bound()) == ["big"]


def test_two_preemptors_take_two_victims_in_one_plan() -> None:
    world = World()
    train(world, 4)
    world.run()
    world.add_pods(["tiny-1", "tiny-2"], priority=1000)
    plan = world.run()
    assert [v.key.name for d in plan.decisions for v in d.victims] == ["train-3", "train-2"]


def test_the_minimum_survives_and_is_killed_whole_only_when_the_surplus_is_not_enough() -> None:
    world = World()
    train(world, 4, least=2)
    world.run()
    world.add(claim("big", exactly(count=2)), pod("big", claims=("big",), priority=1000))
    plan = world.run()
    assert {v.key.name for v in plan.decisions[0].victims} == {"train-3", "train-2"}
    world = World()
    train(world, 4, least=2)
    world.run()
    world.add(claim("big", exactly(count=3)), pod("big", claims=("big",), priority=1000))
    plan = world.run()
    assert len(plan.decisions[0].victims) == 4


def test_equal_priority_is_never_preempted_and_the_reason_says_what_would_help() -> None:
    world = World()
    train(world, 4)
    world.run()
    world.add_pods(["x"], priority=100)
    plan = world.run()
    assert plan.decisions[0].victims == ()
    assert world.condition("x")["message"] == (
        '0/1 nodes fit Pod "default/x": 4 of 4 devices of class cpu-core.mizzen.dev are in use, '
        "none free (want 1); it fits once Pod default/train-3 leaves (1 device on node n1), "
        "or with a priority above 100 (it has 100)"
    )
    assert world.plan().decisions == ()  # said once


def test_a_pod_that_may_not_preempt_waits() -> None:
    world = World()
    train(world, 4)
    world.run()
    world.add_pods(["x"], priority=1000, preemptionPolicy="Never")
    assert world.run().decisions[0].victims == ()
    assert "which it may not preempt" in world.condition("x")["message"]


def test_members_beyond_the_minimum_do_not_preempt() -> None:
    world = World(slices=[halves(cores=1)])
    world.add_pods(["low"], priority=0)
    world.run()
    train(world, 2, least=1)
    plan = world.run()
    assert [v for d in plan.decisions for v in d.victims] == []
    assert sorted(world.bound()) == ["low", "train-0"]


def test_a_gang_preempts_for_its_minimum_in_one_plan() -> None:
    world = World()
    world.add_pods(["a", "b", "c"], priority=1)
    world.run()
    train(world, 3, least=3)
    plan = world.run()
    assert len(plan.decisions[0].victims) == 2
    assert all(world.get("Pod", f"train-{i}")["status"]["nominatedNodeName"] for i in range(3))


# -- what can never fit -----------------------------------------------------------------------------


def test_more_devices_than_there_are() -> None:
    world = World()
    world.add(claim("big", exactly(count=5)), pod("big", claims=("big",)))
    world.run()
    assert world.condition("big")["message"] == (
        '0/1 nodes fit Pod "default/big": 0 of 4 devices of class cpu-core.mizzen.dev are in use, '
        "4 free (want 5); ask for at most 4, or add a node with 5"
    )


def test_an_unknown_class_names_those_that_exist() -> None:
    world = World()
    world.add(claim("odd", exactly("r", "gpu.example.com")), pod("odd", claims=("odd",)))
    world.run()
    assert 'DeviceClass "gpu.example.com"' in world.condition("odd")["message"]
    assert f"there are: {CORE}" in world.condition("odd")["message"]


def test_a_failing_selector_is_quoted_and_others_go_on() -> None:
    world = World()
    bad = exactly("r", CORE, 1, 'device.attributes["cpu.mizzen.dev"].zork == 1')
    world.add(claim("odd", bad), pod("odd", claims=("odd",), priority=10))
    world.add_pods(["fine"])
    world.run()
    assert "fine" in world.bound()
    message = world.condition("odd")["message"]
    assert "zork" in message
    assert "failed on device cpu.mizzen.dev/n1/core-0-half-0" in message


def test_no_nodes_at_all() -> None:
    world = World(nodes=[], slices=[])
    world.add(pod("a"))
    world.run()
    assert world.condition("a")["message"] == '0/0 nodes fit Pod "default/a": there are no nodes'


def test_deletes_keep_the_victims_own_grace() -> None:
    world = World()
    train(world, 4)
    world.run()
    world.add_pods(["tiny"], priority=1000)
    deletes = [o for d in world.plan().decisions for o in d.operations if isinstance(o, Delete)]
    assert [(o.name, o.grace_period_s) for o in deletes] == [("train-3", None)]
