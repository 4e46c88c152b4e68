"""Syntax of IP addresses and ranges in fields.

Source: apimachinery `util/validation/ip.go`; kubernetes `pkg/apis/core/validation`
`ValidateEndpointIP`. The messages are upstream's. One rule of upstream's is left out: that an
endpoint may not be in the loopback range, where all pods of an embedded instance have theirs.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Container
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from mizzen.base.errors import Cause
from mizzen.kinds.names import invalid_value

_ZEROS = re.compile(r"(?<![0-9a-fA-F:])0+(?=[0-9])")
_NO_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_NO_RANGE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def parsed(value: str) -> IPv4Address | IPv6Address | None:
    """The address, also of one with leading zeros; None for what is none."""
    try:
        return ipaddress.ip_address(_without_zeros(value))
    except ValueError:
        return None


def is_ipv6(value: str) -> bool:
    return isinstance(parsed(value), IPv6Address)


def check_address(path: str, value: str, before: Container[str] = ()) -> list[Cause]:
    """Causes against an address of an old field; what was there `before` may stay."""
    if value in before:
        return []
    address = parsed(value)
    if address is None or "%" in value:
        return [invalid_value(path, value, _NO_ADDRESS)]
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return [invalid_value(path, value, "must not be an IPv4-mapped IPv6 address")]
    if _without_zeros(value) != value:
        return [invalid_value(path, value, "must not have leading 0s")]
    return []


def check_canonical(path: str, value: str) -> list[Cause]:
    """Causes against an address of a new field, of which one form alone is right."""
    causes = check_address(path, value)
    canonical = str(parsed(value))
    if not causes and canonical != value:
        causes.append(invalid_value(path, value, f'must be in canonical form ("{canonical}")'))
    return causes


def check_range(path: str, value: str, before: Container[str] = ()) -> list[Cause]:
    """Causes against a CIDR; what was there `before` may stay."""
    if value in before:
        return []
    if "/" not in value:
        return [invalid_value(path, value, _NO_RANGE)]
    plain = _without_zeros(value)
    try:
        network = ipaddress.ip_network(plain, strict=False)
    except ValueError:
        return [invalid_value(path, value, _NO_RANGE)]
    if plain != value:
        return [invalid_value(path, value, "must not have leading 0s in IP or prefix length")]
    first, bits = plain.split("/")
    if not bits.isdigit():  # a netmask
        return [invalid_value(path, value, _NO_RANGE)]
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        return [invalid_value(path, value, "must not have an IPv4-mapped IPv6 address")]
    if ipaddress.ip_address(first) != network.network_address:
        return [invalid_value(path, value, "must not have bits set beyond the prefix length")]
    return []


def check_endpoint(path: str, value: str) -> list[Cause]:
    """Causes against the address of an endpoint."""
    address = parsed(value)
    if address is None:
        return [invalid_value(path, value, "must be a valid IP address")]
    causes: list[Cause] = []
    if address.is_unspecified:
        causes.append(invalid_value(path, value, f"may not be unspecified ({value})"))
    if address.is_link_local:
        message = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
        causes.append(invalid_value(path, value, message))
    if address in _LOCAL_MULTICAST[address.version]:
        message = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        causes.append(invalid_value(path, value, message))
    return causes


def warnings_of(path: str, value: str) -> list[str]:
    """Warnings of an address that is accepted in a form that others may read differently."""
    address = parsed(value)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None and str(address) != value:
        return [f'{path}: IPv6 address "{value}" should be in RFC 5952 canonical format '
                f'("{address}")']  # fmt: skip
    return []


def _without_zeros(value: str) -> str:
    """As Go's sloppy parser reads it, which every old field still allows."""
    return value if ":" in value and "." not in value else _ZEROS.sub("", value)


_LOCAL_MULTICAST = {4: IPv4Network("224.0.0.0/24"), 6: IPv6Network("ff02::/16")}
