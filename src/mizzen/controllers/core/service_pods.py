"""The pods behind a Service: which they are, at which addresses and ports, in what state.

Source: k8s.io/endpointslice utils.go, util/controller_utils.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv6Address, ip_address

from mizzen.base.objects import (
    Key,
    Obj,
    has_condition,
    key_of,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from mizzen.base.reading import entries, text
from mizzen.base.resources import PODS, SERVICES
from mizzen.controllers.core.pods import is_finished
from mizzen.controllers.core.view import Index, View

SERVICE_NAME = "kubernetes.io/service-name"
HEADLESS = "service.kubernetes.io/headless"


def addresses_of(pod: Obj, family: str) -> list[str]:
    """The pod's addresses of "IPv4" or "IPv6", in one form."""
    listed = [each.get("ip") for each in entries(pod, "status", "podIPs")]
    found: list[str] = []
    for word in listed or [text(pod, "status", "podIP")]:
        try:
            address = ip_address(word or "")
        except ValueError:
            continue
        if isinstance(address, IPv6Address) == (family == "IPv6"):
            found.append(str(address))
    return found


def _is_candidate(pod: Obj) -> bool:
    return bool(text(pod, "status", "podIP")) and not is_finished(pod)


def _labels(pod: Obj) -> Iterator[str]:
    if _is_candidate(pod):
        namespace = namespace_of(pod)
        for key, value in labels_of(pod).items():
            yield f"{namespace}/{key}={value}"


def _namespace(service: Obj) -> Iterator[str]:
    if service["spec"].get("selector"):
        yield namespace_of(service)


# Of pods that have an address and have not ended: a hundred thousand that have take no room.
BY_LABEL = Index("pods by label", PODS, _labels)
SELECTING = Index("services with a selector", SERVICES, _namespace)


def pods_of(view: View, service: Obj) -> list[Obj]:
    """Pods with an address that its selector matches, by name."""
    selector: Mapping[str, str] = service["spec"].get("selector") or {}
    if not selector:
        return []
    namespace = namespace_of(service)
    words = [f"{namespace}/{key}={value}" for key, value in selector.items()]
    rarest = min(words, key=lambda word: view.count(BY_LABEL, word))
    return [pod for pod in view.find(BY_LABEL, rarest) if _matches(selector, pod)]


def services_of(view: View, pod: Obj) -> list[Key]:
    """Services whose endpoints the pod is, was or may be."""
    if not text(pod, "status", "podIP"):
        return []
    found = view.find(SELECTING, namespace_of(pod))
    return [key_of(each) for each in found if _matches(each["spec"]["selector"], pod)]


def _matches(selector: Mapping[str, str], pod: Obj) -> bool:
    labels = labels_of(pod)
    return all(labels.get(key) == value for key, value in selector.items())


def is_ready(pod: Obj) -> bool:
    return has_condition(pod, "Ready")


def has_selector(service: Obj) -> bool:
    """True if the controllers, and not people, make the Service's endpoints."""
    spec: Obj = service["spec"]
    return spec.get("type") != "ExternalName" and spec.get("selector") is not None


def is_headless(service: Obj) -> bool:
    return service["spec"].get("clusterIP") in (None, "", "None")


def hostname_of(pod: Obj, service: Obj) -> str:
    """The name by which the Service knows the pod, "" if by none."""
    spec: Obj = pod["spec"]
    return str(spec.get("hostname") or "") if spec.get("subdomain") == name_of(service) else ""


def ports_of(pod: Obj, service: Obj) -> list[Obj]:
    """The pod's ports as endpoints name them; one that a name leads to nothing is left out."""
    found: list[Obj] = []
    for port in entries(service, "spec", "ports"):
        number = _number(pod, port)
        if number is not None:
            entry: Obj = {"name": port.get("name") or "", "protocol": port["protocol"],
                          "port": number}  # fmt: skip
            if port.get("appProtocol") is not None:
                entry["appProtocol"] = port["appProtocol"]
            found.append(entry)
    return found


def _number(pod: Obj, port: Obj) -> int | None:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    sidecars = [c for c in entries(pod, "spec", "initContainers")
                if c.get("restartPolicy") == "Always"]  # fmt: skip
    for container in [*entries(pod, "spec", "containers"), *sidecars]:
        for named in container.get("ports") or ():
            protocol = named.get("protocol") or "TCP"
            if named.get("name") == target and protocol == port["protocol"]:
                return int(named["containerPort"])
    return None


def target_reference(pod: Obj) -> Obj:
    return {"kind": "Pod", "namespace": namespace_of(pod), "name": name_of(pod), "uid": uid_of(pod)}
