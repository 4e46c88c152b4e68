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


def _warn_of_spec(spec: Obj, path: str) -> list[str]:
    found: list[str] = []
    for group in ("initContainers", "containers"):
        for index, container in enumerate(entries(spec, group)):
            at = f"{path}.{group}[{index}]"
            found += _hidden_variables(entries(container, "env"), f"{at}.env")
            found += _equal_ports(entries(container, "ports"), f"{at}.ports")
            found += _fractions(part(container, "resources"), f"{at}.resources")
    return found


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


def _equal_ports(ports: list[Obj], path: str) -> Iterator[str]:
    first: dict[tuple[object, ...], int] = {}
    for index, port in enumerate(ports):
        words = ("containerPort", "protocol", "hostPort", "hostIP")
        key = tuple(port.get(word) for word in words)
        if first.setdefault(key, index) != index:
            yield f"{path}[{index}]: duplicate port definition with {path}[{first[key]}]"


def _fractions(resources: Obj, path: str) -> Iterator[str]:
    for field in ("limits", "requests"):
        for name in ("memory", "ephemeral-storage"):
            value = part(resources, field).get(name)
            if value is not None and parse(value).denominator != 1:
                yield (
                    f'{path}.{field}[{name}]: fractional byte value "{value}" is invalid, must be '
                    "an integer"
                )
