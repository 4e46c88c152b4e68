"""Allocations out of a finished search: devices, the nodes that reach them, configuration.

Source: k8s.io/dynamic-resource-allocation/structured/internal Allocate, createNodeSelector, v0.36.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from mizzen.base.objects import Obj
from mizzen.scheduler.core.dra.features import Features
from mizzen.scheduler.core.dra.model import (
    Allocation,
    AllocationError,
    ClaimRequest,
    Device,
    DeviceRequest,
    DeviceResult,
    NodeRequirement,
    NodeSelector,
    SubRequest,
    Toleration,
)
from mizzen.scheduler.core.dra.requests import Alternative
from mizzen.scheduler.core.dra.search import Choice, Search
from mizzen.scheduler.core.dra.wire import selector_object, toleration_object


def allocations(search: Search) -> tuple[Allocation, ...]:
    """One for each claim, in order. Errors: AllocationError for a slice upstream cannot express."""
    board = search.board
    found: list[Allocation] = []
    for index, claim in enumerate(board.claims):
        chosen = search.chosen[index]
        alternatives = [
            slot[search.selected.get((index, at), 0)] for at, slot in enumerate(board.slots[index])
        ]
        found.append(
            Allocation(
                results=tuple(_result(choice, claim, board.features) for choice in chosen),
                selector=_node_selector(
                    [c.candidate.device for c in chosen], board.node.name, board.features
                ),
                config=tuple(_configs(claim, alternatives)),
            )
        )
    return tuple(found)


def _result(choice: Choice, claim: ClaimRequest, features: Features) -> DeviceResult:
    device = choice.candidate.device
    consumed = choice.consumed
    shape = device.shape
    return DeviceResult(
        request=choice.alternative.sub.name,
        id=device.id,
        admin=bool(choice.alternative.sub.admin),
        tolerations=_tolerations(choice.alternative, claim),
        bindings=(shape.bindings or ()) if features.binding else (),
        binding_failures=shape.binding_failures if features.binding else (),
        shared=consumed is not None,
        consumed=consumed.amounts if consumed is not None else (),
    )


def _tolerations(alternative: Alternative, claim: ClaimRequest) -> tuple[Toleration, ...]:
    """Of the first request of that name, as upstream looks it up (names are unique when valid)."""
    found = next(
        (r for r in claim.requests if r.name == alternative.request.name), alternative.request
    )
    if found is alternative.request:
        return next(s for s in found.alternatives if s.name == alternative.sub.name).tolerations
    return _namesake(found, alternative).tolerations


def _namesake(request: DeviceRequest, alternative: Alternative) -> SubRequest:
    for sub in request.alternatives:
        if request.is_list == alternative.request.is_list and sub.name == alternative.sub.name:
            return sub
    raise AllocationError(f"two requests are named {request.name}")


def _node_selector(devices: Sequence[Device], node: str, features: Features) -> NodeSelector | None:
    """This node if any device is local or binds to it, else what all their slices require."""
    expressions: list[NodeRequirement] = []
    fields: list[NodeRequirement] = []
    for device in devices:
        scope = device.scope
        binds = device.shape.binds_to_node and features.variant != "stable"
        if scope.is_local or binds:
            name = scope.node if features.variant == "stable" else node
            return ((NodeRequirement("metadata.name", "In", (name,), is_field=True),),)
        terms = scope.selector or ()
        if len(terms) > 1:
            raise AllocationError(
                f"device {device.id}: its node selector has {len(terms)} terms; "
                "only one is supported"
            )
        for requirement in (r for term in terms for r in term):
            into = fields if requirement.is_field else expressions
            if not any(_same(requirement, known) for known in into):
                into.append(requirement)
    merged = (*expressions, *fields)
    return (merged,) if merged else None


def _same(left: NodeRequirement, right: NodeRequirement) -> bool:
    return (
        left.key == right.key
        and left.operator == right.operator
        and set(left.values) == set(right.values)
    )


# -- configuration ------------------------------------------------------------------------


def _configs(claim: ClaimRequest, alternatives: Sequence[Alternative]) -> Iterable[Obj]:
    """The classes' first, each once for all requests that use the class, then the claim's own."""
    by_class: dict[str, list[Obj]] = {}
    for alternative in alternatives:
        known = by_class.get(alternative.device_class.name)
        if known is None:
            by_class[alternative.device_class.name] = [
                _config("FromClass", [alternative.sub.name], entry)
                for entry in alternative.device_class.config
            ]
        else:
            for entry in known:
                entry["requests"].append(alternative.sub.name)
    for entries in by_class.values():
        yield from entries
    for entry in claim.config:
        listed: list[str] = list(entry.get("requests") or ())
        if not listed:
            yield _config("FromClaim", listed, entry)
            continue
        for alternative in alternatives:
            if alternative.base_name in listed or (
                alternative.sub_name and alternative.sub_name in listed
            ):
                yield _config("FromClaim", list(listed), entry)


def _config(source: str, requests: list[str], entry: Obj) -> Obj:
    config: Obj = {"source": source}
    if requests:
        config["requests"] = requests
    opaque = entry.get("opaque")
    if opaque is not None:
        config["opaque"] = {
            "driver": opaque.get("driver") or "",
            "parameters": opaque.get("parameters"),
        }
    return config


# -- on the wire ------------------------------------------------------------------------------


def allocation_object(allocation: Allocation, shares: Iterable[str]) -> Obj:
    """`status.allocation` of resource.k8s.io/v1; `shares` yields a fresh shareID for each share."""
    devices: Obj = {}
    ids = iter(shares)
    if allocation.results:
        devices["results"] = [_result_object(result, ids) for result in allocation.results]
    if allocation.config:
        devices["config"] = list(allocation.config)
    obj: Obj = {"devices": devices}
    if allocation.selector is not None:
        obj["nodeSelector"] = selector_object(allocation.selector)
    return obj


def _result_object(result: DeviceResult, shares: Iterator[str]) -> Obj:
    obj: Obj = {
        "request": result.request,
        "driver": result.id.driver,
        "pool": result.id.pool,
        "device": result.id.device,
    }
    if result.admin:
        obj["adminAccess"] = True
    if result.tolerations:
        obj["tolerations"] = [toleration_object(t) for t in result.tolerations]
    if result.bindings:
        obj["bindingConditions"] = list(result.bindings)
    if result.binding_failures:
        obj["bindingFailureConditions"] = list(result.binding_failures)
    if result.shared:
        obj["shareID"] = result.share or next(shares)
    if result.consumed:
        obj["consumedCapacity"] = {name: str(amount) for name, amount in result.consumed}
    return obj
