"""Checks of containers that a schema cannot say.

Source: pkg/apis/core/validation/validation.go `validateContainerCommon`.
"""

from __future__ import annotations

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.quantity import parse
from mizzen.kinds.causes import duplicate, invalid, required, unsupported
from mizzen.kinds.core.resource_names import check_amount, check_container_resource
from mizzen.kinds.names import dns_label, env_name, invalid_value, port_name_problems
from mizzen.kinds.reading import entries, part

_RESIZED = ("cpu", "memory")
_RESTARTS = ("NotRequired", "RestartContainer")
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def check_name(name: str, path: str, seen: set[str], causes: list[Cause]) -> None:
    """Adds causes for a name that is no DNS label or was seen before; remembers it."""
    problem = dns_label(name)
    if not name:
        causes.append(Cause(path, "Required value", "FieldValueRequired"))
    elif problem:
        causes.append(invalid_value(path, name, problem))
    if name in seen:
        causes.append(Cause(path, f'Duplicate value: "{name}"', "FieldValueDuplicate"))
    seen.add(name)


def check_container(
    container: Obj, path: str, volumes: set[str], claims: set[str], policy: str
) -> list[Cause]:
    """Causes to refuse one container, given the names and the restart policy of its pod."""
    causes: list[Cause] = []
    check_name(container["name"], f"{path}.name", set(), causes)
    if not container.get("image"):
        causes.append(Cause(f"{path}.image", "Required value", "FieldValueRequired"))
    elif container["image"] != container["image"].strip():
        message = "must not have leading or trailing whitespace"
        causes.append(invalid_value(f"{path}.image", container["image"], message))
    causes += _check_env(entries(container, "env"), f"{path}.env")
    causes += _check_env_from(entries(container, "envFrom"), f"{path}.envFrom")
    causes += _check_ports(entries(container, "ports"), f"{path}.ports")
    causes += _check_mounts(entries(container, "volumeMounts"), f"{path}.volumeMounts", volumes)
    causes += check_resources(part(container, "resources"), f"{path}.resources", claims)
    causes += _check_resizing(entries(container, "resizePolicy"), f"{path}.resizePolicy", policy)
    return causes


def check_running(container: Obj, path: str) -> list[Cause]:
    """Causes to refuse the probes and the hooks of a container that runs as long as its pod."""
    causes: list[Cause] = []
    for name in _PROBES:
        if name in container:
            causes += _check_probe(container[name], f"{path}.{name}", name)
    for hook in ("postStart", "preStop"):
        handler = part(container, "lifecycle").get(hook)
        if handler is not None:
            kinds = ("exec", "httpGet", "tcpSocket", "sleep")
            causes += _check_handler(handler, f"{path}.lifecycle.{hook}", kinds)
    return causes


def _check_env(env: list[Obj], path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, entry in enumerate(env):
        at = f"{path}[{index}]"
        problem = env_name(entry["name"])
        if not entry["name"]:
            causes.append(Cause(f"{at}.name", "Required value", "FieldValueRequired"))
        elif problem:
            causes.append(invalid_value(f"{at}.name", entry["name"], problem))
        source = entry.get("valueFrom")
        if source is None:
            continue
        if entry.get("value"):
            message = 'Invalid value: "": may not be specified when `value` is not empty'
            causes.append(Cause(f"{at}.valueFrom", message))
        if len(source) != 1:
            problem = (
                "may not have more than one field specified at a time"
                if source
                else (
                    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, "
                    "`secretKeyRef` or `fileKeyRef`"
                )
            )
            causes.append(Cause(f"{at}.valueFrom", f'Invalid value: "": {problem}'))
    return causes


def _check_env_from(sources: list[Obj], path: str) -> list[Cause]:
    """Source: ValidateEnvFrom."""
    causes: list[Cause] = []
    for index, source in enumerate(sources):
        named = [kind for kind in ("configMapRef", "secretRef") if kind in source]
        for kind in named:
            if not source[kind].get("name"):
                causes.append(required(f"{path}[{index}].{kind}.name"))
        if not named:
            causes.append(invalid(path, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(named) > 1:
            causes.append(invalid(path, "", "may not have more than one field specified at a time"))
    return causes


def _check_resizing(policies: list[Obj], path: str, policy: str) -> list[Cause]:
    """Source: validateResizePolicy, which names the list for what is wrong in its items."""
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, each in enumerate(policies):
        name, restart = each["resourceName"], each["restartPolicy"]
        if name in seen:
            causes.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
        for said, known in ((name, _RESIZED), (restart, _RESTARTS)):
            if not said:
                causes.append(required(path))
            elif said not in known:
                causes.append(unsupported(path, said, known))
        if policy == "Never" and restart != "NotRequired":
            message = "must be 'NotRequired' when pod `restartPolicy` is 'Never'"
            causes.append(invalid(path, restart, message))
    return causes


def _check_ports(ports: list[Obj], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, port in enumerate(ports):
        name = port.get("name") or ""
        if not name:
            continue
        at = f"{path}[{index}].name"
        causes += [invalid_value(at, name, each) for each in port_name_problems(name)]
        if name in seen:
            causes.append(Cause(at, f'Duplicate value: "{name}"', "FieldValueDuplicate"))
        seen.add(name)
    return causes


def _check_mounts(mounts: list[Obj], path: str, volumes: set[str]) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, mount in enumerate(mounts):
        at = f"{path}[{index}]"
        if mount["name"] not in volumes:
            message = f'Not found: "{mount["name"]}"'
            causes.append(Cause(f"{at}.name", message, "FieldValueNotFound"))
        where = mount["mountPath"]
        if not where:
            causes.append(Cause(f"{at}.mountPath", "Required value", "FieldValueRequired"))
        if where in seen:
            message = f'Invalid value: "{where}": must be unique'
            causes.append(Cause(f"{at}.mountPath", message))
        seen.add(where)
        if ".." in (mount.get("subPath") or "").split("/"):
            causes.append(invalid_value(f"{at}.subPath", mount["subPath"], "must not contain '..'"))
    return causes


def check_resources(resources: Obj, path: str, claims: set[str]) -> list[Cause]:
    """Causes to refuse requests above limits, broken names and unknown claims."""
    causes: list[Cause] = []
    limits, requests = part(resources, "limits"), part(resources, "requests")
    for field, amounts in (("limits", limits), ("requests", requests)):
        for name, value in amounts.items():
            at = f"{path}.{field}[{name}]"
            causes += check_container_resource(name, at)
            causes += check_amount(name, value, at)
    for name, value in requests.items():
        limit = limits.get(name)
        at = f"{path}.requests"
        if limit is None:
            if "/" in name:
                message = "Limit must be set for non overcommitable resources"
                causes.append(Cause(f"{path}.limits", message, "FieldValueRequired"))
        elif "/" in name and value != limit:
            causes.append(invalid_value(at, value, f"must be equal to {name} limit of {limit}"))
        elif parse(value) > parse(limit):
            message = f"must be less than or equal to {name} limit of {limit}"
            causes.append(invalid_value(at, value, message))
    for index, claim in enumerate(entries(resources, "claims")):
        if claim["name"] not in claims:
            at = f"{path}.claims[{index}].name"
            message = f'Not found: "{claim["name"]}"'
            causes.append(Cause(at, message, "FieldValueNotFound"))
    return causes


def _check_probe(probe: Obj, path: str, name: str) -> list[Cause]:
    causes = _check_handler(probe, path, ("exec", "httpGet", "tcpSocket", "grpc"))
    threshold = probe.get("successThreshold", 1)
    if name != "readinessProbe" and threshold != 1:
        causes.append(Cause(f"{path}.successThreshold", f"Invalid value: {threshold}: must be 1"))
    if name == "readinessProbe" and "terminationGracePeriodSeconds" in probe:
        message = (
            f"Invalid value: {probe['terminationGracePeriodSeconds']}: must not be set for "
            "readinessProbes"
        )
        causes.append(Cause(f"{path}.terminationGracePeriodSeconds", message))
    return causes


def _check_handler(handler: Obj, path: str, kinds: tuple[str, ...]) -> list[Cause]:
    found = [kind for kind in kinds if kind in handler]
    if not found:
        message = "Required value: must specify a handler type"
        return [Cause(path, message, "FieldValueRequired")]
    causes = [
        Cause(f"{path}.{extra}", "Forbidden: may not specify more than 1 handler type",
              "FieldValueForbidden")
        for extra in found[1:]
    ]  # fmt: skip
    for kind in ("httpGet", "tcpSocket"):
        port = part(handler, kind).get("port")
        if port is not None:
            causes += _check_port(port, f"{path}.{kind}.port")
    if "exec" in handler and not handler["exec"].get("command"):
        causes.append(Cause(f"{path}.exec.command", "Required value", "FieldValueRequired"))
    return causes


def _check_port(port: int | str, path: str) -> list[Cause]:
    if isinstance(port, int):
        if 1 <= port <= 65535:
            return []
        return [Cause(path, f"Invalid value: {port}: must be between 1 and 65535, inclusive")]
    return [invalid_value(path, port, each) for each in port_name_problems(port)]
