"""Many nodes at once, from columns: for measurements and tests of large clusters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mizzen.base.objects import Obj
from mizzen.scheduler.core.cluster.pools import Pools, SliceRecord
from mizzen.scheduler.core.cluster.state import Cluster
from mizzen.scheduler.core.dra.model import Taint
from mizzen.scheduler.core.types import CPU, NodeView


@dataclass(frozen=True, slots=True)
class NodeColumns:
    """Nodes by position. Labels are columns by key ("" for none); a machine type is shared by many.

    `machine_type[i]` is an index into `machine_types`: what the node can give (`allocatable`, CPU in milli) and
    its slices' specs, as in `resource.k8s.io/v1` (node and pool names are filled in).
    """

    names: Sequence[str]
    labels: Mapping[str, Sequence[str]]
    machine_type: Sequence[int]
    machine_types: Sequence[MachineType]
    taints: Mapping[int, tuple[Taint, ...]] = field(default_factory=dict[int, tuple[Taint, ...]])


@dataclass(frozen=True, slots=True)
class MachineType:
    allocatable: Mapping[str, int]
    slices: Sequence[Obj] = ()


class RowLabels(Mapping[str, str]):
    """One node's labels in the columns."""

    __slots__ = ("_columns", "_row")

    def __init__(self, columns: Mapping[str, Sequence[str]], row: int) -> None:
        self._columns = columns
        self._row = row

    def __getitem__(self, key: str) -> str:
        value = self._columns[key][self._row]
        if value:
            return value
        raise KeyError(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Asked of every node for every level: no exception where there is no such column."""
        column = self._columns.get(key)
        return default if column is None else column[self._row] or default

    def __iter__(self) -> Iterator[str]:
        row = self._row
        return iter([key for key, column in self._columns.items() if column[row]])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def load(cluster: Cluster, columns: NodeColumns) -> None:
    """Adds all these nodes with their devices. The names must be new to the cluster."""
    by_type: dict[int, list[str]] = {}
    for name, machine_type in zip(columns.names, columns.machine_type, strict=True):
        by_type.setdefault(machine_type, []).append(name)
    for machine_type, names in by_type.items():
        for spec in columns.machine_types[machine_type].slices:
            _add_alike(cluster.pools, names, spec)
    views = (
        NodeView(
            name,
            RowLabels(columns.labels, row),
            columns.taints.get(row, ()),
            columns.machine_types[machine_type].allocatable,
            columns.machine_types[machine_type].allocatable.get(CPU, 0),
        )
        for row, (name, machine_type) in enumerate(
            zip(columns.names, columns.machine_type, strict=True)
        )
    )
    add_nodes(cluster, views)


def add_nodes(cluster: Cluster, views: Iterable[NodeView]) -> None:
    """Nodes that are all new, settled once; the first decision finds the default tree made."""
    for view in views:
        cluster.nodes.add(view, *cluster.pools.layout_of(view.name))
        cluster._occupy(view.name)  # pyright: ignore[reportPrivateUsage]
    cluster.nodes.default_tree()
    cluster._settled()  # pyright: ignore[reportPrivateUsage]


def _add_alike(pools: Pools, nodes: Iterable[str], spec: Obj) -> None:
    """One complete pool, of the node's name, for each of many nodes that are new, read once.

    `spec` is that of a ResourceSlice; its `nodeName` and pool are taken as each node's own.
    """
    pool = {"name": "node", "generation": 1, "resourceSliceCount": 1}
    first = {"metadata": {"name": "node"}, "spec": {**spec, "nodeName": "node", "pool": pool}}
    record = pools._record(first, first)  # pyright: ignore[reportPrivateUsage]
    driver = record.pool[0]
    known, node_of, of_node = pools._pools, pools._node_of, pools._of_node  # pyright: ignore[reportPrivateUsage]
    for node in nodes:
        key = (driver, node)
        known[key] = (SliceRecord(node, key, node, 0, 1, record.part, first),)
        node_of[key] = node
        of_node[node] = (*of_node.get(node, ()), key)
