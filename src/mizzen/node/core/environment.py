"""Environment, command line and volumes of a container, resolved.

Source: core/v1 EnvVar, EnvFromSource; `$(VAR)` expansion as in
`k8s.io/kubernetes/third_party/forked/golang/expansion`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from mizzen.base import quantity
from mizzen.base.objects import Obj, annotations_of, labels_of
from mizzen.base.reading import entries, part

_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_KEYED = re.compile(r"^metadata\.(labels|annotations)\['([^']+)'\]$")


class Unresolved(Exception):
    """A reference that cannot be followed yet: `reason` is the waiting reason."""

    def __init__(self, message: str, reason: str = "CreateContainerConfigError") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(slots=True)
class Sources:
    """What a pod's environment may refer to."""

    config_maps: Mapping[str, Obj | None] = field(default_factory=dict[str, Obj | None])
    secrets: Mapping[str, Obj | None] = field(default_factory=dict[str, Obj | None])
    facts: Mapping[str, str] = field(default_factory=dict[str, str])  # fieldRef path -> value
    allocatable: Mapping[str, str] = field(default_factory=dict[str, str])


def needed(spec: Obj) -> tuple[set[str], set[str]]:
    """Names of the ConfigMaps and Secrets that the pod refers to in env and volumes."""
    config_maps: set[str] = set()
    secrets: set[str] = set()
    for container in [*(spec.get("initContainers") or ()), *spec["containers"]]:
        for source in container.get("envFrom") or ():
            config_maps |= _named(source.get("configMapRef"))
            secrets |= _named(source.get("secretRef"))
        for variable in container.get("env") or ():
            origin = part(variable, "valueFrom")
            config_maps |= _named(origin.get("configMapKeyRef"))
            secrets |= _named(origin.get("secretKeyRef"))
    for volume in spec.get("volumes") or ():
        config_maps |= _named(volume.get("configMap"))
        if volume.get("secret"):
            secrets |= _named({"name": volume["secret"].get("secretName")})
    return config_maps, secrets


def _named(reference: Obj | None) -> set[str]:
    return {reference["name"]} if reference and reference.get("name") else set()


def environment(
    pod: Obj, container: Obj, base: Mapping[str, str], sources: Sources
) -> dict[str, str]:
    """`base` overlaid with envFrom, then env, in order. Errors: Unresolved."""
    result = dict(base)
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix") or ""
        for key, value in _all_of(source, sources).items():
            result[prefix + key] = value
    for variable in container.get("env") or ():
        name = variable["name"]
        if variable.get("valueFrom"):
            value = _value_from(pod, container, variable["valueFrom"], sources)
            if value is not None:
                result[name] = value
        else:
            result[name] = expand(variable.get("value") or "", result)
    return result


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` by its value, unknown ones left as they are, `$$` as `$`."""

    def replace(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return "$"
        return variables.get(match.group(1), match.group(0))

    return _REFERENCE.sub(replace, text)


def data_of(obj: Obj) -> dict[str, bytes]:
    """The entries of a ConfigMap or Secret as bytes."""
    if obj.get("kind") == "Secret":
        return {k: base64.b64decode(v) for k, v in part(obj, "data").items()}
    result = {k: v.encode() for k, v in part(obj, "data").items()}
    result |= {k: base64.b64decode(v) for k, v in part(obj, "binaryData").items()}
    return result


def _all_of(source: Obj, sources: Sources) -> dict[str, str]:
    for field_name, kind, pool in (
        ("configMapRef", "ConfigMap", sources.config_maps),
        ("secretRef", "Secret", sources.secrets),
    ):
        reference: Obj | None = source.get(field_name)
        if reference:
            found = pool.get(reference["name"])
            if found is None and not reference.get("optional"):
                raise Unresolved(f'{kind} "{reference["name"]}" does not exist')
            entries = data_of(found) if found is not None else {}
            return {k: v.decode(errors="replace") for k, v in entries.items()}
    return {}


def _value_from(pod: Obj, container: Obj, origin: Obj, sources: Sources) -> str | None:
    if origin.get("fieldRef"):
        return field_of(pod, origin["fieldRef"]["fieldPath"], sources.facts)
    if origin.get("resourceFieldRef"):
        return _resource(pod, container, origin["resourceFieldRef"], sources)
    if origin.get("configMapKeyRef"):
        return _entry("ConfigMap", origin["configMapKeyRef"], sources.config_maps)
    if origin.get("secretKeyRef"):
        return _entry("Secret", origin["secretKeyRef"], sources.secrets)
    raise Unresolved(
        f"valueFrom {sorted(origin)} is not supported; use a fieldRef or a key of a map"
    )


def _entry(kind: str, reference: Obj, pool: Mapping[str, Obj | None]) -> str | None:
    found = pool.get(reference["name"])
    entries = data_of(found) if found is not None else {}
    if reference["key"] in entries:
        return entries[reference["key"]].decode(errors="replace")
    if reference.get("optional"):
        return None
    if found is None:
        raise Unresolved(f'{kind} "{reference["name"]}" does not exist')
    raise Unresolved(
        f'{kind} "{reference["name"]}" has no key {reference["key"]!r}; it has {sorted(entries)}'
    )


def field_of(pod: Obj, path: str, facts: Mapping[str, str]) -> str:
    """The value of a downward API field path. Errors: Unresolved."""
    if path in facts:
        return facts[path]
    keyed = _KEYED.match(path)
    if keyed:
        pool = labels_of(pod) if keyed.group(1) == "labels" else annotations_of(pod)
        return pool.get(keyed.group(2)) or ""
    if path in ("metadata.labels", "metadata.annotations"):
        pool = labels_of(pod) if path.endswith("labels") else annotations_of(pod)
        return "\n".join(f'{k}="{v}"' for k, v in sorted(pool.items()))
    value: Any = pod
    for part_name in path.split("."):
        value = cast("Obj", value).get(part_name) if isinstance(value, dict) else None
    if isinstance(value, str):
        return value
    if path in ("spec.serviceAccountName",):
        return ""
    raise Unresolved(f"fieldRef {path!r} is not a field of a pod that can be passed down")


def _resource(pod: Obj, container: Obj, reference: Obj, sources: Sources) -> str:
    holder = container
    if reference.get("containerName"):
        name = reference["containerName"]
        holder = next(
            (c for c in entries(pod, "spec", "containers") if c["name"] == name), container
        )
    kind, _, resource = str(reference["resource"]).partition(".")
    amounts = part(holder, "resources", kind)
    amount: str | None = amounts.get(resource)
    if amount is None:
        amount = sources.allocatable.get(resource, "0") if kind == "limits" else "0"
    divisor = quantity.parse(reference.get("divisor") or 1) or 1
    value = quantity.parse(amount) / divisor
    return str(-((-value.numerator) // value.denominator))
