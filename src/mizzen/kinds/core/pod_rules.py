"""Defaults and checks of pods that a schema cannot say.

Source: pkg/apis/core/v1/defaults.go, pkg/apis/core/validation/validation.go.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.quantity import parse
from mizzen.kinds.causes import forbidden, invalid, required
from mizzen.kinds.core.container_rules import check_container, check_name, check_running
from mizzen.kinds.core.placement_rules import check_placement
from mizzen.kinds.core.volume_source_rules import check_source
from mizzen.kinds.core.volumes import SOURCES
from mizzen.kinds.internal_forms import difference, is_same
from mizzen.kinds.ip_addresses import check_address
from mizzen.kinds.names import (
    check_annotations,
    check_labels,
    dns_label,
    dns_subdomain,
    invalid_value,
    qualified_name,
)
from mizzen.kinds.reading import entries, part
from mizzen.kinds.values import mark_of

_SYSCTL_MAX = 253
_SYSCTL_PART = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SYSCTL = re.compile(rf"({_SYSCTL_PART}[\./])*{_SYSCTL_PART}", re.ASCII)
_SYSCTLS_OF_HOSTS = {
    "hostNetwork": ("net.",),
    "hostIPC": ("kernel.sem", "kernel.shm", "kernel.msg", "fs.mqueue."),
}
_OF_RUNNING = ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
_NOT_OF_INIT = "may not be set for init containers without restartPolicy=Always"
CONTAINER_LISTS = ("containers", "initContainers", "ephemeralContainers")
_NAMES = (
    ("nodeName", dns_subdomain), ("priorityClassName", dns_subdomain),
    ("serviceAccountName", dns_subdomain), ("schedulerName", dns_subdomain),
    ("runtimeClassName", dns_subdomain), ("hostname", dns_label), ("subdomain", dns_label),
)  # fmt: skip
_UPDATE_HELP = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
    "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set "
    "to 1 if it was previously negative)"
)


# -- defaults -----------------------------------------------------------------------
def default_pod(pod: Obj) -> None:
    """Completes a pod in place, as upstream's defaulting does."""
    spec = part(pod, "spec")
    default_pod_spec(spec)
    # Source: SetDefaults_Pod, which templates do not go through.
    _default_host_ports(spec)
    spec.setdefault("enableServiceLinks", True)
    for name in CONTAINER_LISTS:
        for container in spec.get(name) or ():
            resources = container.get("resources")
            if resources and (limits := part(resources, "limits")):
                resources["requests"] = {**limits, **part(resources, "requests")}


def complete_pod(pod: Obj) -> None:
    """Gives a new pod its account in place, as upstream's ServiceAccount admission does."""
    spec = part(pod, "spec")
    is_mirror = "kubernetes.io/config.mirror" in (pod["metadata"].get("annotations") or {})
    if not spec.get("serviceAccountName") and not is_mirror:
        spec["serviceAccountName"] = spec["serviceAccount"] = "default"


def default_pod_spec(spec: Obj) -> None:
    """Completes a PodSpec in place; also used for the templates of workloads."""
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    _default_volumes(spec)
    for name in CONTAINER_LISTS:
        for container in spec.get(name) or ():
            if "imagePullPolicy" not in container and container.get("image"):
                tag = str(container["image"]).rpartition("/")[2].partition(":")[2]
                pinned = "@" in str(container["image"]) or (tag and tag != "latest")
                container["imagePullPolicy"] = "IfNotPresent" if pinned else "Always"


def _default_volumes(spec: Obj) -> None:
    """A volume that does not say what it is, is an empty folder."""
    for volume in spec.get("volumes") or ():
        if not any(source in volume for source in SOURCES):
            volume["emptyDir"] = {}


def _default_host_ports(spec: Obj) -> None:
    """On the host's network the ports of a pod are its host's."""
    if not spec.get("hostNetwork"):
        return
    for name in ("containers", "initContainers"):
        for container in spec.get(name) or ():
            for port in entries(container, "ports"):
                port.setdefault("hostPort", port.get("containerPort"))


def quality_of_service(spec: Obj) -> str:
    """Guaranteed when every container's CPU and memory limits equal its requests.

    Source: pkg/apis/core/helper/qos `ComputePodQOS`.
    """
    any_set, all_equal = False, True
    for container in [*entries(spec, "containers"), *entries(spec, "initContainers")]:
        resources = part(container, "resources")
        if not resources:
            all_equal = False
            continue
        limits, requests = part(resources, "limits"), part(resources, "requests")
        for name in ("cpu", "memory"):
            limit, request = limits.get(name), requests.get(name, limits.get(name))
            any_set = any_set or _positive(limit) or _positive(request)
            all_equal = all_equal and _positive(limit) and _is_same(limit, request)
    if not any_set:
        return "BestEffort"
    return "Guaranteed" if all_equal else "Burstable"


def _is_same(limit: Any, request: Any) -> bool:
    try:
        return limit == request or parse(limit) == parse(request)
    except ValueError:
        return False


def _positive(quantity: Any) -> bool:
    try:
        return quantity is not None and parse(quantity).numerator > 0
    except ValueError:
        return False


# -- checks -------------------------------------------------------------------------
def validate_pod(new: Obj, old: Obj | None) -> list[Cause]:
    if old is not None:
        return _validate_update(new["spec"], old["spec"])
    spec = new["spec"]
    causes = validate_pod_spec(spec, "spec")
    if spec.get("ephemeralContainers"):
        message = "Forbidden: cannot be set on create"
        causes.append(Cause("spec.ephemeralContainers", message, "FieldValueForbidden"))
    name = new["metadata"].get("name") or ""
    if spec.get("schedulingGates") and spec.get("nodeName"):
        message = "Forbidden: cannot be set until all schedulingGates have been cleared"
        causes.append(Cause("spec.nodeName", message, "FieldValueForbidden"))
    if len(name) > 253:
        causes.append(invalid_value("metadata.name", name, "must be no more than 253 bytes"))
    return causes


def validate_pod_status(new: Obj, old: Obj | None) -> list[Cause]:
    """A pod that ended stays ended (upstream leaves this to the kubelet; we insist)."""
    phase = part(new, "status").get("phase")
    before = part(old, "status").get("phase")
    if before in ("Succeeded", "Failed") and phase != before:
        message = f'Invalid value: "{phase}": a pod that has {before} cannot leave that phase'
        return [Cause("status.phase", message)]
    return []


def validate_pod_spec(spec: Obj, path: str) -> list[Cause]:
    """Causes to refuse a PodSpec whose types are right."""
    causes = _check_names(spec, path)
    volumes = _check_volumes(entries(spec, "volumes"), f"{path}.volumes", causes)
    claims = _check_claims(entries(spec, "resourceClaims"), f"{path}.resourceClaims", causes)
    seen, policy = set[str](), str(spec.get("restartPolicy") or "")
    for field in CONTAINER_LISTS:
        for index, container in enumerate(entries(spec, field)):
            at = f"{path}.{field}[{index}]"
            if container["name"] in seen:
                message = f'Duplicate value: "{container["name"]}"'
                causes.append(Cause(f"{at}.name", message, "FieldValueDuplicate"))
            seen.add(container["name"])
            causes += check_container(container, at, volumes, claims, policy)
            if field == "initContainers" and container.get("restartPolicy") != "Always":
                named = [name for name in _OF_RUNNING if name in container]
                causes += [forbidden(f"{at}.{name}", _NOT_OF_INIT) for name in named]
            else:
                causes += check_running(container, at)
    causes += check_labels(part(spec, "nodeSelector"), f"{path}.nodeSelector")
    causes += check_placement(spec, path)
    causes += _check_host_aliases(entries(spec, "hostAliases"), f"{path}.hostAliases")
    causes += _check_sysctls(spec, f"{path}.securityContext.sysctls")
    causes += _check_gates(entries(spec, "schedulingGates"), f"{path}.schedulingGates")
    return causes + _check_host_ports(spec, path)


def _check_host_aliases(aliases: list[Obj], path: str) -> list[Cause]:
    """Source: ValidateHostAliases."""
    causes: list[Cause] = []
    for index, alias in enumerate(aliases):
        causes += check_address(f"{path}[{index}].ip", alias["ip"])
        for place, host in enumerate(entries(alias, "hostnames")):
            if dns_subdomain(host):
                at = f"{path}[{index}].hostnames[{place}]"
                causes.append(invalid_value(at, host, dns_subdomain(host)))
    return causes


def _check_sysctls(spec: Obj, path: str) -> list[Cause]:
    """Source: validateSysctls, ValidateHostSysctl."""
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, sysctl in enumerate(entries(spec, "securityContext.sysctls")):
        at, name = f"{path}[{index}].name", str(sysctl["name"])
        if not name:
            causes.append(Cause(at, "Required value", "FieldValueRequired"))
        elif len(name) > _SYSCTL_MAX or not _SYSCTL.fullmatch(name):
            said = f"must have at most {_SYSCTL_MAX} characters and match regex ^{_SYSCTL.pattern}$"
            causes.append(invalid_value(at, name, said))
        elif name in seen:
            causes.append(Cause(at, f'Duplicate value: "{name}"', "FieldValueDuplicate"))
        dotted = name.replace("/", ".")
        for field, prefixes in _SYSCTLS_OF_HOSTS.items():
            if spec.get(field) and dotted.startswith(prefixes):
                causes.append(
                    invalid_value(at, name, f"may not be specified when '{field}' is true")
                )
        seen.add(name)
    return causes


def _check_names(spec: Obj, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for field, rule in _NAMES:
        value = spec.get(field)
        if value and rule(value):
            causes.append(invalid_value(f"{path}.{field}", value, rule(value)))
    group = part(spec, "schedulingGroup").get("podGroupName")
    if group and dns_subdomain(group):
        causes.append(
            invalid_value(f"{path}.schedulingGroup.podGroupName", group, dns_subdomain(group))
        )
    return causes


def _check_volumes(volumes: list[Obj], path: str, causes: list[Cause]) -> set[str]:
    """The volumes' names; adds what is wrong with them to `causes`."""
    found: set[str] = set()
    for index, volume in enumerate(volumes):
        at = f"{path}[{index}]"
        sources = [source for source in SOURCES if source in volume]
        wrong = [
            forbidden(f"{at}.{extra}", "may not specify more than 1 volume type")
            for extra in sources[1:]
        ]
        if sources:
            wrong += check_source(volume, sources[0], at)
        else:
            wrong.append(required(at, "must specify a volume type"))
        names = set(found)
        check_name(volume["name"], f"{at}.name", names, wrong)
        if not wrong:
            found = names  # what is wrong is no volume that a container could mount
        causes += wrong
    return found


def _check_claims(claims: list[Obj], path: str, causes: list[Cause]) -> set[str]:
    """The claims' names; adds what is wrong with them to `causes`."""
    found: set[str] = set()
    for index, claim in enumerate(claims):
        at = f"{path}[{index}]"
        check_name(claim["name"], f"{at}.name", found, causes)
        sources = [s for s in ("resourceClaimName", "resourceClaimTemplateName") if claim.get(s)]
        if len(sources) > 1:
            message = (
                "Invalid value: at most one of `resourceClaimName` or "
                "`resourceClaimTemplateName` may be specified"
            )
            causes.append(Cause(at, message))
        elif not sources:
            message = (
                "Invalid value: must specify one of: `resourceClaimName`, "
                "`resourceClaimTemplateName`"
            )
            causes.append(Cause(at, message))
        for source in sources:
            if dns_subdomain(claim[source]):
                problem = dns_subdomain(claim[source])
                causes.append(invalid_value(f"{at}.{source}", claim[source], problem))
    return found


def _check_gates(gates: list[Obj], path: str) -> list[Cause]:
    causes: list[Cause] = []
    seen: set[str] = set()
    for index, gate in enumerate(gates):
        at, name = f"{path}[{index}]", gate["name"]
        if qualified_name(name):
            causes.append(invalid_value(at, name, qualified_name(name)))
        if name in seen:
            causes.append(Cause(at, f'Duplicate value: "{name}"', "FieldValueDuplicate"))
        seen.add(name)
    return causes


def _check_host_ports(spec: Obj, path: str) -> list[Cause]:
    """A pod cannot take one port of its node twice."""
    causes: list[Cause] = []
    seen: set[tuple[str, str, int]] = set()
    for index, container in enumerate(entries(spec, "containers")):
        for place, port in enumerate(entries(container, "ports")):
            number = port.get("hostPort")
            if not number:
                continue
            at = f"{path}.containers[{index}].ports[{place}]"
            if spec.get("hostNetwork") and number != port["containerPort"]:
                message = "must match `containerPort` when `hostNetwork` is true"
                causes.append(Cause(f"{at}.hostPort", f"Invalid value: {number}: {message}"))
            mark = (port.get("protocol") or "TCP", port.get("hostIP") or "", number)
            if mark in seen:
                message = f'Duplicate value: "{mark[0]}/{mark[1]}/{number}"'
                causes.append(Cause(f"{at}.hostPort", message, "FieldValueDuplicate"))
            seen.add(mark)
    return causes


# -- updates ------------------------------------------------------------------------
def _validate_update(new: Obj, old: Obj) -> list[Cause]:
    """Most of a pod cannot change once it exists.

    Source: pkg/apis/core/validation `ValidatePodUpdate`.
    """
    if new == old:
        return []
    causes = validate_pod_spec(new, "spec")
    for name in ("containers", "initContainers"):
        if len(entries(new, name)) != len(entries(old, name)):
            message = "pod updates may not add or remove containers"
            return [*causes, forbidden(f"spec.{name}", message)]
        causes += _check_images(entries(new, name), f"spec.{name}")
    late = _check_deadline(new.get("activeDeadlineSeconds"), old.get("activeDeadlineSeconds"))
    if late and new.get("activeDeadlineSeconds") is not None:
        return causes + late
    causes += late + _check_added_tolerations(new, old)
    gates = {gate["name"] for gate in entries(old, "schedulingGates")}
    for index, gate in enumerate(entries(new, "schedulingGates")):
        if gate["name"] not in gates:
            message = f"only deletion is allowed, but found new scheduling gate '{gate['name']}'"
            causes.append(forbidden(f"spec.schedulingGates[{index}].name", message))
    munged = _munged(new, old)
    if gates:
        causes += _steer(munged, old)
    if not is_same("core.PodSpec", old, munged):
        changes = difference("core.PodSpec", old, munged)
        causes.append(forbidden("spec", f"{_UPDATE_HELP}\n{changes}"))
    return causes


def _check_images(containers: list[Obj], path: str) -> list[Cause]:
    message = "must not have leading or trailing whitespace"
    return [
        invalid(f"{path}[{index}].image", image, message)
        for index, each in enumerate(containers)
        if (image := str(each.get("image") or "")) != image.strip()
    ]


def _check_added_tolerations(new: Obj, old: Obj) -> list[Cause]:
    kept = frozenset(map(_toleration, entries(new, "tolerations")))
    if all(_toleration(each) in kept for each in entries(old, "tolerations")):
        return []
    message = "existing toleration can not be modified except its tolerationSeconds"
    return [forbidden("spec.tolerations", message)]


def _toleration(toleration: Obj) -> Hashable:
    """The immutable part of a toleration: all but its duration."""
    return mark_of({k: v for k, v in toleration.items() if k != "tolerationSeconds"})


def _check_deadline(new: int | None, old: int | None) -> list[Cause]:
    path = "spec.activeDeadlineSeconds"
    if old is not None and new is None:
        return [
            Cause(path, "Invalid value: null: must not update from a positive integer to nil value")
        ]
    if old is not None and new is not None and new > old:
        return [Cause(path, f"Invalid value: {new}: must be less than or equal to previous value")]
    return []


_FREE = ("activeDeadlineSeconds", "tolerations", "schedulingGates")


def _munged(new: Obj, old: Obj) -> Obj:
    """The new spec with what may change as it was."""
    munged = {name: value for name, value in new.items() if name not in _FREE}
    munged |= {name: old[name] for name in _FREE if name in old}
    for name in ("containers", "initContainers"):
        if name in munged:
            pairs = zip(munged[name], entries(old, name), strict=True)
            munged[name] = [{**each, "image": before.get("image")} for each, before in pairs]
            munged[name] = munged[name] or None
    grace = "terminationGracePeriodSeconds"
    if int(old.get(grace) or 0) < 0 and munged.get(grace) == 1:
        munged[grace] = old[grace]
    return munged


def _steer(munged: Obj, old: Obj) -> list[Cause]:
    """What may change of a gated pod besides, which is put back in place: more labels of nodes, and
    their affinity."""
    causes: list[Cause] = []
    before, after = part(old, "nodeSelector"), part(munged, "nodeSelector")
    if any(after.get(name) != value for name, value in before.items()):
        message = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        causes.append(invalid("spec.nodeSelector", after, message))
    munged["nodeSelector"] = before or None
    affinity = {n: v for n, v in part(munged, "affinity").items() if n != "nodeAffinity"}
    if "nodeAffinity" in part(old, "affinity"):
        affinity["nodeAffinity"] = old["affinity"]["nodeAffinity"]
    munged["affinity"] = affinity or old.get("affinity")
    return causes


def validate_template(template: Obj, path: str, policies: tuple[str, ...]) -> list[Cause]:
    """Causes to refuse a PodTemplateSpec whose restartPolicy must be one of `policies`."""
    spec = part(template, "spec")
    metadata = part(template, "metadata")
    causes = check_labels(part(metadata, "labels"), f"{path}.labels")
    causes += check_annotations(part(metadata, "annotations"), f"{path}.annotations")
    if "containers" not in spec:
        message = "Required value"
        return [*causes, Cause(f"{path}.spec.containers", message, "FieldValueRequired")]
    causes += validate_pod_spec(spec, f"{path}.spec")
    if spec.get("ephemeralContainers"):
        message = "Forbidden: ephemeral containers not allowed in pod template"
        at = f"{path}.spec.ephemeralContainers"
        causes.append(Cause(at, message, "FieldValueForbidden"))
    policy = spec.get("restartPolicy") or ""
    if policies and policy not in policies:
        allowed = ", ".join(f'"{p}"' for p in policies)
        message = f'Unsupported value: "{policy}": supported values: {allowed}'
        causes.append(Cause(f"{path}.spec.restartPolicy", message, "FieldValueNotSupported"))
    return causes
