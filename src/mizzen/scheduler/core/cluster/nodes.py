"""Nodes by number, each with its signature; what changes is journalled for whoever counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from mizzen.scheduler.core.cluster.layouts import Layout
from mizzen.scheduler.core.cluster.signature import Signature, Static
from mizzen.scheduler.core.cluster.signatures import Signatures
from mizzen.scheduler.core.cluster.tree import HOSTNAME, WELL_KNOWN, Tree
from mizzen.scheduler.core.conventions.topology import Topology
from mizzen.scheduler.core.limits import Limits
from mizzen.scheduler.core.types import CPU, NodeView

# amounts, CPU, which are there, all as a vector, its width
_MachineType = tuple[Mapping[str, int], int, tuple[tuple[str, bool], ...], tuple[int, ...], int]
Undo = Callable[[], object] | tuple[int, Signature]


class Nodes:
    """Columns over all nodes. A number is never used again; that of a node that is gone has no signature.

    `log` undoes: entries are (node, signature before) or callables; see `mark`.
    """

    def __init__(self, signatures: Signatures, limits: Limits) -> None:
        self.signatures = signatures
        self._journal_max = limits.journal_max
        self.names: list[str] = []
        self.views: list[NodeView] = []
        self.sigs: list[Signature | None] = []
        self.index: dict[str, int] = {}
        self.by_hostname: dict[str, set[int]] = {}  # where the label is not the node's name
        self.pool_names: dict[int, tuple[str, ...]] = {}  # where they are not the node's name
        self.journal: list[int] = []
        self.journal_start = 0
        self.log: list[Undo] = []
        self._trees: dict[Topology, Tree] = {}
        self._statics: dict[object, Static] = {}
        self._keys: tuple[str, ...] = ()  # label keys that somebody's shape reads
        self._label_keys: set[str] = set()
        self._machine_type: _MachineType | None = None  # of the node told of last

    def __len__(self) -> int:
        return len(self.index)

    # -- undo -----------------------------------------------------------------------------

    def mark(self) -> int:
        return len(self.log)

    def rollback(self, mark: int) -> None:
        log = self.log
        while len(log) > mark:
            entry = log.pop()
            if callable(entry):
                entry()
            else:
                self._set(*entry)

    def shift(self, node: int, signature: Signature) -> None:
        """The node changes to another signature, until undone."""
        before = self.sigs[node]
        assert before is not None
        self.log.append((node, before))
        self._set(node, signature)

    def _set(self, node: int, signature: Signature | None) -> None:
        before = self.sigs[node]
        if before is not None:
            before.nodes -= 1
        if signature is not None:
            signature.nodes += 1
        self.sigs[node] = signature
        self.journal.append(node)

    # -- deltas ---------------------------------------------------------------------------

    def add(self, view: NodeView, layout: Layout, pool_names: tuple[str, ...] | None) -> int:
        """A node that is new, all of it free. Returns its number."""
        number = len(self.names)
        self.names.append(view.name)
        self.views.append(view)
        self.sigs.append(None)
        self.index[view.name] = number
        if pool_names is not None:
            self.pool_names[number] = pool_names
        self._label_keys.update(view.labels.keys())
        host = view.labels.get(HOSTNAME, view.name)
        if host != view.name:
            self.by_hostname.setdefault(host, set()).add(number)
        for tree in self._trees.values():
            tree.add(view.labels)
        free = self._free(view)
        self._set(number, self.signatures.of(self._static(view), layout, free))
        return number

    def remove(self, name: str) -> None:
        number = self.index.pop(name)
        self.pool_names.pop(number, None)
        for numbers in self.by_hostname.values() if self.by_hostname else ():
            numbers.discard(number)
        self._set(number, None)

    def revise(self, number: int, view: NodeView) -> None:
        """The same node with other labels (of the same domains), taints or amounts."""
        signature = self.sigs[number]
        assert signature is not None
        before, after = self._free(self.views[number]), self._free(view)
        free = _sum(signature.free, after, before)
        self.views[number] = view
        self._label_keys.update(view.labels)
        self._set(
            number,
            self.signatures.of(
                self._static(view),
                signature.layout,
                free,
                signature.held,
                signature.over,
                signature.shares,
            ),
        )

    def moves(self, number: int, view: NodeView) -> bool:
        """True if the new labels put the node into other domains."""
        old = self.views[number]
        if old.labels.get(HOSTNAME) != view.labels.get(HOSTNAME):
            return True
        return any(t.path_of(old.labels) != t.path_of(view.labels) for t in self._trees.values())

    def named(self, names: Iterable[str]) -> list[int]:
        """Nodes with one of these names or host names, in order."""
        found: set[int] = set()
        for name in names:
            if name in self.index:
                found.add(self.index[name])
            found |= self.by_hostname.get(name, set())
        return sorted(found)

    def put(self, number: int, signature: Signature) -> None:
        """Like `shift`, for good."""
        self._set(number, signature)

    def reference(self, keys: Iterable[str]) -> None:
        """Values of these labels tell nodes apart from now on."""
        added = set(keys) - set(self._keys)
        if not added:
            return
        self._keys = tuple(sorted({*self._keys, *added}))
        self._statics.clear()
        for number, signature in enumerate(self.sigs):
            if signature is not None:
                self._set(number, self._told_apart(number, signature))
        # A plan may be under way: what it undoes is told apart as well.
        for at, entry in enumerate(self.log):
            if not callable(entry):
                self.log[at] = (entry[0], self._told_apart(*entry))

    def _told_apart(self, number: int, signature: Signature) -> Signature:
        """The signature with the node's static part as it is now."""
        return self.signatures.of(
            self._static(self.views[number]),
            signature.layout,
            signature.free,
            signature.held,
            signature.over,
            signature.shares,
        )

    # -- questions ----------------------------------------------------------------------------

    def tree(self, topology: Topology) -> Tree:
        found = self._trees.get(topology)
        if found is None:
            found = self._trees[topology] = Tree(topology)
            for view in self.views:
                found.add(view.labels)
        return found

    def default_topology(self) -> Topology:
        """Levels that clouds and vendors label nodes with, as far as any node has them."""
        return Topology(tuple(k for k in WELL_KNOWN if k in self._label_keys), "default")

    def default_tree(self) -> Tree:
        return self.tree(self.default_topology())

    def topology_for(self, keys: Iterable[str]) -> Topology:
        """A tree that has these levels: the default one, or one made up."""
        wanted = [key for key in keys if key != HOSTNAME]
        default = self.default_topology()
        return default if default.knows(*wanted) else Topology(tuple(wanted), "asked for")

    def label_key_count(self) -> int:
        """The number of different label keys nodes have had; it only grows."""
        return len(self._label_keys)

    def some_labels(self) -> Iterable[Mapping[str, str]]:
        """Labels with every key that any node has had."""
        return [dict.fromkeys(self._label_keys, "")]

    def live(self) -> Iterable[int]:
        return self.index.values()

    def groups(self) -> list[Signature]:
        """The signatures that nodes have."""
        return [s for s in self.signatures.table.values() if s.nodes]

    def position(self) -> int:
        """The journal's position; see `changed_since`."""
        if len(self.journal) > self._journal_max:
            half = len(self.journal) // 2  # who is not far behind stays so
            self.journal_start += half
            del self.journal[:half]
        return self.journal_start + len(self.journal)

    def changed_since(self, position: int) -> list[int] | None:
        """Numbers of nodes that changed, some of them twice; None when that is forgotten."""
        if position < self.journal_start:
            return None
        return self.journal[position - self.journal_start :]

    # -- parts -----------------------------------------------------------------------------------

    def _static(self, view: NodeView) -> Static:
        labels = view.labels
        key = (
            view.is_unschedulable,
            view.is_ready,
            view.taints,
            view.images,
            tuple([labels.get(k) for k in self._keys]),
            self._machine_type_of(view)[2],
        )
        found = self._statics.get(key)
        if found is None:
            found = self._statics[key] = Static(view)
        return found

    def _free(self, view: NodeView) -> tuple[int, ...]:
        return self._machine_type_of(view)[3]

    def _machine_type_of(self, view: NodeView) -> _MachineType:
        """The node's machine type; nodes that come one after the other mostly share it."""
        machine_type, amounts, cpu = self._machine_type, view.allocatable, view.capacity_cpu_milli
        if (
            machine_type is None
            or machine_type[0] is not amounts
            or machine_type[1] != cpu
            or machine_type[4] != self._width()
        ):
            names = tuple([(name, amount > 0) for name, amount in amounts.items()])
            vector = self.vector({**amounts, CPU: cpu})
            machine_type = self._machine_type = (amounts, cpu, names, vector, self._width())
        return machine_type

    def _width(self) -> int:
        return len(self.signatures.resources)

    def vector_of(self, number: int) -> tuple[int, ...]:
        """All that the node has, nothing of it taken."""
        return self._free(self.views[number])

    def vector(self, amounts: Mapping[str, int]) -> tuple[int, ...]:
        index_of = self.signatures.index_of
        placed = {index_of(name): amount for name, amount in amounts.items()}
        return tuple([placed.get(i, 0) for i in range(len(self.signatures.resources))])


def _sum(free: tuple[int, ...], plus: tuple[int, ...], minus: tuple[int, ...]) -> tuple[int, ...]:
    size = max(len(free), len(plus), len(minus))

    def at(vector: tuple[int, ...], index: int) -> int:
        return vector[index] if index < len(vector) else 0

    return tuple([at(free, i) + at(plus, i) - at(minus, i) for i in range(size)])
