"""Environment, command line and volumes of a container, resolved.

Source: core/v1 EnvVar, EnvFromSource; `$(VAR)` expansion as in
`k8s.io/kubernetes/third_party/forked/golang/expansion`.
"""

from __future__ import annotations

import base64
import re
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from mizzen.base import quantity
from mizzen.base.objects import Obj, annotations_of, labels_of
from mizzen.base.reading import entries, part

STRING_BYTES_MAX = 128 * 1024  # MAX_ARG_STRLEN of Linux, its end included
TOTAL_BYTES_MAX = 2 * 1024 * 1024  # a quarter of the usual stack, as execve(2) has it
POINTER_BYTES = 8
_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_KEYED = re.compile(r"^metadata\.(labels|annotations)\['([^']+)'\]$")


class Unresolved(Exception):
    """A reference that cannot be followed yet: `reason` is the waiting reason."""

    def __init__(self, message: str, reason: str = "CreateContainerConfigError") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(slots=True)
class Sources:
    """The objects and facts that a pod's environment may refer to."""

    config_maps: Mapping[str, Obj | None] = field(default_factory=dict[str, Obj | None])
    secrets: Mapping[str, Obj | None] = field(default_factory=dict[str, Obj | None])
    facts: Mapping[str, str] = field(default_factory=dict[str, str])  # fieldRef path -> value
    allocatable: Mapping[str, str] = field(default_factory=dict[str, str])
    tokens: Mapping[Any, str] = field(default_factory=dict[Any, str])  # by projection.TokenWish


def volume_variable(name: str) -> str:
    """The variable that holds a volume's folder."""
    return "MIZZEN_VOLUME_" + name.upper().replace("-", "_").replace(".", "_")


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
        for source in entries(volume, "projected", "sources"):
            config_maps |= _named(source.get("configMap"))
            secrets |= _named(source.get("secret"))
    return config_maps, secrets


def _named(reference: Obj | None) -> set[str]:
    return {reference["name"]} if reference and reference.get("name") else set()


def environment(
    pod: Obj, container: Obj, given: Mapping[str, str], sources: Sources
) -> dict[str, str]:
    """The variables that the container declares: envFrom, then env. Errors: Unresolved.

    A value may refer to what was declared before it and to what is `given` here; everything else
    stays as it is written. Values are texts whose bytes are those of their source, be they UTF-8
    or not ("surrogateescape").
    """
    result: dict[str, str] = {}
    total = 0
    known = ChainMap(result, dict(given))
    where = f'of container "{container["name"]}"'
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix") or ""
        origin, found = _all_of(source, sources)
        for key, value in found.items():
            name = prefix + key
            result[name] = _checked(name, value, f'variable "{name}" {where}, from {origin}')
    for variable in container.get("env") or ():
        name: str = variable["name"]
        what = f'variable "{name}" {where}'
        if variable.get("valueFrom"):
            value = _value_from(pod, container, variable["valueFrom"], sources)
            what += f", from {_origin(variable['valueFrom'])}"
        else:
            value = expand(variable.get("value") or "", known, what)
        if value is not None:
            result[name] = _checked(name, value, what)
            total += len(value)
        if (
            total > TOTAL_BYTES_MAX
        ):  # before all of them are made: each may be a copy of a large one
            raise Unresolved(
                f"the environment {where} takes more than the {TOTAL_BYTES_MAX} bytes that Linux "
                f'passes to a program (variable "{name}" is one too many)'
            )
    return result


def expand(text: str, variables: Mapping[str, str], what: str) -> str:
    """`$(NAME)` by its value, unknown ones left as they are, `$$` as `$`.

    Errors: Unresolved as soon as `what` is longer than a program can be given.
    """
    parts: list[str] = []
    length = at = 0
    for match in _REFERENCE.finditer(text):
        name = match.group(1)
        value = "$" if name is None else variables.get(name, match.group(0))
        parts += text[at : match.start()], value
        at = match.end()
        length += len(parts[-1]) + len(parts[-2])
        if length > STRING_BYTES_MAX:
            raise Unresolved(
                f"{what} grows beyond {STRING_BYTES_MAX} bytes while its references are replaced "
                f"(at $({name})); Linux passes no longer text to a program"
            )
    return "".join([*parts, text[at:]])


def check_size(argv: Sequence[str], variables: Mapping[str, str], container: str) -> None:
    """Errors: Unresolved where a program cannot be given all this, with what is too much."""
    for index, word in enumerate(argv):
        _checked("", word, f'word {index} of the command of container "{container}"')
    sizes = {k: _bytes(k) + _bytes(v) + 2 + POINTER_BYTES for k, v in variables.items()}
    total = sum(sizes.values()) + sum(_bytes(word) + 1 + POINTER_BYTES for word in argv)
    if total > TOTAL_BYTES_MAX:
        largest = ", ".join(sorted(sizes, key=lambda name: -sizes[name])[:3])
        raise Unresolved(
            f'command and environment of container "{container}" take {total} bytes, above the '
            f"{TOTAL_BYTES_MAX} that Linux passes to a program (largest variables: {largest}); "
            "mount large values as a volume"
        )


def _checked(name: str, value: str, what: str) -> str:
    """The value, if a process can be given it."""
    if "\0" in value or "\0" in name:
        raise Unresolved(
            f"{what} holds a NUL byte, which ends a text in Linux; mount it as a volume"
        )
    if "=" in name:
        raise Unresolved(f'{what} has a name with "=", which no variable of Linux can have')
    length = _bytes(name) + _bytes(value) + 2  # NAME=VALUE and its end
    if length > STRING_BYTES_MAX:
        raise Unresolved(
            f"{what} takes {length} bytes, above the {STRING_BYTES_MAX} that Linux passes to a "
            "program in one text; mount it as a volume"
        )
    return value


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="surrogateescape"))


def data_of(obj: Obj) -> dict[str, bytes]:
    """The entries of a ConfigMap or Secret as bytes, as volumes show them."""
    result = _texts_of(obj)
    if obj.get("kind") != "Secret":
        result |= {k: base64.b64decode(v) for k, v in part(obj, "binaryData").items()}
    return result


def _texts_of(obj: Obj) -> dict[str, bytes]:
    """The entries that may become variables: not a ConfigMap's `binaryData`, as upstream."""
    if obj.get("kind") == "Secret":
        return {k: base64.b64decode(v) for k, v in part(obj, "data").items()}
    return {k: v.encode() for k, v in part(obj, "data").items()}


def _all_of(source: Obj, sources: Sources) -> tuple[str, dict[str, str]]:
    for field_name, kind, pool in (
        ("configMapRef", "ConfigMap", sources.config_maps),
        ("secretRef", "Secret", sources.secrets),
    ):
        reference: Obj | None = source.get(field_name)
        if reference:
            found = pool.get(reference["name"])
            if found is None and not reference.get("optional"):
                raise Unresolved(f'{kind} "{reference["name"]}" does not exist')
            entries = _texts_of(found) if found is not None else {}
            texts = {k: v.decode(errors="surrogateescape") for k, v in entries.items()}
            return f'{kind} "{reference["name"]}"', texts
    return "", {}


def _origin(value_from: Obj) -> str:
    """The source of a value, for messages."""
    for field_name, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        reference: Obj | None = value_from.get(field_name)
        if reference:
            return f'key {reference["key"]!r} of {kind} "{reference["name"]}"'
    return "the pod itself"


def _value_from(pod: Obj, container: Obj, origin: Obj, sources: Sources) -> str | None:
    if origin.get("fieldRef"):
        return field_of(pod, origin["fieldRef"]["fieldPath"], sources.facts)
    if origin.get("resourceFieldRef"):
        return resource_of(pod, container, origin["resourceFieldRef"], sources)
    if origin.get("configMapKeyRef"):
        return _entry("ConfigMap", origin["configMapKeyRef"], sources.config_maps)
    if origin.get("secretKeyRef"):
        return _entry("Secret", origin["secretKeyRef"], sources.secrets)
    raise Unresolved(
        f"valueFrom {sorted(origin)} is not supported; use a fieldRef or a key of a map"
    )


def _entry(kind: str, reference: Obj, pool: Mapping[str, Obj | None]) -> str | None:
    found = pool.get(reference["name"])
    entries = _texts_of(found) if found is not None else {}
    if reference["key"] in entries:
        return entries[reference["key"]].decode(errors="surrogateescape")
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
    keyed = _KEYED.fullmatch(path)
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


def resource_of(pod: Obj, container: Obj, reference: Obj, sources: Sources) -> str:
    """An amount of a container, which is `container` where the reference names none."""
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
