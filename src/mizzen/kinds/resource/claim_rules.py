"""Checks of what claims ask for, beyond their schema.

Source: pkg/apis/resource/validation/validation.go, Kubernetes 1.36.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.quantity import parse
from mizzen.kinds.metadata import immutable
from mizzen.kinds.names import dns_subdomain, invalid_value
from mizzen.kinds.reading import entries, part
from mizzen.kinds.resource.rules import (
    check_fully_qualified,
    check_name,
    check_opaque,
    check_qualified,
    check_toleration,
    check_unique,
    duplicate,
    required,
)
from mizzen.kinds.resource.selectors import Selectors


def default_claim_spec(spec: Obj) -> None:
    """One device where a request does not say how many; in place."""
    for request in entries(spec, "devices.requests"):
        wants = [part(request, "exactly"), *entries(request, "firstAvailable")]
        for want in wants:
            if want.get("allocationMode") == "ExactCount":
                want.setdefault("count", 1)


def request_names(spec: Obj) -> set[str]:
    """The names that may be referred to: `<request>` and `<request>/<alternative>`."""
    names: set[str] = set()
    for request in entries(spec, "devices.requests"):
        names.add(request["name"])
        names |= {f"{request['name']}/{a['name']}" for a in entries(request, "firstAvailable")}
    return names


def check_claim_spec(spec: Obj, path: str) -> list[Cause]:
    """Causes to refuse what a claim asks for."""
    devices = part(spec, "devices")
    at = f"{path}.devices"
    causes: list[Cause] = []
    names = request_names(spec)
    seen: set[str] = set()
    selectors = Selectors()
    for index, request in enumerate(entries(devices, "requests")):
        causes += _check_request(request, f"{at}.requests[{index}]", seen, selectors)
    for index, constraint in enumerate(entries(devices, "constraints")):
        causes += _check_constraint(constraint, f"{at}.constraints[{index}]", names)
    for index, config in enumerate(entries(devices, "config")):
        here = f"{at}.config[{index}]"
        causes += check_references(entries(config, "requests"), f"{here}.requests", names)
        causes += check_opaque(config, here)
    return causes


def _check_request(request: Obj, path: str, seen: set[str], selectors: Selectors) -> list[Cause]:
    causes = _check_new_name(request["name"], f"{path}.name", seen)
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable")
    if exactly is not None and alternatives:
        message = "Invalid value: exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"
        causes.append(Cause(path, message))
    elif exactly is not None:
        causes += _check_want(exactly, f"{path}.exactly", selectors)
    elif alternatives:
        within: set[str] = set()
        for index, alternative in enumerate(alternatives):
            here = f"{path}.firstAvailable[{index}]"
            causes += _check_new_name(alternative["name"], f"{here}.name", within)
            causes += _check_want(alternative, here, selectors)
    else:
        causes.append(required(path, "exactly one of `exactly` or `firstAvailable` is required"))
    return causes


def _check_new_name(name: str, path: str, seen: set[str]) -> list[Cause]:
    causes = check_name(name, path)
    if name in seen:
        causes.append(duplicate(path, name))
    seen.add(name)
    return causes


def _check_want(want: Obj, path: str, selectors: Selectors) -> list[Cause]:
    class_path = f"{path}.deviceClassName"
    causes = check_name(want.get("deviceClassName"), class_path, dns_subdomain)
    if want.get("allocationMode") == "All" and "count" in want:
        message = (
            f"Invalid value: {want['count']}: must not be specified when allocationMode is 'All'"
        )
        causes.append(Cause(f"{path}.count", message))
    causes += selectors.check(entries(want, "selectors"), f"{path}.selectors")
    for index, toleration in enumerate(entries(want, "tolerations")):
        causes += check_toleration(toleration, f"{path}.tolerations[{index}]")
    for name, value in part(want, "capacity.requests").items():
        here = f"{path}.capacity.requests[{name}]"
        causes += check_qualified(name, here)
        if parse(value) < 0:
            causes.append(invalid_value(here, value, "must be greater than or equal to 0"))
    return causes


def _check_constraint(constraint: Obj, path: str, names: set[str]) -> list[Cause]:
    causes = check_references(entries(constraint, "requests"), f"{path}.requests", names)
    found = [name for name in ("matchAttribute", "distinctAttribute") if name in constraint]
    if len(found) != 1:
        message = "exactly one of `matchAttribute` or `distinctAttribute` is required"
        causes.append(required(path, message))
    for name in found:
        causes += check_fully_qualified(constraint[name], f"{path}.{name}")
    return causes


def check_references(requests: list[str], path: str, names: set[str]) -> list[Cause]:
    """Every entry names a request, or an alternative of one, and none twice."""
    causes: list[Cause] = []
    for index, name in enumerate(requests):
        if name not in names:
            message = "must be the name of a request in the claim or the name of a request and a "
            message += "subrequest separated by '/'"
            causes.append(invalid_value(f"{path}[{index}]", name, message))
    return causes + check_unique(requests, lambda i: f"{path}[{i}]")


def check_spec_frozen(new: Obj, old: Obj | None) -> list[Cause]:
    """Refuses changes of the requests once the object exists."""
    return immutable(new, old, "spec")
