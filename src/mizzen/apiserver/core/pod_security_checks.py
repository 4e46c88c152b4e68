"""Checks of the Pod Security Standards: each says why a pod is not allowed, or None.

Source: k8s.io/pod-security-admission/policy, v0.36.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import Any, NamedTuple

from mizzen.apiserver.core.policy_rules import quoted
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, field, part, text

BASELINE, RESTRICTED = "baseline", "restricted"
NEWEST_MINOR = 35  # the last version in which a check changed
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP_CONTAINER = "container.seccomp.security.alpha.kubernetes.io/"
_CAPABILITIES = frozenset((
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
    "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
))  # fmt: skip
_PROFILES = ("RuntimeDefault", "Localhost")
_VOLUMES_ALLOWED = (
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim",
    "projected", "secret",
)  # fmt: skip
_VOLUMES_REFUSED = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "nfs", "iscsi",
    "glusterfs", "rbd", "flexVolume", "cinder", "cephfs", "flocker", "fc", "azureFile",
    "vsphereVolume", "quobyte", "azureDisk", "photonPersistentDisk", "portworxVolume", "scaleIO",
    "storageos",
)  # fmt: skip
_SELINUX_0 = frozenset(("", "container_t", "container_init_t", "container_kvm_t"))
_SYSCTLS_0 = frozenset((
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start",
))  # fmt: skip
_SYSCTLS_27 = _SYSCTLS_0 | {"net.ipv4.ip_local_reserved_ports"}
_SYSCTLS_29 = _SYSCTLS_27 | {
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip
_SYSCTLS_32 = _SYSCTLS_29 | {"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"}


class Violation(NamedTuple):
    """A check that a pod fails; `detail` names the values."""

    reason: str
    detail: str


Annotations = dict[str, Any]
Check = Callable[[Annotations, Obj], Violation | None]


def _containers(spec: Obj) -> Iterator[tuple[str, Obj, Obj]]:
    """Name, container, its security context."""
    for kind in _CONTAINERS:
        for each in spec.get(kind) or ():
            yield each.get("name") or "", each, each.get("securityContext") or {}


def _named(names: list[str]) -> str:
    return _listed("container", "containers", names)


def _listed(one: str, several: str, names: Iterable[str]) -> str:
    names = list(names)
    return f"{one if len(names) == 1 else several} {_joined(names)}"


def _joined(items: Iterable[str]) -> str:
    return ", ".join(f'"{item}"' for item in items)


def _setters(by_pod: bool, containers: list[str]) -> str:
    """`pod and container "a"`; "" where nobody set it."""
    return " and ".join(
        (*(("pod",) if by_pod else ()), *((_named(containers),) if containers else ()))
    )


def _is_windows(spec: Obj) -> bool:
    return text(spec, "os", "name") == "windows"


def _has_users_of_its_own(spec: Obj) -> bool:
    return spec.get("hostUsers") is False


def _is_bad_profile(values: set[str], profile: Any) -> bool:
    """True for a type of profile that is not allowed, which is added to `values`."""
    if profile is None or text(profile, "type") in _PROFILES:
        return False
    values.add(text(profile, "type"))
    return True


def _app_armor(annotations: Annotations, spec: Obj) -> Violation | None:
    profile = field(spec, "securityContext", "appArmorProfile")
    values: set[str] = set()
    is_bad = partial(_is_bad_profile, values)
    by_pod = is_bad(profile)
    bad = [name for name, _, own in _containers(spec) if is_bad(own.get("appArmorProfile"))]
    setters, found = _setters(by_pod, bad), sorted(values)
    wrong = sorted(
        f"{key}={quoted(value)}"
        for key, value in annotations.items()
        if key.startswith(_APP_ARMOR)
        and value not in ("", "runtime/default")
        and not value.startswith("localhost/")
    )
    if wrong:
        found += wrong
        said = "annotation" if len(wrong) == 1 else "annotations"
        setters = f"{setters} and {said}" if setters else said
    if not setters:
        return None
    reason = "forbidden AppArmor profile" if len(found) == 1 else "forbidden AppArmor profiles"
    return Violation(reason, f"{setters} must not set AppArmor profile type to {_joined(found)}")


def _capabilities_baseline(annotations: Annotations, spec: Obj) -> Violation | None:
    bad: list[str] = []
    added: set[str] = set()
    for name, _, own in _containers(spec):
        wrong = set(field(own, "capabilities", "add") or ()) - _CAPABILITIES
        if wrong:
            added |= wrong
            bad.append(name)
    if not bad:
        return None
    return Violation(
        "non-default capabilities",
        f"{_named(bad)} must not include {_joined(sorted(added))} "
        "in securityContext.capabilities.add",
    )


def _host_namespaces(annotations: Annotations, spec: Obj) -> Violation | None:
    shared = [f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)]
    return Violation("host namespaces", ", ".join(shared)) if shared else None


def _host_path_volumes(annotations: Annotations, spec: Obj) -> Violation | None:
    volumes = entries(spec, "volumes")
    bad = [each["name"] for each in volumes if each.get("hostPath") is not None]
    return Violation("hostPath volumes", _listed("volume", "volumes", bad)) if bad else None


def _host_ports(annotations: Annotations, spec: Obj) -> Violation | None:
    bad: list[str] = []
    ports: set[str] = set()
    for name, container, _ in _containers(spec):
        found = {str(p["hostPort"]) for p in container.get("ports") or () if p.get("hostPort")}
        if found:
            bad.append(name)
            ports |= found
    if not bad:
        return None
    verb = "uses" if len(bad) == 1 else "use"
    noun = "hostPort" if len(ports) == 1 else "hostPorts"
    return Violation("hostPort", f"{_named(bad)} {verb} {noun} {', '.join(sorted(ports))}")


def _host_probes(annotations: Annotations, spec: Obj) -> Violation | None:
    bad: set[str] = set()
    hosts: set[str] = set()
    for name, container, _ in _containers(spec):
        handlers = [
            *(
                container.get(probe)
                for probe in ("livenessProbe", "readinessProbe", "startupProbe")
            ),
            *(part(container, "lifecycle", moment) for moment in ("postStart", "preStop")),
        ]
        found = {
            text(handler, how, "host")
            for handler in handlers
            if handler
            for how in ("httpGet", "tcpSocket")
        } - {""}
        if found:
            bad.add(name)
            hosts |= found
    if not bad:
        return None
    verb = "uses" if len(bad) == 1 else "use"
    listed = _listed("probe or lifecycle host", "probe or lifecycle hosts", sorted(hosts))
    return Violation("probe or lifecycle host", f"{_named(sorted(bad))} {verb} {listed}")


def _privileged(annotations: Annotations, spec: Obj) -> Violation | None:
    bad = [name for name, _, own in _containers(spec) if own.get("privileged")]
    if not bad:
        return None
    return Violation("privileged", f"{_named(bad)} must not set securityContext.privileged=true")


def _proc_mount(annotations: Annotations, spec: Obj) -> Violation | None:
    bad: list[str] = []
    mounts: set[str] = set()
    for name, _, own in _containers(spec):
        mount = own.get("procMount")
        if mount not in (None, "Default"):
            bad.append(name)
            mounts.add(mount)
    if not bad:
        return None
    said = f"{_named(bad)} must not set securityContext.procMount to {_joined(sorted(mounts))}"
    return Violation("procMount", said)


def _selinux(allowed: frozenset[str], annotations: Annotations, spec: Obj) -> Violation | None:
    types: set[str] = set()
    others: set[str] = set()

    def is_bad(options: Any) -> bool:
        if options is None:
            return False
        kind = text(options, "type")
        found = {name for name in ("user", "role") if text(options, name)}
        others.update(found)
        if kind not in allowed:
            types.add(kind)
        return kind not in allowed or bool(found)

    by_pod = is_bad(field(spec, "securityContext", "seLinuxOptions"))
    bad = [name for name, _, own in _containers(spec) if is_bad(own.get("seLinuxOptions"))]
    setters = _setters(by_pod, bad)
    if not setters:
        return None
    said = [_listed("type", "types", sorted(types))] if types else []
    said += [f"{name} may not be set" for name in ("user", "role") if name in others]
    forbidden = f"{setters} set forbidden securityContext.seLinuxOptions: {'; '.join(said)}"
    return Violation("seLinuxOptions", forbidden)


def _seccomp_annotations(annotations: Annotations, spec: Obj) -> Violation | None:
    keys = {_SECCOMP_POD, *(f"{_SECCOMP_CONTAINER}{name}" for name, _, _ in _containers(spec))}
    wrong = sorted(
        f"{key}={quoted(annotations[key])}"
        for key in keys & annotations.keys()
        if annotations[key] not in ("runtime/default", "docker/default")
        and not annotations[key].startswith("localhost/")
    )
    if not wrong:
        return None
    said = "annotation" if len(wrong) == 1 else "annotations"
    return Violation("seccompProfile", f"forbidden {said} {', '.join(wrong)}")


def _seccomp(must: bool, annotations: Annotations, spec: Obj) -> Violation | None:
    """`must`: pod or containers have to have a profile."""
    values: set[str] = set()
    is_bad = partial(_is_bad_profile, values)
    profile = field(spec, "securityContext", "seccompProfile")
    by_pod = is_bad(profile)
    bad = [name for name, _, own in _containers(spec) if is_bad(own.get("seccompProfile"))]
    setters = _setters(by_pod, bad)
    if setters:
        said = f"must not set securityContext.seccompProfile.type to {_joined(sorted(values))}"
        return Violation("seccompProfile", f"{setters} {said}")
    if not must or profile is not None:
        return None
    silent = [name for name, _, own in _containers(spec) if own.get("seccompProfile") is None]
    if not silent:
        return None
    said = 'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"'
    return Violation("seccompProfile", f"pod or {_named(silent)} {said}")


def _sysctls(allowed: frozenset[str], annotations: Annotations, spec: Obj) -> Violation | None:
    names = [text(each, "name") for each in entries(spec, "securityContext", "sysctls")]
    bad = [name for name in names if name not in allowed]
    return Violation("forbidden sysctls", ", ".join(bad)) if bad else None


def _windows_host_process(annotations: Annotations, spec: Obj) -> Violation | None:
    path = ("windowsOptions", "hostProcess")
    bad = [name for name, _, own in _containers(spec) if field(own, *path)]
    setters = _setters(bool(field(spec, "securityContext", *path)), bad)
    if not setters:
        return None
    said = f"{setters} must not set securityContext.windowsOptions.hostProcess=true"
    return Violation("hostProcess", said)


def _privilege_escalation(annotations: Annotations, spec: Obj) -> Violation | None:
    bad = [n for n, _, own in _containers(spec) if own.get("allowPrivilegeEscalation") is not False]
    if not bad:
        return None
    said = f"{_named(bad)} must set securityContext.allowPrivilegeEscalation=false"
    return Violation("allowPrivilegeEscalation != false", said)


def _capabilities_restricted(annotations: Annotations, spec: Obj) -> Violation | None:
    keeping: list[str] = []
    adding: list[str] = []
    added: set[str] = set()
    for name, _, own in _containers(spec):
        if "ALL" not in (field(own, "capabilities", "drop") or ()):
            keeping.append(name)
        wrong = set(field(own, "capabilities", "add") or ()) - {"NET_BIND_SERVICE"}
        if wrong:
            adding.append(name)
            added |= wrong
    said: list[str] = []
    if keeping:
        said.append(f'{_named(keeping)} must set securityContext.capabilities.drop=["ALL"]')
    if adding:
        said.append(
            f"{_named(adding)} must not include {_joined(sorted(added))} "
            "in securityContext.capabilities.add"
        )
    return Violation("unrestricted capabilities", "; ".join(said)) if said else None


def _restricted_volumes(annotations: Annotations, spec: Obj) -> Violation | None:
    bad: list[str] = []
    sources: set[str] = set()
    for volume in entries(spec, "volumes"):
        if any(volume.get(source) is not None for source in _VOLUMES_ALLOWED):
            continue
        bad.append(volume["name"])
        found = (source for source in _VOLUMES_REFUSED if volume.get(source) is not None)
        sources.add(next(found, "unknown"))
    if not bad:
        return None
    verb = "uses" if len(bad) == 1 else "use"
    listed = _listed("restricted volume type", "restricted volume types", sorted(sources))
    said = f"{_listed('volume', 'volumes', bad)} {verb} {listed}"
    return Violation("restricted volume types", said)


def _run_as_non_root(annotations: Annotations, spec: Obj) -> Violation | None:
    by_pod = field(spec, "securityContext", "runAsNonRoot")
    said = [(name, own.get("runAsNonRoot")) for name, _, own in _containers(spec)]
    setters = _setters(by_pod is False, [name for name, value in said if value is False])
    if setters:
        text_ = f"{setters} must not set securityContext.runAsNonRoot=false"
        return Violation("runAsNonRoot != true", text_)
    silent = [] if by_pod else [name for name, value in said if value is None]
    if not silent:
        return None
    text_ = f"pod or {_named(silent)} must set securityContext.runAsNonRoot=true"
    return Violation("runAsNonRoot != true", text_)


def _run_as_user(annotations: Annotations, spec: Obj) -> Violation | None:
    bad = [name for name, _, own in _containers(spec) if own.get("runAsUser") == 0]
    setters = _setters(field(spec, "securityContext", "runAsUser") == 0, bad)
    return Violation("runAsUser=0", f"{setters} must not set runAsUser=0") if setters else None


def _unless(is_exempt: Callable[[Obj], bool], check: Check) -> Check:
    return lambda annotations, spec: None if is_exempt(spec) else check(annotations, spec)


class _Versions(NamedTuple):
    """The minor versions from which on each form of a check holds, and the baseline's check
    that it stands in place of."""

    forms: tuple[tuple[int, Check], ...]
    instead_of: str = ""


# In the order of their ids, in which messages name them.
_BASELINE = {
    "appArmorProfile": _Versions(((0, _app_armor),)),
    "capabilities_baseline": _Versions(((0, _capabilities_baseline),)),
    "hostNamespaces": _Versions(((0, _host_namespaces),)),
    "hostPathVolumes": _Versions(((0, _host_path_volumes),)),
    "hostPorts": _Versions(((0, _host_ports),)),
    "hostProbesAndHostLifecycle": _Versions(((34, _host_probes),)),
    "privileged": _Versions(((0, _privileged),)),
    "procMount": _Versions(
        ((0, _proc_mount), (35, _unless(_has_users_of_its_own, _proc_mount)))
    ),
    "seLinuxOptions": _Versions((
        (0, partial(_selinux, _SELINUX_0)),
        (31, partial(_selinux, _SELINUX_0 | {"container_engine_t"})),
    )),
    "seccompProfile_baseline": _Versions(((0, _seccomp_annotations), (19, partial(_seccomp, False)))),
    "sysctls": _Versions((
        (0, partial(_sysctls, _SYSCTLS_0)),
        (27, partial(_sysctls, _SYSCTLS_27)),
        (29, partial(_sysctls, _SYSCTLS_29)),
        (32, partial(_sysctls, _SYSCTLS_32)),
    )),
    "windowsHostProcess": _Versions(((0, _windows_host_process),)),
}  # fmt: skip
_RESTRICTED = {
    "allowPrivilegeEscalation": _Versions(
        ((8, _privilege_escalation), (25, _unless(_is_windows, _privilege_escalation)))
    ),
    "capabilities_restricted": _Versions(
        ((22, _capabilities_restricted), (25, _unless(_is_windows, _capabilities_restricted))),
        "capabilities_baseline",
    ),
    "procMount_restricted": _Versions(((35, _proc_mount),), "procMount"),
    "restrictedVolumes": _Versions(((0, _restricted_volumes),), "hostPathVolumes"),
    "runAsNonRoot": _Versions(
        ((0, _run_as_non_root), (35, _unless(_has_users_of_its_own, _run_as_non_root)))
    ),
    "runAsUser": _Versions(
        ((23, _run_as_user), (35, _unless(_has_users_of_its_own, _run_as_user)))
    ),
    "seccompProfile_restricted": _Versions(
        ((19, partial(_seccomp, True)), (25, _unless(_is_windows, partial(_seccomp, True)))),
        "seccompProfile_baseline",
    ),
}  # fmt: skip


@lru_cache(maxsize=2 * (NEWEST_MINOR + 1))
def checks_of(level: str, minor: int) -> tuple[Check, ...]:
    """The checks of baseline or restricted as of a minor version, at most `NEWEST_MINOR`."""
    chosen = {name: _form(each, minor) for name, each in _BASELINE.items()}
    if level == RESTRICTED:
        for name, each in _RESTRICTED.items():
            form = _form(each, minor)
            if form is not None:
                chosen[each.instead_of] = None
                chosen[name] = form
    return tuple(check for check in chosen.values() if check is not None)


def _form(check: _Versions, minor: int) -> Check | None:
    form = None
    for since, each in check.forms:
        if since <= minor:
            form = each
    return form
