"""Checks of claims that a schema cannot say.

Source: pkg/apis/resource/validation/validation.go, Kubernetes 1.36. CEL expressions are compiled
by whoever evaluates them, not here.
"""

from __future__ import annotations

from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.quantity import parse
from mizzen.kinds.metadata import immutable
from mizzen.kinds.names import dns_label, dns_subdomain, invalid_value, qualified_name
from mizzen.kinds.reading import entries, part


def required(path: str, message: str = "") -> Cause:
    return Cause(
        path, f"Required value: {message}" if message else "Required value", "FieldValueRequired"
    )


def default_claim_spec(spec: Obj) -> None:
    """One device where a request does not say how many; in place."""
    for request in entries(spec, "devices.requests"):
        wants = [part(request, "exactly"), *entries(request, "firstAvailable")]
        for want in wants:
            if want.get("allocationMode") == "ExactCount":
                want.setdefault("count", 1)


def check_claim_spec(spec: Obj, path: str) -> list[Cause]:
    """Causes to refuse what a claim asks for."""
    devices = part(spec, "devices")
    at = f"{path}.devices"
    causes: list[Cause] = []
    names: set[str] = set()
    for index, request in enumerate(entries(devices, "requests")):
        causes += _check_request(request, f"{at}.requests[{index}]", names)
    for index, constraint in enumerate(entries(devices, "constraints")):
        causes += _check_constraint(constraint, f"{at}.constraints[{index}]", names)
    for index, config in enumerate(entries(devices, "config")):
        here = f"{at}.config[{index}]"
        causes += _check_references(entries(config, "requests"), f"{here}.requests", names)
        causes += check_opaque(config, here)
    return causes


def _check_request(request: Obj, path: str, names: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    name = request["name"]
    _check_new_name(name, f"{path}.name", names, causes)
    exactly, alternatives = request.get("exactly"), request.get("firstAvailable")
    if exactly is not None and alternatives:
        message = "Invalid value: exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"
        causes.append(Cause(path, message))
    elif exactly is not None:
        causes += _check_want(exactly, f"{path}.exactly")
    elif alternatives:
        within: set[str] = set()
        for index, alternative in enumerate(alternatives):
            here = f"{path}.firstAvailable[{index}]"
            _check_new_name(alternative["name"], f"{here}.name", within, causes)
            names.add(f"{name}/{alternative['name']}")
            causes += _check_want(alternative, here)
    else:
        causes.append(required(path, "exactly one of `exactly` or `firstAvailable` is required"))
    return causes


def _check_new_name(name: str, path: str, seen: set[str], causes: list[Cause]) -> None:
    if not name:
        causes.append(required(path))
    elif dns_label(name):
        causes.append(invalid_value(path, name, dns_label(name)))
    if name in seen:
        causes.append(Cause(path, f'Duplicate value: "{name}"', "FieldValueDuplicate"))
    seen.add(name)


def _check_want(want: Obj, path: str) -> list[Cause]:
    causes: list[Cause] = []
    class_name = want.get("deviceClassName") or ""
    if not class_name:
        causes.append(required(f"{path}.deviceClassName"))
    elif dns_subdomain(class_name):
        problem = dns_subdomain(class_name)
        causes.append(invalid_value(f"{path}.deviceClassName", class_name, problem))
    if want.get("allocationMode") == "All" and "count" in want:
        message = (
            f"Invalid value: {want['count']}: must not be specified when allocationMode is 'All'"
        )
        causes.append(Cause(f"{path}.count", message))
    causes += check_selectors(entries(want, "selectors"), f"{path}.selectors")
    for index, toleration in enumerate(entries(want, "tolerations")):
        causes += _check_toleration(toleration, f"{path}.tolerations[{index}]")
    for name, value in part(want, "capacity.requests").items():
        here = f"{path}.capacity.requests[{name}]"
        causes += check_qualified(name, here)
        if parse(value) < 0:
            causes.append(invalid_value(here, value, "must be greater than or equal to 0"))
    return causes


def check_selectors(selectors: list[Obj], path: str) -> list[Cause]:
    """Every selector is a CEL expression that is not empty."""
    causes: list[Cause] = []
    for index, selector in enumerate(selectors):
        cel = selector.get("cel")
        if cel is None:
            causes.append(required(f"{path}[{index}].cel"))
        elif not cel["expression"].strip():
            causes.append(required(f"{path}[{index}].cel.expression"))
    return causes


def _check_toleration(toleration: Obj, path: str) -> list[Cause]:
    causes: list[Cause] = []
    operator, key = toleration.get("operator"), toleration.get("key") or ""
    if not key and operator != "Exists":
        causes.append(required(f"{path}.key", "must be non-empty unless operator is `Exists`"))
    if key and qualified_name(key):
        causes.append(invalid_value(f"{path}.key", key, qualified_name(key)))
    if operator == "Exists" and toleration.get("value"):
        message = "must be empty for operator `Exists`"
        causes.append(invalid_value(f"{path}.value", toleration["value"], message))
    return causes


def _check_constraint(constraint: Obj, path: str, names: set[str]) -> list[Cause]:
    causes = _check_references(entries(constraint, "requests"), f"{path}.requests", names)
    found = [name for name in ("matchAttribute", "distinctAttribute") if constraint.get(name)]
    if len(found) != 1:
        message = "exactly one of `matchAttribute` or `distinctAttribute` is required"
        causes.append(required(path, message))
    for name in found:
        causes += check_fully_qualified(constraint[name], f"{path}.{name}")
    return causes


def _check_references(requests: list[str], path: str, names: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, name in enumerate(requests):
        here = f"{path}[{index}]"
        if name not in names:
            message = "must be the name of a request in the claim or the name of a request and a "
            message += "subrequest separated by '/'"
            causes.append(invalid_value(here, name, message))
        if name in seen:
            causes.append(Cause(here, f'Duplicate value: "{name}"', "FieldValueDuplicate"))
        seen.add(name)
    return causes


def check_opaque(config: Obj, path: str) -> list[Cause]:
    """Causes to refuse parameters for a driver."""
    opaque = config.get("opaque")
    if opaque is None:
        return [required(f"{path}.opaque")]
    return check_driver(opaque["driver"], f"{path}.opaque.driver")


def check_driver(name: Any, path: str) -> list[Cause]:
    """A driver's name is a DNS subdomain of at most 63 characters."""
    if not name:
        return [required(path)]
    if len(name) > 63:
        message = "Too long: may not be more than 63 bytes"
        return [Cause(path, message, "FieldValueTooLong")]
    problem = dns_subdomain(name)
    return [invalid_value(path, name, problem)] if problem else []


def check_qualified(name: str, path: str) -> list[Cause]:
    """A name of an attribute or capacity: `[domain/]identifier`."""
    domain, slash, identifier = name.rpartition("/")
    if slash and (not domain or len(domain) > 63 or dns_subdomain(domain)):
        return [invalid_value(path, name, "the domain must be a DNS subdomain of at most 63 bytes")]
    if not identifier or len(identifier) > 32 or not _is_identifier(identifier):
        message = (
            "a valid C identifier of at most 32 bytes must start with a letter or '_', followed "
            "by letters, digits or '_'"
        )
        return [invalid_value(path, name, message)]
    return []


def check_fully_qualified(name: str, path: str) -> list[Cause]:
    if "/" not in name:
        return [invalid_value(path, name, "must include a domain: <domain>/<name>")]
    return check_qualified(name, path)


def _is_identifier(text: str) -> bool:
    return text.isascii() and text.isidentifier()


def check_spec_frozen(new: Obj, old: Obj | None) -> list[Cause]:
    """What is asked for cannot change once the object exists."""
    return immutable(new, old, "spec")
