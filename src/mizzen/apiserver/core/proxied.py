"""Which address and path a request for `/proxy` means.

Source: apimachinery `util/net/port_split.go`; pkg/registry/core/{pod,service,node}/strategy.go and
rest/subresources.go, Kubernetes 1.36.
"""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address
from typing import NamedTuple

from mizzen.base.errors import BadRequest
from mizzen.base.objects import Obj
from mizzen.base.reading import entries, text

_OWN = IPv4Address("127.0.0.1")  # the machine's, on which everything else listens


class Named(NamedTuple):
    """`https:name:port` in its parts; the scheme is "http" where none is said."""

    scheme: str
    name: str
    port: str


def split(written: str) -> Named:
    """Errors: BadRequest."""
    parts = written.split(":")
    if len(parts) == 1 and written:
        return Named("http", written, "")
    if len(parts) == 2 and all(parts):
        return Named("http", parts[0], parts[1])
    if len(parts) == 3 and parts[0] in ("", "http", "https") and parts[1]:
        return Named(parts[0] or "http", parts[1], parts[2])
    raise BadRequest(f'invalid request "{written}": it must be [https:]name[:port]')


def rest_of(path: str, is_namespaced: bool) -> tuple[str, str]:
    """The path up to `/proxy`, and what follows it, which begins with a slash."""
    parts = path.split("/")
    at = 7 if is_namespaced else 5  # "", api, v1, namespaces, NAMESPACE, plural, NAME, proxy
    return "/".join(parts[: at + 1]), "/" + "/".join(parts[at + 1 :])


def address_of(pod: Obj) -> str:
    """A pod's own address, as nodes told it. Errors: BadRequest where it has none, or one that is
    everybody's."""
    name, told = text(pod, "metadata", "name"), text(pod, "status", "podIP")
    if not told:
        raise BadRequest(f"pod {name} has no address yet (status.podIP)")
    check_address(told)
    return told


def check_address(told: str) -> None:
    """Pods and Services have loopback addresses of their own here, so those are not refused as
    upstream does. Errors: BadRequest."""
    try:
        address = ip_address(told)
    except ValueError as error:
        raise BadRequest(f'"{told}" is no address') from error
    if (
        address == _OWN or address.is_link_local or address.is_multicast or address.is_unspecified
        or (address.version == 6 and address.is_loopback)
    ):  # fmt: skip
        raise BadRequest(f"address not allowed: {told}")


def port_of(pod: Obj, written: str) -> int:
    """A port by number, or by the name that a container gives it; without one the first that a
    container tells. Errors: BadRequest."""
    if written.isdigit() and len(written) <= 5:
        return int(written)
    ports = [port for each in entries(pod, "spec", "containers") for port in entries(each, "ports")]
    if not written:
        return int(ports[0]["containerPort"]) if ports else 80
    for port in ports:
        if port.get("name") == written:
            return int(port["containerPort"])
    raise BadRequest(f'pod {text(pod, "metadata", "name")} has no port "{written}"')


def service_port(service: Obj, written: str) -> int:
    """A port's number by its name or number; the only one where none is said. Errors: LookupError."""
    ports = entries(service, "spec", "ports")
    for port in ports:
        if written in (str(port.get("port")), port.get("name") or "") or (
            not written and len(ports) == 1
        ):
            return int(port["port"])
    name = text(service, "metadata", "name")
    raise LookupError(f'no service port "{written}" found for service "{name}"')
