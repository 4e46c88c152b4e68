"""An allocation question as a JSON object, and its answer: would these claims fit this node?

{"claims", "classes", "slices", "node", "features", "allocatedDevices", "allocatedShared",
"allocatedCapacity", "order"}; null or absent means empty. In `compat` order objects are taken as
written, as upstream's allocator takes them; in `pack` order with the API server's defaults.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from mizzen.base.objects import Obj
from mizzen.scheduler.core.dra import quantity
from mizzen.scheduler.core.dra.allocate import Order, Refusal, Shortage, allocate
from mizzen.scheduler.core.dra.claim_spec import read_class, read_request
from mizzen.scheduler.core.dra.compat.gates import from_gates
from mizzen.scheduler.core.dra.features import Features
from mizzen.scheduler.core.dra.held import Held
from mizzen.scheduler.core.dra.matching import Matching
from mizzen.scheduler.core.dra.model import (
    AllocationError,
    ClaimRequest,
    DeviceClass,
    DeviceId,
    Selectors,
)
from mizzen.scheduler.core.dra.pools import SliceIndex, gather
from mizzen.scheduler.core.dra.result import allocation_object
from mizzen.scheduler.core.dra.slices import Shapes, read_slice
from mizzen.scheduler.core.dra.wire import objects, part, strings, text

_FIELDS = [
    "claims",
    "classes",
    "slices",
    "node",
    "features",
    "allocatedDevices",
    "allocatedShared",
    "allocatedCapacity",
    "order",
]


STEPS_MAX = 5_000_000  # devices tried for one case: seconds
T = TypeVar("T")


class BadCase(Exception):
    """The question cannot be read; the message says what and where."""


@dataclass(frozen=True, slots=True)
class CaseNode:
    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """A question, read."""

    claims: tuple[ClaimRequest, ...]
    classes: Mapping[str, DeviceClass]
    slices: SliceIndex
    node: CaseNode
    features: Features
    held: Held
    order: Order


def read_case(case: object) -> Case:
    """Errors: BadCase."""
    if not isinstance(case, dict):
        raise BadCase(f"{str(case)[:60]!r} is not an object with {', '.join(_FIELDS)}")
    obj = cast(Obj, case)
    for name in obj.keys() - set(_FIELDS):  # others may label their cases; a slip is told
        meant = difflib.get_close_matches(name, _FIELDS, n=1, cutoff=0.8)
        if meant and meant[0] not in obj:
            raise BadCase(f"{name!r} is unknown; did you mean {meant[0]!r}?")
    order = obj.get("order") or "compat"
    if order not in ("compat", "pack"):
        raise BadCase(f"order {order!r} is neither compat nor pack")
    defaults = order == "pack"
    shapes = Shapes()
    classes = _each(obj, "classes", read_class)
    return Case(
        claims=tuple(
            _each(obj, "claims", lambda c: read_request(part(c, "spec"), defaults=defaults))
        ),
        classes={c.name: c for c in reversed(classes)},
        slices=SliceIndex(_each(obj, "slices", lambda item: read_slice(item, shapes))),
        node=_read("node", lambda: _node(obj)),
        features=_read("features", lambda: from_gates(strings(obj, "features"))),
        held=_read("what is allocated", lambda: _held(obj)),
        order=order,
    )


def _each(obj: Obj, name: str, read: Callable[[Obj], T]) -> list[T]:
    entries = _read(name, lambda: objects(obj, name))
    return [
        _read(f"{name}[{index}]", lambda entry=entry: read(entry))
        for index, entry in enumerate(entries)
    ]


def _read(where: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except KeyError as error:
        raise BadCase(f"{where}: {error.args[0]} is missing") from error
    except (TypeError, ValueError, AttributeError) as error:
        text_of = str(error)  # it may name the field itself
        raise BadCase(text_of if text_of.startswith(where) else f"{where}: {error}") from error


def _node(obj: Obj) -> CaseNode:
    metadata = part(part(obj, "node"), "metadata")
    labels = part(metadata, "labels")
    return CaseNode(text(metadata, "name"), {name: text(labels, name) for name in labels})


def _held(obj: Obj) -> Held:
    consumed: dict[DeviceId, dict[str, quantity.Quantity]] = {}
    for name, amounts in part(obj, "allocatedCapacity").items():
        if not isinstance(amounts, dict | None):
            raise TypeError(f"{name}: {amounts!r} is not an object of capacities and quantities")
        listed = cast(dict[str, Any], amounts or {})
        consumed[_device(name)[0]] = {n: quantity.parse(q) for n, q in listed.items()}
    return Held.of(
        devices=[_device(name)[0] for name in strings(obj, "allocatedDevices")],
        shares=[_device(name)[0] for name in strings(obj, "allocatedShared")],
        consumed=consumed,
    )


def _device(name: str) -> tuple[DeviceId, str]:
    """driver/pool/device, perhaps with a share."""
    parts = name.split("/", 3)
    if len(parts) < 3:
        raise ValueError(f"{name!r} is not driver/pool/device")
    return DeviceId(*parts[:3]), parts[3] if len(parts) > 3 else ""


def answer(case: Case, selectors: Selectors, shares: Iterable[str]) -> Obj:
    """{"results": [AllocationResult] | null, "reason"} or {"error"}."""
    features = case.features
    try:
        pools = gather(
            case.slices.near(case.node.name, features), case.node, features, case.slices.of_pool
        )
        found = allocate(
            case.claims,
            case.node,
            pools,
            case.held,
            classes=case.classes,
            matching=Matching(selectors, features),
            order=case.order,
            steps_max=STEPS_MAX,
        )
    except AllocationError as error:
        return {"error": str(error)}
    if isinstance(found, Refusal):
        return {"results": None, "reason": found.detail}
    if isinstance(found, Shortage):
        return {"results": None, "reason": _explain(found, case.node.name)}
    ids = iter(shares)
    return {"results": [allocation_object(a, ids) for a in found], "reason": ""}


def _explain(found: Shortage, node: str) -> str:
    said = (
        f"node {node} lacks devices of class {found.device_class}: want {found.want}, "
        f"{found.matching - found.in_use} free of {found.matching} that match "
        f"({found.of_class} of the class)"
    )
    return f"{said}; {found.problem}" if found.problem else said
