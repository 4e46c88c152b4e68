"""IP addresses, CIDR blocks and URLs.

Source: k8s.io/apiserver/pkg/cel/library/{ip,cidr,urls}.go, v0.36; Go's net/netip and net/url.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface
from urllib.parse import unquote

from mizzen.cel.values import CIDR, IP, URL, Err, Map, no_overload

_DIGITS = re.compile(r"[0-9]{1,3}\Z")


def parse_ip(text: str) -> IP | Err:
    """An address without a zone, not an IPv4 one inside IPv6."""
    try:
        address = ip_address(text)
    except ValueError as error:
        return Err(f"IP address {text[:100]!r} does not parse: {error}")
    if "%" in text:
        return Err(f"IP address {text[:100]!r} with zone value is not allowed")
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return Err(f"IPv4-mapped IPv6 address {text[:100]!r} is not allowed")
    return IP(address)


def parse_cidr(text: str) -> CIDR | Err:
    address, slash, bits = text.rpartition("/")
    parsed = parse_ip(address)
    if isinstance(parsed, Err):
        return parsed
    fits = slash and _DIGITS.match(bits) and (bits == "0" or bits[0] != "0")
    if not fits or int(bits) > parsed.address.max_prefixlen:
        return Err(f"network address {text[:100]!r} has no such prefix length")
    return CIDR(ip_interface(text))


def ip(args: list[object]) -> object:
    return parse_ip(str(args[0]))


def cidr(args: list[object]) -> object:
    return parse_cidr(str(args[0]))


def is_ip(args: list[object]) -> object:
    return not isinstance(parse_ip(str(args[0])), Err)


def is_cidr(args: list[object]) -> object:
    return not isinstance(parse_cidr(str(args[0])), Err)


def ip_text(address: IPv4Address | IPv6Address) -> str:
    """The canonical form."""
    return str(address)


def is_canonical(args: list[object]) -> object:
    parsed = parse_ip(str(args[0]))
    return parsed if isinstance(parsed, Err) else ip_text(parsed.address) == args[0]


def text_of(args: list[object]) -> object:
    value = args[0]
    if isinstance(value, CIDR):
        return f"{ip_text(value.network.ip)}/{value.network.network.prefixlen}"
    return ip_text(value.address)  # type: ignore[attr-defined]


def family(args: list[object]) -> object:
    return args[0].address.version  # type: ignore[attr-defined]


def _is_link_local_multicast(address: IPv4Address | IPv6Address) -> bool:
    octets = address.packed
    if address.version == 4:
        return octets[:3] == bytes((224, 0, 0))
    return octets[0] == 0xFF and octets[1] & 0x0F == 0x02


def _is_global_unicast(address: IPv4Address | IPv6Address) -> bool:
    broadcast = address.packed == b"\xff" * 4
    return not (
        broadcast
        or address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or address.is_link_local
    )


_PROPERTIES: dict[str, Callable[[IPv4Address | IPv6Address], bool]] = {
    "ip_is_unspecified": lambda a: a.is_unspecified,
    "ip_is_loopback": lambda a: a.is_loopback,
    "ip_is_link_local_multicast": _is_link_local_multicast,
    "ip_is_link_local_unicast": lambda a: a.is_link_local,
    "ip_is_global_unicast": _is_global_unicast,
}
PROPERTIES = tuple(_PROPERTIES)


def property_of(overload: str) -> Callable[[list[object]], object]:
    holds = _PROPERTIES[overload]
    return lambda args: holds(args[0].address)  # type: ignore[attr-defined]


def contains_ip(args: list[object]) -> object:
    block, inner = args
    if isinstance(inner, str):
        inner = parse_ip(inner)
    if not isinstance(block, CIDR) or not isinstance(inner, IP):
        return no_overload(inner, block)
    same = block.network.version == inner.address.version
    return same and inner.address in block.network.network


def contains_cidr(args: list[object]) -> object:
    block, inner = args
    if isinstance(inner, str):
        inner = parse_cidr(inner)
    if not isinstance(block, CIDR) or not isinstance(inner, CIDR):
        return no_overload(inner, block)
    outer, other = block.network.network, inner.network.network
    if outer.version != other.version or outer.prefixlen > other.prefixlen:
        return False
    return other.network_address in outer


def masked(args: list[object]) -> object:
    return CIDR(ip_interface(str(args[0].network.network)))  # type: ignore[attr-defined]


def prefix_length(args: list[object]) -> object:
    return args[0].network.network.prefixlen  # type: ignore[attr-defined]


def cidr_ip(args: list[object]) -> object:
    return IP(args[0].network.ip)  # type: ignore[attr-defined]


# -- URLs ---------------------------------------------------------------------------------------

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*\Z")
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_HOST = re.compile(r"[^\s<>\"%/?#\\^`{|}]*\Z")
_KEPT = "$&+,/:;=@-_.~!'()*[]%"


def parse_url(text: str) -> URL | Err:
    """An absolute URL or path, as a request line has it."""
    bad = Err(f"{text[:100]!r} is no absolute URL")
    if not text or any(ord(c) < 0x20 or ord(c) == 0x7F for c in text):
        return bad
    scheme, rest = "", text
    head, colon, tail = text.partition(":")
    if colon and _SCHEME.match(head):
        scheme, rest = head.lower(), tail
    elif colon and "/" not in head:
        return bad
    if rest == "*" and not scheme:
        return URL(text, "", "", "*", "")
    if not rest.startswith("/"):
        return URL(text, scheme, "", "", "") if scheme and rest else bad
    before, _, _fragment = rest.partition("#")
    if _BROKEN_ESCAPE.search(rest.partition("?")[0]):
        return bad
    path, _, query = before.partition("?")
    host = ""
    if path.startswith("//") and not path.startswith("///") and scheme:
        authority, slash, after = path[2:].partition("/")
        host, path = authority.rpartition("@")[2], slash + after
        if not _host_fits(host):
            return bad
    return URL(text, scheme, host, path, query)


def _host_fits(host: str) -> bool:
    if host.startswith("["):
        inner, bracket, port = host[1:].partition("]")
        return bool(bracket) and bool(inner) and _port_fits(port)
    name, colon, port = host.partition(":")
    if colon and ":" in port:
        return False
    return _HOST.match(name) is not None and _port_fits(colon + port)


def _port_fits(port: str) -> bool:
    return not port or (port[0] == ":" and (port[1:].isdigit() or port == ":"))


def url(args: list[object]) -> object:
    return parse_url(str(args[0]))


def is_url(args: list[object]) -> object:
    return not isinstance(parse_url(str(args[0])), Err)


def _split_host(host: str) -> tuple[str, str]:
    if host.startswith("["):
        inner, _, port = host[1:].partition("]")
        return inner, port.removeprefix(":")
    name, _, port = host.partition(":")
    return name, port


def _escaped(path: str) -> str:
    """The path as written, except for characters that no path may hold."""
    return "".join(
        c
        if c.isascii() and (c.isalnum() or c in _KEPT)
        else "".join(f"%{b:02X}" for b in c.encode())
        for c in path
    )


def url_part(name: str) -> Callable[[list[object]], object]:
    def of(args: list[object]) -> object:
        value = args[0]
        assert isinstance(value, URL)
        match name:
            case "getScheme":
                return value.scheme
            case "getHost":
                return value.host
            case "getHostname":
                return _split_host(value.host)[0]
            case "getPort":
                return _split_host(value.host)[1]
            case "getEscapedPath":
                return _escaped(value.path)
            case _:
                return _query(value.query)

    return of


URL_PARTS = ("getScheme", "getHost", "getHostname", "getPort", "getEscapedPath", "getQuery")


def _query(text: str) -> Map:
    found: dict[str, list[object]] = {}
    for pair in text.split("&"):
        if not pair or ";" in pair or _BROKEN_ESCAPE.search(pair):
            continue
        key, _, value = pair.partition("=")
        found.setdefault(unquote(key.replace("+", " ")), []).append(
            unquote(value.replace("+", " "))
        )
    return Map(found.items())
