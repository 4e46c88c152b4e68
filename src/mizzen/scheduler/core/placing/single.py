"""A place for one pod whose shape can be counted: the tightest one, near its gang if it has one."""

from __future__ import annotations

from mizzen.scheduler.core.cluster.signature import Shape
from mizzen.scheduler.core.cluster.tree import ROOT
from mizzen.scheduler.core.misfit import Misfit
from mizzen.scheduler.core.placing.counts import Counts
from mizzen.scheduler.core.placing.what_if import WhatIf
from mizzen.scheduler.core.types import Placement, PodSpecView


def place_counted(what_if: WhatIf, pod: PodSpecView, shape: Shape, near: int) -> Placement | None:
    """Puts the pod on the tightest node of the tightest innermost domain; None when none fits.

    With `near`, a node, first in the domains around it, from the innermost out.
    """
    nodes = what_if.cluster.nodes
    counts = what_if.counts(shape, nodes.default_tree())
    if not counts.totals[ROOT]:
        return None
    node = counts.fill(_domain(counts, near), 1)[0][0]
    signature = nodes.sigs[node]
    assert signature is not None
    gang_cores = what_if.cluster.holdings.gang_cores(pod.gang, node)
    found = what_if.cluster.signatures.outcome(shape, signature, gang_cores)
    if isinstance(found, Misfit):  # never: crowding changes the order, not what fits one pod
        found = what_if.cluster.signatures.outcome(shape, signature)
    assert not isinstance(found, Misfit), "a node that counts room for a pod takes it"
    return what_if.assume_outcome(pod, node, found)


def _domain(counts: Counts, near: int) -> int:
    tree = counts.tree
    if near >= 0:
        domain = tree.leaf_of[near]
        while domain != ROOT:
            if counts.totals[domain]:
                return domain
            domain = tree.parents[domain]
    innermost = len(tree.levels) - 1
    found = counts.best_domain(innermost, 1) if innermost >= 0 else ROOT
    return ROOT if found < 0 else found
