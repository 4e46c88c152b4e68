"""What every queue policy that is found must keep to."""

from __future__ import annotations

import pytest

from mizzen.scheduler.core.placing.attempt import Placer
from mizzen.scheduler.core.queue.policy import Admitted, Held, QueuePolicy
from mizzen.scheduler.core.units import units
from mizzen.scheduler.queue_policies import queue_policies
from support.cluster_state import state
from support.scheduler_world import NOW_NS, World, claim, pod, pod_group

POLICIES = queue_policies()


def world_of(policy: QueuePolicy) -> World:
    world = World(policies=(policy, POLICIES[-1]))
    world.add(pod_group("g", 2))
    world.add_pods(["g-0", "g-1"], gang="g", priority=3)
    world.add_pods(["high"], priority=5)
    world.add(claim("low"), pod("low", claims=("low",)), pod("plain", cpu="100m"))
    return world


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_every_unit_gets_one_verdict_with_a_reason_and_nothing_is_changed(
    policy: QueuePolicy,
) -> None:
    what_if = world_of(policy).known()
    cluster = what_if.cluster
    waiting, before = units(cluster), state(cluster)
    found = list(policy.admit(cluster, waiting, NOW_NS))
    assert sorted(unit.subject for unit, _ in found) == sorted(unit.subject for unit in waiting)
    for _, verdict in found:
        assert isinstance(verdict, Admitted | Held)
        if isinstance(verdict, Held):
            assert verdict.reason.word.isidentifier()
            assert verdict.reason.detail
            assert verdict.again_s >= 0
    assert state(cluster) == before


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_same_state_gets_the_same_verdicts(policy: QueuePolicy) -> None:
    first, second = (world_of(policy).known().cluster for _ in range(2))
    verdicts = [list(policy.admit(c, units(c), NOW_NS)) for c in (first, second)]
    assert verdicts[0] == verdicts[1]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_verdicts_may_be_taken_one_by_one_while_what_is_admitted_is_placed(
    policy: QueuePolicy,
) -> None:
    what_if = world_of(policy).known()
    placer, before = Placer(what_if), state(what_if.cluster)
    mark = what_if.mark()
    for unit, verdict in policy.admit(what_if.cluster, units(what_if.cluster), NOW_NS):
        if isinstance(verdict, Admitted):
            placer.place(unit.pods, unit.constraints(unit.member_nodes))
    what_if.rollback(mark)
    assert state(what_if.cluster) == before


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_only_the_default_is_in_force_where_the_cluster_has_nothing_of_queues(
    policy: QueuePolicy,
) -> None:
    cluster = World(policies=(policy, POLICIES[-1])).known().cluster
    assert policy.is_in_force(cluster) == (policy is POLICIES[-1])
