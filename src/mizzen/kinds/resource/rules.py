"""Checks that several kinds of `resource.k8s.io` share: names, taints, conditions, parameters.

Source: pkg/apis/resource/validation/validation.go, Kubernetes 1.36; the messages are upstream's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.kinds.names import (
    NameRule,
    dns_label,
    dns_subdomain,
    invalid_value,
    label_value,
    qualified_name,
)

DRIVER_LENGTH_MAX = 63
DOMAIN_LENGTH_MAX = 63
IDENTIFIER_LENGTH_MAX = 32
POOL_LENGTH_MAX = 253
PARAMETERS_BYTES_MAX = 10 * 1024
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def required(path: str, message: str = "") -> Cause:
    return Cause(
        path, f"Required value: {message}" if message else "Required value", "FieldValueRequired"
    )


def forbidden(path: str, message: str) -> Cause:
    return Cause(path, f"Forbidden: {message}", "FieldValueForbidden")


def duplicate(path: str, value: str) -> Cause:
    return Cause(path, f'Duplicate value: "{value}"', "FieldValueDuplicate")


def too_long(path: str, most: int) -> Cause:
    return Cause(path, f"Too long: may not be more than {most} bytes", "FieldValueTooLong")


def too_many(path: str, count: int, most: int) -> Cause:
    return Cause(path, f"Too many: {count}: must have at most {most} items", "FieldValueTooMany")


def check_name(name: Any, path: str, rule: NameRule = dns_label) -> list[Cause]:
    """A name that must be there and follow `rule`."""
    if not name:
        return [required(path)]
    problem = rule(name)
    return [invalid_value(path, name, problem)] if problem else []


def check_driver(name: Any, path: str) -> list[Cause]:
    """A driver's name is a DNS subdomain of at most 63 characters."""
    if name and len(name) > DRIVER_LENGTH_MAX:
        return [too_long(path, DRIVER_LENGTH_MAX)]
    return check_name(name, path, dns_subdomain)


def check_pool(name: Any, path: str) -> list[Cause]:
    """A pool's name is one or more DNS subdomains, separated by slashes."""
    if not name:
        return [required(path)]
    causes = [too_long(path, POOL_LENGTH_MAX)] if len(name) > POOL_LENGTH_MAX else []
    for part in name.split("/"):
        problem = dns_subdomain(part)
        if problem:
            causes.append(invalid_value(path, part, problem))
    return causes


def check_uid(uid: str, path: str) -> list[Cause]:
    if _UUID.fullmatch(uid):
        return []
    message = (
        "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with "
        "lowercase hexadecimal characters"
    )
    return [invalid_value(path, uid, message)]


def check_label_key(key: Any, path: str) -> list[Cause]:
    if not key:
        return [invalid_value(path, "", "name part must be non-empty")]
    problem = qualified_name(key)
    return [invalid_value(path, key, problem)] if problem else []


def check_qualified(name: str, path: str) -> list[Cause]:
    """A name of an attribute or capacity: `[domain/]identifier`."""
    domain, slash, identifier = name.rpartition("/")
    if slash and not domain:
        return [invalid_value(path, name, "the domain must not be empty")]
    if slash and (len(domain) > DOMAIN_LENGTH_MAX or dns_subdomain(domain)):
        return [invalid_value(path, name, "the domain must be a DNS subdomain of at most 63 bytes")]
    if slash and not identifier:
        return [invalid_value(path, name, "the name must not be empty")]
    if len(identifier) > IDENTIFIER_LENGTH_MAX or _IDENTIFIER.fullmatch(identifier) is None:
        message = (
            f"a valid C identifier of at most {IDENTIFIER_LENGTH_MAX} bytes must start with a "
            "letter or '_', followed by letters, digits or '_'"
        )
        return [invalid_value(path, name, message)]
    return []


def check_fully_qualified(name: str, path: str) -> list[Cause]:
    if "/" not in name:
        message = "a fully qualified name must be a domain and a name separated by a slash"
        return [invalid_value(path, name, message)]
    return check_qualified(name, path)


def check_unique(names: Sequence[Any], path: Callable[[int], str]) -> list[Cause]:
    """Every repetition is a cause, at the place of the later one."""
    seen: set[Any] = set()
    causes: list[Cause] = []
    for index, name in enumerate(names):
        if name in seen:
            causes.append(duplicate(path(index), str(name)))
        seen.add(name)
    return causes


def check_raw(value: Obj | None, path: str, bytes_max: int = PARAMETERS_BYTES_MAX) -> list[Cause]:
    """Parameters only a driver understands are there, and bounded in length."""
    if value is None:
        return [required(path)]
    return [too_long(path, bytes_max)] if len(orjson.dumps(value)) > bytes_max else []


def check_opaque(config: Obj, path: str, *, stored: bool = False) -> list[Cause]:
    """Causes to refuse parameters for a driver; those `stored` before may be of any length."""
    opaque = config.get("opaque")
    if opaque is None:
        return [required(f"{path}.opaque")]
    causes = check_driver(opaque["driver"], f"{path}.opaque.driver")
    return (
        causes
        if stored
        else causes + check_raw(opaque.get("parameters"), f"{path}.opaque.parameters")
    )


def check_taint(taint: Obj, path: str) -> list[Cause]:
    causes = check_label_key(taint["key"], f"{path}.key")
    value = taint.get("value") or ""
    problem = label_value(value)
    return [*causes, invalid_value(f"{path}.value", value, problem)] if problem else causes


def check_toleration(toleration: Obj, path: str) -> list[Cause]:
    causes: list[Cause] = []
    operator, key = toleration.get("operator"), toleration.get("key") or ""
    value = toleration.get("value") or ""
    if key:
        causes += check_label_key(key, f"{path}.key")
    if operator == "Exists" and value:
        message = "must be empty for operator `Exists`"
        causes.append(invalid_value(f"{path}.value", value, message))
    elif label_value(value):
        causes.append(invalid_value(f"{path}.value", value, label_value(value)))
    return causes


def check_binding(owner: Obj, path: str) -> list[Cause]:
    """`bindingConditions` and `bindingFailureConditions` of a device or of its allocation."""
    causes: list[Cause] = []
    names: dict[str, list[str]] = {}
    for field in ("bindingConditions", "bindingFailureConditions"):
        names[field] = owner.get(field) or []
        for index, name in enumerate(names[field]):
            causes += check_label_key(name, f"{path}.{field}[{index}]")
        causes += check_unique(names[field], lambda i, at=f"{path}.{field}": f"{at}[{i}]")
    good, bad = names.values()
    for index, name in enumerate(bad):
        if name in good:
            message = "bindingFailureConditions must not overlap with bindingConditions"
            at = f"{path}.bindingFailureConditions[{index}]"
            causes.append(invalid_value(at, name, message))
    for here, there, this, that in (
        (good, bad, "bindingConditions", "bindingFailureConditions"),
        (bad, good, "bindingFailureConditions", "bindingConditions"),
    ):
        if there and not here:
            message = f"Invalid value: null: {this} are required to use {that}"
            causes.append(Cause(f"{path}.{this}", message))
    return causes
