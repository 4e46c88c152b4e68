"""What a queue policy decides reaches the plan, the conditions, and what is placed after it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mizzen.base.objects import Key
from mizzen.base.resources import NAMESPACES, PRIORITY_CLASSES, Resource
from mizzen.scheduler.core.cluster.objects import Feed
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.conventions.watched import TOPOLOGIES
from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.preemption.policy import LOWER_PRIORITY, PreemptionPolicy, Preemptor
from mizzen.scheduler.core.queue.policy import ADMITTED, Held, Verdicts
from mizzen.scheduler.core.queue.priority import POLICY as PRIORITY
from mizzen.scheduler.core.types import PodSpecView, Reason
from mizzen.scheduler.core.units import Unit
from mizzen.scheduler.device_selectors import CelSelectors
from support.scheduler_world import CORE, World, claim, node, pod, pod_group

QUEUES = Resource("test.dev", "v1", "queues", "Queue", namespaced=False)


class AtMost:
    """Each queue, by priority of its pods, may hold as many devices as its object says."""

    name = "at-most"
    reads: Sequence[Resource] = (QUEUES,)

    def queue_of(self, pod: PodSpecView) -> str:
        return f"queue-{pod.priority}"

    def is_in_force(self, state: Cluster) -> bool:
        return bool(state.queue_objects[QUEUES])

    def admit(self, state: Cluster, units: Sequence[Unit], now_ns: int) -> Verdicts:
        allowed = {k.name: o["spec"]["devices"] for k, o in state.queue_objects[QUEUES].items()}
        for unit in units:
            queue = self.queue_of(unit.pods[0])
            used = state.usage[self.name].of(queue).get(CORE, 0)
            if used + len(unit.pods) <= allowed.get(queue, 0):
                yield unit, ADMITTED
            else:
                detail = f"{queue} uses {used} of {allowed.get(queue, 0)} {CORE}"
                yield unit, Held(Reason("QueueFull", 0, detail), again_s=7.0)

    def preemption(self, state: Cluster) -> PreemptionPolicy:
        return LOWER_PRIORITY


class FairShare:
    """Each queue, by label, is due what its object says; who holds more gives to who holds less."""

    name = "fair-share"
    reads: Sequence[Resource] = (QUEUES,)

    def queue_of(self, pod: PodSpecView) -> str:
        return pod.labels.get("queue", "")

    def is_in_force(self, state: Cluster) -> bool:
        return bool(state.queue_objects[QUEUES])

    def admit(self, state: Cluster, units: Sequence[Unit], now_ns: int) -> Verdicts:
        over = Reclaim(self, state).over
        first = sorted(units, key=lambda unit: over(unit.pods[0]) >= 0)
        return [(unit, ADMITTED) for unit in first]

    def preemption(self, state: Cluster) -> PreemptionPolicy:
        return Reclaim(self, state)


class Reclaim:
    """Whoever's queue holds more than it is due may be displaced for one that holds less."""

    def __init__(self, shares: FairShare, state: Cluster) -> None:
        self.shares, self.state = shares, state

    def over(self, pod: PodSpecView) -> int:
        queue = self.shares.queue_of(pod)
        due = {k.name: o["spec"]["devices"] for k, o in self.state.queue_objects[QUEUES].items()}
        return self.state.usage[self.shares.name].of(queue).get(CORE, 0) - due[queue]

    def may_displace(self, preemptor: Preemptor, candidate: PodSpecView) -> bool:
        return self.over(preemptor.unit.pods[0]) < 0 < self.over(candidate)

    def may_displace_priority(self, preemptor: Preemptor, priority: int) -> bool:
        return True


def queue(priority: int, devices: int) -> dict[str, object]:
    return {"metadata": {"name": f"queue-{priority}"}, "spec": {"devices": devices}}


def world_of(*queues: dict[str, object]) -> World:
    return World(others={QUEUES: list(queues)}, policies=(AtMost(), PRIORITY))


def test_who_is_held_is_told_so_on_pods_and_pod_group_and_nobody_else_waits_for_it() -> None:
    world = world_of(queue(5, 1), queue(1, 1))
    world.add(pod_group("g", 2))
    world.add_pods(["g-0", "g-1"], gang="g", priority=5)
    world.add_pods(["small"], priority=1)
    plan = world.run()
    assert set(world.bound()) == {"small"}
    text = 'gang "default/g": queue-5 uses 0 of 1 mizzen.dev-cpu-core'
    text = text.replace("mizzen.dev-cpu-core", CORE)
    assert [world.condition(name)["message"] for name in ("g-0", "g-1")] == [text, text]
    (told,) = world.get("PodGroup", "g")["status"]["conditions"]
    assert (told["type"], told["status"], told["message"]) == ("PodGroupScheduled", "False", text)
    (held,) = {d.unschedulable for d in plan.decisions if d.unschedulable}
    assert held.word == "QueueFull"
    assert plan.recheck_after_s == 7.0
    assert world.plan().decisions == (), "what is said already is not written again"


def test_places_of_the_same_plan_count_and_those_that_were_not_found_do_not() -> None:
    world = world_of(queue(3, 2))
    world.nodes = [node(cpu="2")]
    world.add(claim("a"), claim("b"), claim("c"))
    world.add(pod("a", claims=("a",), priority=3, nodeSelector={"no": "where"}))
    world.add(pod("b", claims=("b",), priority=3), pod("c", claims=("c",), priority=3))
    world.add(claim("d"), pod("d", claims=("d",), priority=3))
    world.run()
    assert set(world.bound()) == {"b", "c"}
    assert world.condition("d")["message"].endswith(f"queue-3 uses 2 of 2 {CORE}")
    world.end("b")
    world.run()
    assert set(world.bound()) == {"c", "d"}


class OfNamespaces:
    """In force nowhere; it reads kinds that the scheduler reads for itself, too."""

    name = "of-namespaces"
    reads: Sequence[Resource] = (NAMESPACES, TOPOLOGIES)
    queue_of = None

    def is_in_force(self, state: Cluster) -> bool:
        return False

    def admit(self, state: Cluster, units: Sequence[Unit], now_ns: int) -> Verdicts:
        return [(unit, ADMITTED) for unit in units]

    def preemption(self, state: Cluster) -> PreemptionPolicy:
        return LOWER_PRIORITY


def test_a_policy_may_read_what_the_scheduler_reads_for_itself() -> None:
    feed = Feed(CelSelectors(is_patient=True), policies=(OfNamespaces(), PRIORITY))
    key = Key("", "x")
    namespace = {"metadata": {"name": "x", "labels": {"team": "a"}}}
    topology = {"metadata": {"name": "x"}, "spec": {"levels": [{"nodeLabel": "rack"}]}}
    for kind, obj in ((NAMESPACES, namespace), (TOPOLOGIES, topology)):
        feed.upsert(kind, obj)
        assert feed.cluster.queue_objects[kind] == {key: obj}
    assert feed.cluster.holdings.index.namespaces == {"x": {"team": "a"}}
    feed.upsert(PRIORITY_CLASSES, {"metadata": {"name": "x"}, "value": 7})
    for kind in (NAMESPACES, TOPOLOGIES):
        feed.delete(kind, key)
        assert not feed.cluster.queue_objects[kind]
    assert not feed.cluster.holdings.index.namespaces


def test_who_is_held_makes_nobody_leave() -> None:
    world = world_of(queue(1, 4), queue(9, 0))
    world.add_pods([f"p{n}" for n in range(4)], priority=1)
    world.run()
    assert len(world.bound()) == 4
    world.add_pods(["great"], priority=9)
    assert all(not d.victims for d in world.run().decisions)
    assert len(world.bound()) == 4


def test_a_policy_is_in_force_while_the_cluster_has_what_it_reads() -> None:
    world = world_of()
    world.add_pods(["a"], priority=5)
    world.run()
    assert set(world.bound()) == {"a"}, "everything is admitted"
    world.others = {QUEUES: [queue(5, 1)]}
    world.add_pods(["b"], priority=5)
    world.run()
    assert world.condition("b")["message"].endswith(f"queue-5 uses 1 of 1 {CORE}")
    world.others = {}
    world.run()
    assert set(world.bound()) == {"a", "b"}


class Stumbles(AtMost):
    """Cannot tell whom to admit where a pod's label is not a number; `late`: only when it gets there."""

    def __init__(self, late: bool) -> None:
        self.late = late

    def admit(self, state: Cluster, units: Sequence[Unit], now_ns: int) -> Verdicts:
        if not self.late:
            [self._weight(unit) for unit in units]
        for unit in units:
            self._weight(unit)
            yield unit, ADMITTED

    def _weight(self, unit: Unit) -> int:
        return int(unit.pods[0].labels.get("weight", "1"))


@pytest.mark.parametrize("late", [False, True])
def test_a_policy_that_raises_holds_the_unit_it_raises_on_and_no_other(late: bool) -> None:
    world = World(others={QUEUES: [queue(5, 1)]}, policies=(Stumbles(late), PRIORITY))
    world.add_pods(["first", "odd", "last"])
    world.get("Pod", "odd")["metadata"]["labels"]["weight"] = "heavy"
    plan = world.run()
    assert set(world.bound()) == {"first", "last"}
    message = world.condition("odd")["message"]
    assert 'queue policy "at-most" failed on it (ValueError: invalid literal' in message
    ((subject, error),) = plan.failures
    assert (subject, type(error)) == ('queue policy "at-most"', ValueError)
    assert world.plan().decisions == (), "what is said already is not written again"
    world.get("Pod", "odd")["metadata"]["labels"]["weight"] = "3"
    world.run()
    assert set(world.bound()) == {"first", "odd", "last"}


@pytest.mark.parametrize("method", ["is_in_force", "preemption"])
def test_a_policy_that_cannot_even_be_asked_holds_everything(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: AtMost, state: Cluster) -> None:
        raise RuntimeError("no idea")

    world = world_of(queue(5, 1))
    world.add_pods(["a", "b"], priority=5)
    monkeypatch.setattr(AtMost, method, broken)
    plan = world.run()
    assert not world.bound()
    assert "(RuntimeError: no idea: a bug" in world.condition("a")["message"]
    assert len(plan.failures) == 1


@pytest.mark.parametrize("limits", [Limits(), Limits(exact_nodes_max=0)], ids=["small", "large"])
def test_who_may_be_displaced_for_whom_is_the_policys_word(limits: Limits) -> None:
    shares = [{"metadata": {"name": name}, "spec": {"devices": 2}} for name in ("a", "b")]
    world = World(others={QUEUES: shares}, policies=(FairShare(), PRIORITY), limits=limits)
    add(world, "a", ["a0"], priority=0)
    world.run()
    add(world, "b", ["b0", "b1", "b2"], priority=5)
    world.run()
    assert set(world.bound()) == {"a0", "b0", "b1", "b2"}
    add(world, "a", ["a1"], priority=0)
    add(world, "b", ["b3"], priority=9)
    plan = world.run()
    assert [v.key.name for d in plan.decisions for v in d.victims] == ["b2"]
    assert world.condition("b3")["status"] == "False"
    world.end("b2")
    world.run()
    assert set(world.bound()) == {"a0", "a1", "b0", "b1"}, "two each"
    assert world.plan().decisions == ()


def add(world: World, queue: str, names: Sequence[str], *, priority: int) -> None:
    world.add_pods(names, priority=priority)
    for name in names:
        world.get("Pod", name)["metadata"]["labels"]["queue"] = queue
