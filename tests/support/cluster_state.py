"""What a scheduler knows of a cluster, by name: two that know the same are equal."""

from __future__ import annotations

from mizzen.scheduler.core.cluster.state import Cluster


def state(cluster: Cluster) -> object:
    """All that decides what is decided, by name."""
    index, sigs = cluster.nodes.index, cluster.nodes.sigs
    resources = list(cluster.signatures.resources)
    nodes: dict[str, object] = {}
    for name, number in index.items():
        signature = sigs[number]
        assert signature is not None
        free = {resources[i]: amount for i, amount in enumerate(signature.free) if amount}
        held = cluster.holdings.held_on(number)
        devices = sorted(device.id.device for device in signature.layout.devices)
        nodes[name] = (free, dict(held.devices), dict(held.shares), devices)
    return (
        nodes,
        {k: (s.allocation, s.users) for k, s in cluster.claims.items()},
        {k: +v.devices for k, v in cluster.holdings.elsewhere.items() if +v.devices},
        set(cluster.pods),
        set(cluster.waiting),
        set(cluster.leaving),
        set(cluster.idle_claims()),
        {
            p: {n: c[i] for n, i in index.items() if i < len(c) and c[i]}
            for p, c in cluster.chips.items()
            if any(c)
        },
    )
