"""What queues hold, kept by changes, equals what counting everything anew says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from mizzen.base.objects import Key
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.queue.priority import Priority
from mizzen.scheduler.core.types import PodSpecView
from support.scheduler_world import CORE, World, claim, exactly, halves, node, pod


class Counting(Priority):
    """Everything is admitted; queues are counted by priority, and priority 0 is in none."""

    name = "counting"

    def queue_of(self, pod: PodSpecView) -> str:  # type: ignore[override]
        return f"q{pod.priority}" if pod.priority else ""


def counted(cluster: Cluster) -> Mapping[str, Mapping[str, int]]:
    usage = cluster.usage["counting"]
    return {name: dict(usage.of(name)) for name in usage.queues()}


def anew(cluster: Cluster) -> Mapping[str, Mapping[str, int]]:
    found: dict[str, Counter[str]] = {}
    seen: set[tuple[str, Key]] = set()
    for one in cluster.pods.values():
        queue = Counting().queue_of(one)
        if not (one.holds and queue and one.node in cluster.nodes.index):
            continue
        found.setdefault(queue, Counter()).update(dict(one.shape.requests))
        for state in cluster.states_of(one):
            if state.allocation is None or (queue, state.claim.key) in seen:
                continue
            seen.add((queue, state.claim.key))
            found[queue][CORE] += len(state.allocation.results)
    return {name: dict(counts) for name, counts in found.items()}


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(
                ["add", "share", "plain", "end", "end", "run", "run", "node", "unnode"]
            ),
            st.integers(0, 2),
            st.integers(1, 2),
        ),
        min_size=6,
        max_size=16,
    )
)
def test_usage_equals_counting_anew(steps: list[tuple[str, int, int]]) -> None:
    world = World(
        nodes=[node("n1", cpu="8")], slices=[halves("n1"), halves("n2")], policies=(Counting(),)
    )
    for number, (step, priority, count) in enumerate(steps):
        name = f"p{number}"
        if step == "add":
            world.add(claim(name, exactly(count=count)))
            world.add(pod(name, claims=(name,), priority=priority, cpu="500m"))
        elif step == "share":
            world.add(claim(name, exactly(count=count)))
            world.add(pod(f"{name}-a", claims=(name,), priority=1))
            world.add(pod(f"{name}-b", claims=(name,), priority=1 + priority % 2))
        elif step == "plain":
            world.add(pod(name, priority=priority, cpu=f"{count}"))
        elif step == "end":
            pods = sorted(n for kind, n in world.objects if kind == "Pod")
            if pods:
                world.end(pods[priority % len(pods)], with_claim=False)
        elif step == "node":
            world.nodes = [node("n1", cpu="8"), node("n2", cpu="8")]
        elif step == "unnode":
            world.nodes = [node("n1", cpu="8")]
        else:
            world.run()
        cluster = world.known().cluster
        before = counted(cluster)
        assert before == anew(cluster)
        world.plan()
        assert counted(cluster) == before, "a plan leaves nothing behind"
