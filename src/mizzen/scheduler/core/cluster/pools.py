"""ResourceSlices as they stand: pools, which nodes they belong to, and those nodes' layouts."""

from __future__ import annotations

import json
import zlib
from typing import NamedTuple

from mizzen.base.objects import Obj
from mizzen.scheduler.core.cluster.layouts import Layout, Part, PoolPart
from mizzen.scheduler.core.dra.model import Slice
from mizzen.scheduler.core.dra.slices import Shapes, read_slice
from mizzen.scheduler.core.limits import Limits

ALWAYS_READ = frozenset({"core"})  # the scheduler itself spreads over cores
PoolKey = tuple[str, str]  # driver, pool


class SliceRecord(NamedTuple):
    """One slice. `node` "" when its devices are not those of one node; `source` to read it again."""

    name: str
    pool: PoolKey
    node: str
    generation: int
    wanted: int
    part: Part | None
    source: Obj | bytes


class Pools:
    """Slices in, layouts out. Devices that differ in nothing anybody reads are one object."""

    def __init__(self, limits: Limits) -> None:
        self._answers_max = limits.answers_max
        self.shared: tuple[Slice, ...] = ()  # of pools that are not local to one node
        self._shapes = Shapes()
        self._slices: dict[str, SliceRecord] = {}
        self._pools: dict[PoolKey, tuple[SliceRecord, ...]] = {}
        self._node_of: dict[PoolKey, str] = {}  # "" for shared ones
        self._of_node: dict[str, tuple[PoolKey, ...]] = {}
        self._parts: dict[object, Part] = {}
        self._layouts: dict[tuple[PoolPart, ...], Layout] = {}
        self._of_one: dict[tuple[str, Part | None], Layout] = {}  # of one pool of one slice
        self._reads: frozenset[str] | None = ALWAYS_READ
        self.empty = self._layout((), (), "")

    # -- deltas -----------------------------------------------------------------------------

    def upsert(self, item: Obj, source: Obj | bytes | None = None) -> set[str]:
        """Takes a slice; the names of nodes whose layout may have changed, "" for shared pools.

        Errors: whatever reading a malformed slice raises, before anything changed.
        """
        record = self._record(item, source if source is not None else item)
        touched = self._drop(record.name, record.pool)
        self._slices[record.name] = record
        listed = (*self._pools.get(record.pool, ()), record)
        self._pools[record.pool] = tuple(sorted(listed, key=lambda r: r.name))
        return touched | self._settle(record.pool)

    def delete(self, name: str) -> set[str]:
        """Forgets a slice; the nodes concerned, as `upsert`."""
        return self._drop(name, None)

    def reference(self, names: frozenset[str] | None) -> set[str]:
        """Attributes of these names (None: all) tell devices apart from now on; the nodes concerned."""
        if self._reads is None or (names is not None and names <= self._reads):
            return set()
        self._reads = None if names is None else self._reads | names
        self._parts.clear()
        touched: set[str] = set()
        for record in list(self._slices.values()):
            source = record.source
            item = json.loads(zlib.decompress(source)) if isinstance(source, bytes) else source
            touched |= self.upsert(item, source)
        self._layouts = {self.empty.pools: self.empty}
        self._of_one.clear()
        return touched

    # -- questions ----------------------------------------------------------------------------

    def layout_of(self, node: str) -> tuple[Layout, tuple[str, ...] | None]:
        """The node's layout, and the names of its pools unless all bear the node's name."""
        keys = self._of_node.get(node)
        if not keys:
            return self.empty, None
        if len(keys) == 1:
            (key,) = keys
            records = self._pools[key]
            found = self._of_one.get((key[0], records[0].part)) if _is_whole(records) else None
            if found is not None:
                return found, None if key[1] == node else (key[1],)
        pools = tuple([self._pool_part(key) for key in keys])
        names = tuple([key[1] for key in keys])
        layout = self._layout(pools, names, node)
        if len(keys) == 1 and _is_whole(self._pools[keys[0]]):
            self._of_one[keys[0][0], pools[0].parts[0]] = layout
        return layout, None if all(name == node for name in names) else names

    # -- parts -----------------------------------------------------------------------------------

    def _record(self, item: Obj, source: Obj | bytes) -> SliceRecord:
        spec: Obj = item["spec"]
        pool: Obj = spec["pool"]
        driver, pool_name = spec["driver"], pool["name"]
        name = item["metadata"]["name"]
        node = "" if spec.get("perDeviceNodeSelection") else spec.get("nodeName") or ""
        part = None
        if node:
            key = (driver, bool(spec.get("sharedCounters")), self._keys(spec))
            if spec.get("sharedCounters"):
                key = (*key, repr(spec["sharedCounters"]))
            part = self._parts.get(key)
            if part is None:
                part = self._parts[key] = Part(read_slice(item, self._shapes))
        else:
            read_slice(item, self._shapes)  # it must be readable
        return SliceRecord(
            name,
            (driver, pool_name),
            node,
            int(pool.get("generation") or 0),
            int(pool.get("resourceSliceCount") or 1),
            part,
            source,
        )

    def _keys(self, spec: Obj) -> tuple[object, ...]:
        reads = self._reads
        return tuple([_device_key(entry, reads) for entry in spec.get("devices") or ()])

    def _drop(self, name: str, keep: PoolKey | None) -> set[str]:
        old = self._slices.pop(name, None)
        if old is None:
            return set()
        left = tuple(r for r in self._pools[old.pool] if r.name != name)
        if left:
            self._pools[old.pool] = left
        else:
            del self._pools[old.pool]
        touched = {self._node_of.get(old.pool, "")}
        return touched if old.pool == keep else touched | self._settle(old.pool)

    def _settle(self, key: PoolKey) -> set[str]:
        """Files a pool under its node, or among the shared ones."""
        before = self._node_of.pop(key, None)
        records = self._pools.get(key)
        nodes = {r.node for r in _newest(records)} if records else set[str]()
        node = nodes.pop() if len(nodes) == 1 else ""
        if before:
            self._of_node[before] = tuple(k for k in self._of_node[before] if k != key)
        if records:
            self._node_of[key] = node
            if node:
                self._of_node[node] = tuple(sorted({*self._of_node.get(node, ()), key}))
        if before == "" or (records and not node):
            self._share()
        return {n for n in (before, node if records else None) if n is not None}

    def _share(self) -> None:
        shared = [
            r.source for key, node in self._node_of.items() if not node for r in self._pools[key]
        ]
        self.shared = tuple(
            read_slice(json.loads(zlib.decompress(s)) if isinstance(s, bytes) else s, self._shapes)
            for s in shared
        )

    def _pool_part(self, key: PoolKey) -> PoolPart:
        newest = _newest(self._pools[key])
        return PoolPart(
            key[0], tuple([r.part for r in newest if r.part is not None]), _problem(newest)
        )

    def _layout(self, pools: tuple[PoolPart, ...], names: tuple[str, ...], node: str) -> Layout:
        found = self._layouts.get(pools)
        if found is None:
            found = self._layouts[pools] = Layout(pools, names, node, self._answers_max)
        return found


def _newest(records: tuple[SliceRecord, ...]) -> tuple[SliceRecord, ...]:
    if len(records) == 1:
        return records
    newest = max(r.generation for r in records)
    return tuple(r for r in records if r.generation == newest)


def _is_whole(records: tuple[SliceRecord, ...]) -> bool:
    """One slice that is all of its pool."""
    return len(records) == 1 and records[0].wanted == 1 and records[0].part is not None


def _problem(newest: tuple[SliceRecord, ...]) -> str:
    """The slices missing of a pool, "" if none is."""
    wanted, generation = newest[0].wanted, newest[0].generation
    if len(newest) == wanted:
        return ""
    return f"{len(newest)} of {wanted} slices of generation {generation} are there"


def _device_key(entry: Obj, reads: frozenset[str] | None) -> tuple[object, ...]:
    """A device cut to what somebody reads. Equal dicts in another order only lose sharing."""
    cut: list[object] = [entry["name"]]
    attributes: Obj = entry.get("attributes") or {}
    for name, value in attributes.items():
        if reads is None or name in reads or name.rpartition("/")[2] in reads:
            cut.append((name, repr(value)))
    if len(entry) > 2 or "attributes" not in entry:
        cut.append(repr([(k, v) for k, v in entry.items() if k not in ("name", "attributes")]))
    return tuple(cut)
