"""Many nodes at once, from columns: for measurements and tests of large clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mizzen.base.objects import Obj
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
            cluster.pools.add_alike(names, spec)
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
    cluster.add_nodes(views)
