"""The Pod Security Standard that a namespace's labels ask for, and what a pod is told by it.

Source: k8s.io/pod-security-admission/{api,admission}, v0.36.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from mizzen.apiserver.core.pod_security_checks import (
    BASELINE,
    NEWEST_MINOR,
    RESTRICTED,
    Violation,
    checks_of,
)
from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, part, text

PREFIX = "pod-security.kubernetes.io/"
_PRIVILEGED = "privileged"
_LEVELS = (_PRIVILEGED, BASELINE, RESTRICTED)  # the later the stricter
_VERSION = re.compile(r"v1\.([0-9]|[1-9][0-9]*)")
_LATEST = -1


class LevelVersion(NamedTuple):
    """A level as of a minor version of Kubernetes."""

    level: str = _PRIVILEGED
    minor: int = _LATEST

    def __str__(self) -> str:
        return f"{self.level}:{'latest' if self.minor == _LATEST else f'v1.{self.minor}'}"

    def is_stricter(self, other: LevelVersion) -> bool:
        return _LEVELS.index(self.level) > _LEVELS.index(other.level)

    def violations(self, annotations: Mapping[str, Any], spec: Obj) -> list[Violation]:
        """Why a pod is not allowed; empty if it is."""
        if self.level == _PRIVILEGED:
            return []
        minor = NEWEST_MINOR if self.minor == _LATEST else min(self.minor, NEWEST_MINOR)
        made = (check(dict(annotations), spec) for check in checks_of(self.level, minor))
        return [violation for violation in made if violation is not None]


PRIVILEGED = LevelVersion()


class Policy(NamedTuple):
    """The standards of one namespace: what is refused, what is recorded, what is warned of."""

    enforce: LevelVersion = PRIVILEGED
    audit: LevelVersion = PRIVILEGED
    warn: LevelVersion = PRIVILEGED

    @property
    def is_privileged(self) -> bool:
        return all(each.level == _PRIVILEGED for each in self)


def policy_of(labels: Mapping[str, str]) -> tuple[Policy, list[Cause]]:
    """The policy that labels say, and what is wrong with them: where they cannot be read,
    enforcing is strictest, audit and warn are off."""
    causes: list[Cause] = []

    def level(mode: str, otherwise: str) -> str:
        value = labels.get(PREFIX + mode)
        if value is None or value in _LEVELS:
            return value or _PRIVILEGED
        causes.append(_wrong(mode, value, f"must be one of {', '.join(_LEVELS)}"))
        return otherwise

    def version(mode: str) -> int:
        mode += "-version"
        value = labels.get(PREFIX + mode, "latest")
        match = _VERSION.fullmatch(value)
        if match is None and value != "latest":
            causes.append(_wrong(mode, value, 'must be "latest" or "v1.x"'))
        return int(match[1]) if match else _LATEST

    enforce = LevelVersion(level("enforce", RESTRICTED), version("enforce"))
    has_enforce = labels.get(f"{PREFIX}enforce") in _LEVELS
    audit = LevelVersion(level("audit", _PRIVILEGED), version("audit"))
    warn = LevelVersion(level("warn", _PRIVILEGED), version("warn"))
    if f"{PREFIX}warn" not in labels and has_enforce and enforce.is_stricter(warn):
        has_version = f"{PREFIX}warn-version" in labels
        warn = LevelVersion(enforce.level, warn.minor if has_version else enforce.minor)
    return Policy(enforce, audit, warn), causes


def _wrong(mode: str, value: str, why: str) -> Cause:
    return Cause(f"metadata.labels[{PREFIX}{mode}]", f'Invalid value: "{value}": {why}')


def detail(violations: Sequence[Violation]) -> str:
    """All that is wrong, with values, for one pod."""
    return ", ".join(f"{v.reason} ({v.detail})" if v.detail else v.reason for v in violations)


def is_significant(new: Obj, old: Obj) -> bool:
    """True if an update of a pod's spec touches what is judged: containers and their images."""
    for kind in ("containers", "initContainers"):
        mine, others = entries(new, kind), entries(old, kind)
        if len(mine) != len(others):
            return True
        if any(a.get("image") != b.get("image") for a, b in zip(mine, others, strict=True)):
            return True
    before = {each["name"]: each.get("image") for each in entries(old, "ephemeralContainers")}
    return any(
        each["name"] not in before or before[each["name"]] != each.get("image")
        for each in entries(new, "ephemeralContainers")
    )


def prioritized(pods: Iterable[Obj]) -> list[Obj]:
    """One pod of each controller before its others."""
    first: list[Obj] = []
    others: list[Obj] = []
    seen: set[str] = set()
    for pod in pods:
        owners = entries(pod, "metadata", "ownerReferences")
        uid = next((text(each, "uid") for each in owners if each.get("controller")), "")
        (others if uid and uid in seen else first).append(pod)
        seen.add(uid)
    return first + others


def existing_pods_warnings(
    namespace: str, enforce: LevelVersion, pods: Sequence[Obj], total: int
) -> list[str]:
    """What is told when a namespace enforces more than before: pods that it has already and would
    not admit. `pods` are those of the `total` that are looked at."""
    by_reason: dict[str, list[str]] = {}
    for pod in pods:
        found = enforce.violations(part(pod, "metadata", "annotations"), part(pod, "spec"))
        if found:
            reason = ", ".join(each.reason for each in found)
            by_reason.setdefault(reason, []).append(pod["metadata"]["name"])
    warnings: list[str] = []
    if len(pods) < total:
        warnings.append(
            f"new PodSecurity enforce level only checked against the first {len(pods)} of {total} "
            "existing pods"
        )
    if by_reason:
        warnings.append(
            f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level '
            f'"{enforce}"'
        )
    return warnings + sorted(
        f"{min(names)}{_more(len(names) - 1)}: {reason}" for reason, names in by_reason.items()
    )


def _more(count: int) -> str:
    if not count:
        return ""
    return f" (and {count} other pod{'' if count == 1 else 's'})"
