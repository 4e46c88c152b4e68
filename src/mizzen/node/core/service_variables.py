"""The variables by which containers find Services, exactly as a kubelet sets them.

Source: kubernetes `pkg/kubelet/envvars`, `pkg/kubelet/kubelet_pods.go` getServiceEnvVarMap.
"""

from __future__ import annotations

from collections.abc import Iterable

from mizzen.base.objects import Obj, name_of, namespace_of
from mizzen.base.reading import entries

_MASTER = ("default", "kubernetes")


def service_variables(
    services: Iterable[Obj], namespace: str, enable_service_links: bool
) -> dict[str, str]:
    """Of the Services of the pod's namespace, if it wants them, and of `kubernetes` always."""
    found: dict[str, Obj] = {}
    for service in services:
        name, home = name_of(service), namespace_of(service)
        if (service["spec"].get("clusterIP") or "None") == "None":
            continue
        if (home, name) == _MASTER:
            found.setdefault(name, service)
        elif home == namespace and enable_service_links:
            found[name] = service
    result: dict[str, str] = {}
    for name in sorted(found):
        result |= _of_service(found[name])
    return result


def _of_service(service: Obj) -> dict[str, str]:
    prefix = _variable(name_of(service))
    address = str(service["spec"]["clusterIP"])
    host = f"[{address}]" if ":" in address else address
    ports = entries(service, "spec", "ports")
    result = {f"{prefix}_SERVICE_HOST": address}
    for index, port in enumerate(ports):
        number, protocol = str(port["port"]), str(port.get("protocol") or "TCP")
        url = f"{protocol.lower()}://{host}:{number}"
        if index == 0:
            result[f"{prefix}_SERVICE_PORT"] = number
            result[f"{prefix}_PORT"] = url
        if port.get("name"):
            result[f"{prefix}_SERVICE_PORT_{_variable(port['name'])}"] = number
        link = f"{prefix}_PORT_{number}_{protocol.upper()}"
        result |= {link: url, f"{link}_PROTO": protocol.lower(), f"{link}_PORT": number,
                   f"{link}_ADDR": address}  # fmt: skip
    return result


def _variable(name: str) -> str:
    return name.replace("-", "_").upper()
