"""Names of resources that are counted (cpu, memory, example.com/gpu), and their amounts.

Source: pkg/apis/core/validation validateResourceName, ValidateResourceQuantityValue;
pkg/apis/core/helper; Kubernetes 1.36.
"""

from __future__ import annotations

from typing import Any

from mizzen.base.errors import Cause
from mizzen.base.label_syntax import key_problems
from mizzen.base.quantity import parse
from mizzen.kinds.names import invalid_value

_NATIVE = ("cpu", "memory", "ephemeral-storage")
_COUNTED = frozenset(
    ("pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
     "persistentvolumeclaims", "services.nodeports", "services.loadbalancers")
)  # fmt: skip
_OF_QUOTAS = _COUNTED | {
    *_NATIVE, "requests.storage",
    *(f"{side}.{name}" for side in ("requests", "limits") for name in _NATIVE),
}  # fmt: skip


def check_resource_name(name: str, path: str) -> list[Cause]:
    """Causes to refuse the name of any resource."""
    problems = key_problems(name)
    if not problems and "/" not in name and name != "storage" and not is_of_quotas(name):
        problems = ["must be a standard resource type or fully qualified"]
    return [invalid_value(path, name, each) for each in problems]


def check_container_resource(name: str, path: str) -> list[Cause]:
    """Causes to refuse the name of a container's resource."""
    causes = check_resource_name(name, path)
    if name.count("/") == 0:
        if name not in _NATIVE and not name.startswith("hugepages-"):
            causes.append(invalid_value(path, name, "must be a standard resource for containers"))
    elif "kubernetes.io/" not in name and not _is_extended(name):
        what = "doesn't follow extended resource name standard"
        causes.append(invalid_value(path, name, what))
    return causes


def check_quota_resource(name: str, path: str) -> list[Cause]:
    """Causes to refuse the name of a quota's resource."""
    causes = check_resource_name(name, path)
    if "/" not in name and not is_of_quotas(name):
        causes.append(invalid_value(path, name, "must be a standard resource for quota"))
    return causes


def is_of_quotas(name: str) -> bool:
    """True of a name without a domain that quotas count."""
    return name in _OF_QUOTAS or name.startswith(("hugepages-", "requests.hugepages-"))


def check_amount(name: str, value: Any, path: str) -> list[Cause]:
    """Causes to refuse so much of a resource."""
    amount, causes = parse(value), list[Cause]()
    if amount.numerator < 0:
        causes.append(invalid_value(path, value, "must be greater than or equal to 0"))
    if (name in _COUNTED or _is_extended(name)) and (amount * 1000).__ceil__() % 1000:
        causes.append(invalid_value(path, value, "must be an integer"))
    return causes


def _is_extended(name: str) -> bool:
    is_native = "/" not in name or "kubernetes.io/" in name
    return not (is_native or name.startswith("requests.") or key_problems(f"requests.{name}"))
