"""Trees and contradictions."""

from __future__ import annotations

from mizzen.base.objects import Key
from mizzen.scheduler.core.conventions.contradictions import contradiction
from mizzen.scheduler.core.conventions.gang import Gang, Refused, Subgroup
from mizzen.scheduler.core.conventions.levels import DEFAULT_TREES, tree_of
from mizzen.scheduler.core.conventions.topology import Slice, Topology, TopologyRequest

TREE = Topology(("zone", "block", "rack", "kubernetes.io/hostname"))


def gang(topology: TopologyRequest | None = None, *subgroups: Subgroup, **more: int) -> Gang:
    counts = {"min_count": 2, **more}
    return Gang(Key("ml", "g"), topology=topology, subgroups=subgroups, **counts)


def word(wanted: Gang) -> str:
    found = contradiction(wanted, TREE)
    return "" if found is None else found.word


def test_counts() -> None:
    assert word(gang(count=2)) == ""
    assert word(gang(count=1)) == "MinCountAboveTotal"
    assert word(gang(max_count=1)) == "MaxCountBelowMinCount"
    assert word(gang(None, Subgroup("a", 3, 2))) == "MinCountAboveTotal"
    assert word(gang(None, Subgroup("a", 3), Subgroup("b", 2), max_count=4)) == (
        "MaxCountBelowMinCount"
    )


def test_slices_lie_inside_what_is_required() -> None:
    assert word(gang(TopologyRequest("block", "", 4, "rack"))) == ""
    assert word(gang(TopologyRequest("rack", "", 4, "rack"))) == ""
    assert word(gang(TopologyRequest("rack", "", 4, "block"))) == "TopologyConflict"
    layered = TopologyRequest("", "", 4, "rack", inner=(Slice(2, "block"),))
    assert word(gang(layered)) == "TopologyConflict"


def test_slices_can_be_cut() -> None:
    uneven = TopologyRequest("zone", "", 4, "block", inner=(Slice(3, "rack"),))
    assert word(gang(uneven)) == "InvalidTopologyRequest"
    assert word(gang(TopologyRequest("zone", "", 4, "rack"), count=3)) == "InvalidTopologyRequest"


def test_subgroups_lie_inside_the_gang() -> None:
    inside = Subgroup("a", topology=TopologyRequest("rack"))
    outside = Subgroup("a", topology=TopologyRequest("zone"))
    assert word(gang(TopologyRequest("block"), inside)) == ""
    assert word(gang(TopologyRequest("block"), outside)) == "TopologyConflict"
    assert word(gang(None, outside)) == ""


def test_exclusive_needs_the_domain_that_holds_the_members() -> None:
    assert word(gang(TopologyRequest("rack", exclusive="rack"))) == ""
    assert word(gang(TopologyRequest("zone", "", 2, "rack", "rack"))) == ""
    assert word(gang(TopologyRequest("rack", exclusive="block"))) == "ExclusiveWithoutDomain"
    assert word(gang(TopologyRequest(exclusive="block"))) == "ExclusiveWithoutDomain"


def test_what_was_refused_when_read_stays_refused() -> None:
    refused = Refused("TwoGangs", "x")
    assert contradiction(Gang(Key("ml", "g"), 1, refused=refused), None) == refused


def test_a_gang_without_topology_needs_no_tree() -> None:
    assert tree_of(gang(), [TREE]) is None


def test_the_clusters_own_trees_go_first() -> None:
    own = Topology(("topology.kubernetes.io/zone", "topology.mizzen.dev/rack"), "own")
    wanted = gang(TopologyRequest("topology.kubernetes.io/zone", "", 2, "topology.mizzen.dev/rack"))
    assert tree_of(wanted, [TREE, own]) == own
    found = tree_of(wanted, [TREE])
    assert isinstance(found, Topology) and found.name == "mizzen"


def test_one_unknown_level_is_a_tree_where_nodes_carry_it() -> None:
    wanted = gang(TopologyRequest("example.com/row"))
    found = tree_of(wanted, [], {"example.com/row"})
    assert isinstance(found, Topology) and found.levels[0] == "example.com/row"
    missing = tree_of(wanted, [], {"zone"})
    assert isinstance(missing, Refused) and missing.word == "UnknownTopologyKey"
    assert '"example.com/row"' in missing.sentence


def test_a_preferred_level_on_no_node_stops_nobody() -> None:
    found = tree_of(gang(TopologyRequest("rack", "block")), [TREE], {"rack"})
    assert found == TREE


def test_levels_of_different_trees_need_a_topology() -> None:
    found = tree_of(gang(TopologyRequest("example.com/row", "", 2, "example.com/col")), [TREE])
    assert isinstance(found, Refused) and found.word == "UnknownTopology"


def test_default_trees_run_from_region_to_host() -> None:
    for tree in DEFAULT_TREES:
        assert tree.levels[0] == "topology.kubernetes.io/region"
        assert tree.levels[-2:] == ("nvidia.com/gpu.clique", "kubernetes.io/hostname")
        assert len(set(tree.levels)) == len(tree.levels)
    assert len({tree.name for tree in DEFAULT_TREES}) == len(DEFAULT_TREES)
