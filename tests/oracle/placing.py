"""How many pods nodes and domains take, by asking every node for one pod after another.

Against `core/placing`: counts by signature, domains by totals. Nothing is remembered here.
"""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.scheduler.core.placing import exact
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.types import Placement, PodSpecView


def fits_on(what_if: WhatIf, pod: PodSpecView, node: int) -> bool:
    return isinstance(exact.fit(what_if, pod, what_if.shape_of(pod), node), Placement)


def count_on(what_if: WhatIf, pods: Iterable[PodSpecView], node: int) -> int:
    """How many of these pods, all alike, fit the node one after another."""
    mark = what_if.mark()
    count = 0
    for pod in pods:
        found = exact.fit(what_if, pod, what_if.shape_of(pod), node)
        if not isinstance(found, Placement):
            break
        what_if.assume(found)
        count += 1
    what_if.rollback(mark)
    return count


def totals(what_if: WhatIf, pods: list[PodSpecView], label: str) -> dict[str, int]:
    """How many of these pods each domain of one label takes, nodes without the label left out."""
    nodes = what_if.cluster.nodes
    found: dict[str, int] = {}
    for node in nodes.live():
        value = nodes.views[node].labels.get(label)
        if value is not None:
            found[value] = found.get(value, 0) + count_on(what_if, pods, node)
    return found
