"""The trees that clouds and vendors label nodes with, and which tree a request means.

Each family of labels is a tree of its own, from the region down to the host. NVLink domains that
span hosts (`nvidia.com/gpu.clique`) lie between rack and host. Levels inside a host (NVLink, PCIe
root, NUMA node) are attributes of devices: a claim asks for them with `matchAttribute`.
Sources: Kubernetes well-known labels; GKE "gce-topology-*"; EKS "network-node-layer-*" (1 is the
top; 4 on some machines only); OKE "rdma.*"; NVIDIA Topograph, its older keys and those of 1.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from mizzen.base.names import HOSTNAME_LABEL
from mizzen.scheduler.core.conventions.gang import Gang, Refused
from mizzen.scheduler.core.conventions.topology import Topology

_OUTER = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")
_INNER = ("nvidia.com/gpu.clique", HOSTNAME_LABEL)


def _family(name: str, *levels: str) -> Topology:
    return Topology((*_OUTER, *levels, *_INNER), name)


_NETWORK = "network.topology.nvidia.com"
_FABRIC = "fabric.topograph.run"
_ACCELERATOR = "accelerator.topograph.run"
_AWS = "topology.k8s.aws"
_GCE = "cloud.google.com/gce-topology"
_OCI = "oci.oraclecloud.com/rdma"

DEFAULT_TREES: tuple[Topology, ...] = (
    _family("mizzen", "topology.mizzen.dev/block", "topology.mizzen.dev/rack"),
    _family("kubernetes", "topology.kubernetes.io/block", "topology.kubernetes.io/rack"),
    _family(
        "topograph",
        *(f"{_FABRIC}/tier-{tier}" for tier in (3, 2, 1, 0)),
        f"{_ACCELERATOR}/domain",
        f"{_ACCELERATOR}/sub-domain",
    ),
    _family(
        "nvidia", *(f"{_NETWORK}/{level}" for level in ("core", "spine", "leaf", "accelerator"))
    ),
    _family(
        "nvidia-older",
        *(f"{_NETWORK}/{n}" for n in ("datacenter", "spine", "block", "accelerator")),
    ),
    _family(
        "aws", *(f"{_AWS}/network-node-layer-{n}" for n in (1, 2, 3, 4)), f"{_AWS}/ultraserver-id"
    ),
    _family("gcp", f"{_GCE}-block", f"{_GCE}-subblock", f"{_GCE}-host"),
    _family("oci", f"{_OCI}.hpc_island_id", f"{_OCI}.network_block_id", f"{_OCI}.local_block_id"),
    _family("kueue", "cloud.provider.com/topology-block", "cloud.provider.com/topology-rack"),
)


def tree_of(
    gang: Gang, trees: Iterable[Topology], carried: Set[str] | None = None
) -> Topology | Refused | None:
    """The tree that knows every level the gang asks for; None where it asks for none.

    `trees` are the cluster's own (Topology objects, HyperNodes); the defaults follow. `carried`
    are the label keys that nodes carry: a level on no node is refused, unless only preferred, and
    a single level that no tree knows is a tree of its own where some node carries it.
    """
    keys = asked_keys(gang)
    if not keys:
        return None
    if carried is not None:
        lacking = [key for key in demanded_keys(gang) if key not in carried]
        if lacking:
            return Refused(
                "UnknownTopologyKey",
                f'no node carries the label "{lacking[0]}"; label the nodes, or ask for a level'
                " that they have",
            )
    for tree in (*trees, *DEFAULT_TREES):
        if tree.knows(*keys):
            return tree
    if len(keys) == 1:
        return Topology((*keys, HOSTNAME_LABEL), "label")
    return Refused(
        "UnknownTopology",
        f"no topology has all of the levels {', '.join(keys)}; make a Topology"
        " (kueue.x-k8s.io) that lists them, outermost first",
    )


def asked_keys(gang: Gang) -> tuple[str, ...]:
    """Every level that the gang or one of its subgroups names, once each."""
    requests = (gang.topology, *(part.topology for part in gang.subgroups))
    return tuple(dict.fromkeys(key for r in requests if r is not None for key in r.keys))


def demanded_keys(gang: Gang) -> tuple[str, ...]:
    """Those levels without which there is no placement: all but the preferred ones."""
    requests = (gang.topology, *(part.topology for part in gang.subgroups))
    return tuple(dict.fromkeys(key for r in requests if r is not None for key in r.demanded))
