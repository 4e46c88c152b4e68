"""The answer: which domain to free, and by whom leaving."""

from __future__ import annotations

from mizzen.scheduler.core.limits import DEFAULT, Limits
from mizzen.scheduler.core.preemption.solver.capacity import Measure
from mizzen.scheduler.core.preemption.solver.domain import Domain, Weights
from mizzen.scheduler.core.preemption.solver.problem import Answer, Fits, Problem
from mizzen.scheduler.core.preemption.solver.search import Search


def choose(problem: Problem, fits: Fits | None = None, limits: Limits = DEFAULT) -> Answer | None:
    """The cheapest permitted set that frees one domain; None when none can be freed.

    Domains are tried in the order of their lower bounds, until the next bound is no better than
    the best answer. A domain that can be freed is always found: whether all candidates together
    are enough is asked of every domain that is not bounded away. Source: oracle
    tests/oracle/preemption_milp.py.
    """
    measure = Measure(problem.demand)
    weights = Weights(problem)
    searches = [
        Search(Domain(problem, index, weights, measure, fits), limits)
        for index in range(len(problem.domains))
    ]
    searches = [search for search in searches if search.can_fit]
    searches.sort(key=lambda search: (search.bound, search.domain.index))
    best: Answer | None = None
    cutoff: int | None = None
    is_proven = True
    nodes = sum(len(domain) for domain in problem.domains)
    is_small = nodes <= limits.solver_nodes_max
    left = limits.solver_effort_max if is_small else limits.solver_effort_large_max
    for search in searches:
        if cutoff is not None and search.bound >= cutoff:
            break
        found = search.solve(cutoff, left)
        left = max(0, left - search.effort)
        is_proven = is_proven and search.is_proven
        if found is not None:
            cutoff = found.weight
            best = Answer(search.domain.index, search.domain.levels(found.stages), True)
    if best is None:
        return None
    return Answer(best.domain, best.levels, is_proven)
