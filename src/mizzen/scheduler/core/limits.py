"""Bounds on what a plan searches, and on what is remembered from one plan to the next, as a value.

A cluster is made with its limits and all that works on it reads them there (`cluster.limits`), so
that a test, or a cluster of another size, has its own and nobody patches a module. What cannot vary
(figures of the API, of arithmetic, of a sentence's length) is a constant where it is used.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Larger limits cost time or memory, smaller ones answers; none changes what fits a node."""

    # Victims
    exact_nodes_max: int = 64  # beyond, sets of victims are searched where they cost least only
    candidates_alone_max: int = 64  # and nodes: tried each, for pods that mind their neighbours
    candidates_together_max: int = 64  # all reprieved one by one where nobody can count
    freed_nodes_max: int = 256  # searched once there is an answer; bounds rarely leave so many open
    freed_domains_max: int = 16  # of a gang's level, likewise
    place_slacks: tuple[int, ...] = (2, 8, 64)  # places looked at in a wide domain, for one wanted
    device_slacks: tuple[float, ...] = (1.25, 4.0, 64.0)  # devices gathered there, likewise
    leaves_gathered_max: int = (
        640  # of a wide domain at the first slack: 10,240 nodes in racks of 16
    )
    ranked_domains: int = 4  # spelled out together at first, then twice as many
    ranked_domains_max: int = 32  # in all, once there is an answer

    # Sets of victims, searched by the solver
    solver_nodes_max: int = 64  # up to these the optimum is worth more than milliseconds
    solver_effort_max: int = 20_000  # node offers worked out beyond the greedy; 15 us each
    solver_effort_large_max: int = 1_000  # the same beyond `solver_nodes_max`
    solver_proven_max: int = 12  # candidates up to which the search always runs to its proof
    solver_sets_max: int = 256  # tried one by one where only placing knows what fits
    solver_shifts_max: int = 16  # rounds of better shares at the root
    solver_shared_nodes_max: int = 128  # larger domains get no shares beyond those by chips
    solver_points_max: int = 64  # of a node; beyond, neighbours are merged: the bound is lower

    # Gangs and pods with neighbours
    preferred_domains_max: int = 8  # tried at a level that is only preferred
    gatherings_max: int = 32  # domains tried for a gang whose members must be near each other
    near_nodes_max: int = 8  # of a gang's latest members, tried first for one more of them

    # Members of several sizes, packed exactly
    packing_members_max: int = 32
    packing_nodes_max: int = 64
    packing_steps_max: int = 2_000  # members put somewhere in one search
    packing_steps_of_unit_max: int = 20_000  # in all, its victims and its explanation included

    # What would help somebody who waits
    explained_units_max: int = 16  # of a plan
    leave_domains_max: int = 8  # looked into beyond `trial_nodes_max`; up to it, all
    leave_nodes_max: int = 64  # likewise, of a place without a level
    leave_sets_max: int = 64  # of candidates, tried in one domain; the rest is decided greedily
    leave_gang_pods_max: int = 512  # of a gang that is thought of as leaving
    explained_units_large_max: int = 2  # the same beyond `exact_nodes_max`
    trial_nodes_max: int = 256  # beyond: fewer trials, and none that ask every node
    trials_max: int = 256  # of changes for one unit
    trials_large_max: int = 12
    constraints_max: int = 24  # that are thought of as going
    constraint_pairs_max: int = 64
    counts_tried_max: int = 16  # beyond, what fits is taken to go on fitting when it is less
    amounts_tried_max: int = 16  # different free amounts of a resource
    domains_compared_max: int = 64  # of equal room, by their free devices

    # Memory
    pods_counted_max: int = 4096  # of one shape on one node
    shapes_counted_max: int = 48  # whose counts are kept current, at about 10 bytes for each node
    shapes_max: int = 100_000  # remembered; beyond, all are forgotten at once
    amounts_max: int = 100_000  # likewise, of shapes
    answers_max: int = 200_000  # likewise, of one device layout
    journal_max: int = 1 << 20  # entries; who fell further behind counts anew
    idle_selections_max: int = 64  # of pods that nobody waiting asks about, kept for the next
    spare_signatures_max: int = 4096  # beyond four for each node, those that no node has go

    def explained_units(self, nodes: int) -> int:
        """Units of one plan that the smallest change is looked for, in a cluster of so many nodes."""
        is_exact = nodes <= self.exact_nodes_max
        return self.explained_units_max if is_exact else self.explained_units_large_max


DEFAULT = Limits()
