"""Warns the creator of a pod of settings that are allowed and rarely meant.

Source: pkg/api/pod/warnings.go.
"""

from __future__ import annotations

from collections.abc import Iterator

from mizzen.base.objects import Obj
from mizzen.base.quantity import parse
from mizzen.kinds.reading import entries, part


def warn_of_pod(pod: Obj) -> list[str]:
    """Warnings for a pod, its types being right."""
    return _warn_of_spec(part(pod, "spec"), "spec")


def warn_of_template(workload: Obj) -> list[str]:
    """Warnings for the pods of a workload, which has their template in `spec.template`."""
    return _warn_of_spec(part(workload, "spec.template.spec"), "spec.template.spec")


def warn_of_job_template(workload: Obj) -> list[str]:
    """Warnings for the pods of jobs, which have their template in `spec.jobTemplate`."""
    path = "spec.jobTemplate.spec.template.spec"
    return _warn_of_spec(part(workload, path), path)


def _warn_of_spec(spec: Obj, path: str) -> list[str]:
    found: list[str] = []
    ports: dict[str, list[tuple[str, Obj]]] = {}
    names_found: list[str] = []
    port_names: dict[str, str] = {}
    for group in ("initContainers", "containers"):
        for index, container in enumerate(entries(spec, group)):
            at = f"{path}.{group}[{index}]"
            found += _hidden_variables(entries(container, "env"), f"{at}.env")
            found += _equal_ports(entries(container, "ports"), f"{at}.ports", ports)
            names_found += _equal_port_names(entries(container, "ports"), f"{at}.ports", port_names)
            found += _fractions(part(container, "resources"), f"{at}.resources")
    return found + names_found


def _hidden_variables(env: list[Obj], path: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, entry in enumerate(env):
        name: str = entry["name"]
        if name in seen and f"$({name})" not in (entry.get("value") or ""):
            yield (
                f'{path}[{index}]: hides previous definition of "{name}", which may be dropped '
                "when using apply"
            )
        seen.add(name)


def _equal_ports(
    ports: list[Obj], path: str, known: dict[str, list[tuple[str, Obj]]]
) -> Iterator[str]:
    """`known`: the ports of the containers before, by number and protocol; more are added."""
    for index, port in enumerate(ports):
        at = f"{path}[{index}]"
        ip, number = port.get("hostIP") or "", port.get("hostPort") or 0
        key = f"{port.get('containerPort')}/{port.get('protocol')}"
        for where, other in known.get(key, ()):
            other_ip, other_number = other.get("hostIP") or "", other.get("hostPort") or 0
            if (ip, number) == (other_ip, other_number):
                yield f"{at}: duplicate port definition with {where}"
            elif not number or not other_number:
                yield f"{at}: overlapping port definition with {where}"
            elif number == other_number and (not ip) is not (not other_ip):
                yield f"{at}: dangerously ambiguous port definition with {where}"
        known.setdefault(key, []).append((at, port))


def _equal_port_names(ports: list[Obj], path: str, known: dict[str, str]) -> Iterator[str]:
    for index, port in enumerate(ports):
        name, at = port.get("name"), f"{path}[{index}]"
        if name and (other := known.setdefault(name, at)) != at:
            yield (
                f'{at}: duplicate port name "{name}" with {other}, services and probes that '
                f"select ports by name will use {other}"
            )


def _fractions(resources: Obj, path: str) -> Iterator[str]:
    for field in ("limits", "requests"):
        for name in ("memory", "ephemeral-storage"):
            value = part(resources, field).get(name)
            if value is not None and parse(value).denominator != 1:
                yield (
                    f'{path}.{field}[{name}]: fractional byte value "{value}" is invalid, must be '
                    "an integer"
                )
