"""Ingress: hosts and paths that lead to Services, for a controller of its class.

Source: kubernetes `pkg/apis/networking/validation` ValidateIngress*.
"""

from __future__ import annotations

from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj, annotations_of
from mizzen.base.resources import INGRESSES
from mizzen.kinds import causes as words
from mizzen.kinds import ip_addresses
from mizzen.kinds.columns import AGE, NAME, NONE
from mizzen.kinds.kind import Column
from mizzen.kinds.names import (
    dns_label,
    dns_subdomain,
    invalid_value,
    path_segment,
    port_name_problems,
    wildcard_subdomain,
)
from mizzen.kinds.reading import entries, get, part
from mizzen.kinds.upstream import upstream_kind

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_HOSTS_SHOWN_MAX = 3
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_NOT_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F")
_NOT_AT_ENDS = ("/..", "/.")


def _validate(new: Obj, old: Obj | None) -> list[Cause]:
    spec: Obj = part(new, "spec")
    causes: list[Cause] = []
    rules, default = entries(spec, "rules"), spec.get("defaultBackend")
    if not rules and default is None:
        message = "either `defaultBackend` or `rules` must be specified"
        causes.append(words.invalid("spec", spec.get("rules"), message))
    if default is not None:
        causes += _check_backend("spec.defaultBackend", default)
    for index, rule in enumerate(rules):
        causes += _check_rule(f"spec.rules[{index}]", rule)
    for index, tls in enumerate(entries(spec, "tls")):
        path = f"spec.tls[{index}]"
        for place, host in enumerate(tls.get("hosts") or ()):
            causes += _check_host(f"{path}.hosts[{place}]", host)
        name = tls.get("secretName")
        if name and (problem := dns_subdomain(name)):
            causes.append(invalid_value(f"{path}.secretName", name, problem))
    chosen = spec.get("ingressClassName")
    if chosen is not None and (problem := dns_subdomain(chosen)):
        causes.append(invalid_value("spec.ingressClassName", chosen, problem))
    said = annotations_of(new).get(CLASS_ANNOTATION)
    if old is None and said is not None and chosen is not None and said != chosen:
        message = "must match `ingressClassName` when both are specified"
        causes.append(invalid_value(f"annotations.{CLASS_ANNOTATION}", said, message))
    return causes


def _check_host(path: str, host: str) -> list[Cause]:
    problem = wildcard_subdomain(host) if "*" in host else dns_subdomain(host)
    return [invalid_value(path, host, problem)] if problem else []


def _check_rule(path: str, rule: Any) -> list[Cause]:
    causes: list[Cause] = []
    host: str = rule.get("host") or ""
    if host:
        if ip_addresses.parsed(host) is not None:
            message = "must be a DNS name, not an IP address"
            causes.append(invalid_value(f"{path}.host", host, message))
        causes += _check_host(f"{path}.host", host)
    if rule.get("http") is None:
        return causes
    paths: list[Any] = rule["http"].get("paths") or []
    if not paths:
        causes.append(words.required(f"{path}.http.paths"))
    for index, each in enumerate(paths):
        causes += _check_path(f"{path}.http.paths[{index}]", each)
    return causes


def _check_path(at: str, entry: Any) -> list[Cause]:
    kind, path = entry.get("pathType"), str(entry.get("path") or "")
    if not kind:
        return [words.required(f"{at}.pathType", "pathType must be specified")]
    problems: list[str] = []
    if kind in ("Exact", "Prefix"):
        if not path.startswith("/"):
            problems.append("must be an absolute path")
        problems += [f"must not contain '{each}'" for each in _NOT_IN_PATHS if each in path]
        problems += [f"cannot end with '{each}'" for each in _NOT_AT_ENDS if path.endswith(each)]
    elif kind == "ImplementationSpecific" and path and not path.startswith("/"):
        problems.append("must be an absolute path")
    causes = [invalid_value(f"{at}.path", path, problem) for problem in problems]
    if kind not in _PATH_TYPES:
        causes.append(words.unsupported(f"{at}.pathType", kind, _PATH_TYPES))
    return causes + _check_backend(f"{at}.backend", entry.get("backend") or {})


def _check_backend(path: str, backend: Any) -> list[Cause]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [words.invalid(path, "", "cannot set both resource and service backends")]
    if resource is not None:
        return check_reference(f"{path}.resource", resource)
    if service is None:
        return [words.invalid(path, "", "resource or service backend is required")]
    causes: list[Cause] = []
    name: str = service.get("name") or ""
    if not name:
        causes.append(words.required(f"{path}.service.name"))
    elif problem := dns_label(name):
        causes.append(invalid_value(f"{path}.service.name", name, problem))
    port: Obj = service.get("port") or {}
    called, number = port.get("name"), port.get("number")
    if called and number:
        causes.append(words.invalid(path, "", "cannot set both port name & port number"))
    elif called:
        at = f"{path}.service.port.name"
        causes += [invalid_value(at, called, each) for each in port_name_problems(called)]
    elif number:
        causes += words.port_number(f"{path}.service.port.number", number)
    else:
        causes.append(words.required(path, "port name or number is required"))
    return causes


def check_reference(path: str, reference: Any) -> list[Cause]:
    """Causes against apiGroup, kind and name."""
    causes: list[Cause] = []
    group = reference.get("apiGroup")
    if group is not None and (problem := dns_subdomain(group)):
        causes.append(invalid_value(f"{path}.apiGroup", group, problem))
    for field in ("kind", "name"):
        value: str = reference.get(field) or ""
        if not value:
            causes.append(words.required(f"{path}.{field}"))
        elif problem := path_segment(value):
            causes.append(invalid_value(f"{path}.{field}", value, problem))
    return causes


def _validate_status(new: Obj, old: Obj | None) -> list[Cause]:
    path = "status.loadBalancer.ingress"
    known = [each["ip"] for each in entries(old, path) if each.get("ip")]
    causes: list[Cause] = []
    for index, each in enumerate(entries(new, path)):
        at = f"{path}[{index}]"
        if address := each.get("ip"):
            causes += ip_addresses.check_address(f"{at}.ip", address, known)
        if host := each.get("hostname"):
            if problem := dns_subdomain(host):
                causes.append(invalid_value(f"{at}.hostname", host, problem))
            if ip_addresses.parsed(host) is not None:
                message = "must be a DNS name, not an IP address"
                causes.append(invalid_value(f"{at}.hostname", host, message))
    return causes


def _warn(ingress: Obj) -> list[str]:
    if CLASS_ANNOTATION not in annotations_of(ingress):
        return []
    if get(ingress, "spec.ingressClassName") is not None:
        return []
    return [
        f'annotation "{CLASS_ANNOTATION}" is deprecated, please use '
        "'spec.ingressClassName' instead"
    ]


def _class(ingress: Obj, now_ns: int) -> str:
    return str(get(ingress, "spec.ingressClassName") or NONE)


def _ports(ingress: Obj, now_ns: int) -> str:
    return "80, 443" if entries(ingress, "spec.tls") else "80"


def _hosts(ingress: Obj, now_ns: int) -> str:
    rules = entries(ingress, "spec.rules")
    hosts = [str(rule["host"]) for rule in rules if rule.get("host")]
    if not hosts:
        return "*"
    more = len(rules) - _HOSTS_SHOWN_MAX
    shown = ",".join(hosts[:_HOSTS_SHOWN_MAX])
    return f"{shown} + {more} more..." if len(hosts) > _HOSTS_SHOWN_MAX else shown


def _address(ingress: Obj, now_ns: int) -> str:
    found = entries(ingress, "status.loadBalancer.ingress")
    return ",".join(sorted({each.get("ip") or each.get("hostname") or "" for each in found}))


KIND = upstream_kind(
    INGRESSES,
    "Hosts and paths that lead to Services.",
    validate=_validate,
    validate_status=_validate_status,
    warn=_warn,
    columns=(
        NAME,
        Column("Class", _class),
        Column("Hosts", _hosts),
        Column("Address", _address),
        Column("Ports", _ports),
        AGE,
    ),
    is_acted_upon=False,
)
