"""Formats of strings in users' schemas, each as a yes or no; names that are not known say nothing.

Source: k8s.io/kube-openapi `pkg/validation/strfmt/default.go`, which upstream validates with.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from datetime import date

from mizzen.kinds.times import is_moment

# Of texts, without their dashes, as upstream reads schemas.
TEXT_FORMATS = frozenset(
    [
        "bsonobjectid",
        "uri",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "cidr",
        "mac",
        "uuid",
        "uuid3",
        "uuid4",
        "uuid5",
        "isbn",
        "isbn10",
        "isbn13",
        "creditcard",
        "ssn",
        "hexcolor",
        "rgbcolor",
        "byte",
        "password",
        "date",
        "duration",
        "datetime",
        "k8sshortname",
        "k8slongname",
    ]
)
_TEXT_LENGTH_MAX = 4096  # of what is never longer
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UUID = r"[0-9a-f]{8}-?[0-9a-f]{4}-?%s[0-9a-f]{3}-?%s[0-9a-f]{3}-?[0-9a-f]{12}"
_ANY, _VARIANT = "[0-9a-f]", "[89ab]"
_LABEL = r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
_UNITS = (
    "ns", "nano", "nanosecond", "us", "µs", "μs", "micro", "microsecond", "ms", "milli",
    "millisecond", "s", "sec", "second", "m", "min", "minute", "h", "hr", "hour", "d", "day", "w",
    "wk", "week",
)  # fmt: skip
# Each word once: "ms" is also the plural of "m", and a pattern that has two ways to read it tries
# them all, for every span of the text.
_WORDS = "|".join(sorted({*_UNITS, *(f"{u}s" for u in _UNITS)}, key=len, reverse=True))
_SPAN = rf"([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*({_WORDS})"


def _pattern(text: str, flags: int = 0) -> Callable[[str], bool]:
    matches = re.compile(text, flags | re.ASCII).fullmatch
    return lambda value: len(value) <= _TEXT_LENGTH_MAX and matches(value) is not None


def _uuid(version: str, variant: str) -> Callable[[str], bool]:
    return _pattern(_UUID % (version, variant), re.IGNORECASE)


def is_base64(value: str) -> bool:
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_date(value: str) -> bool:
    try:
        return _DATE.fullmatch(value) is not None and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _reads(parse: Callable[[str], object]) -> Callable[[str], bool]:
    """A test whether `parse` takes a value without a ValueError."""

    def check(value: str) -> bool:
        try:
            parse(value)
        except ValueError:
            return False
        return True

    return check


_is_interface = _reads(ipaddress.ip_interface)
_is_ipv6 = _reads(ipaddress.IPv6Address)
_is_host = _pattern(rf"{_LABEL}(\.{_LABEL})*\.?")


def _is_card(value: str) -> bool:
    digits = [int(c) for c in value if c in "0123456789"]
    if not 13 <= len(digits) <= 16 or len(value) > 32:
        return False
    doubled = (2 * d - 9 * (d > 4) for d in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_isbn(value: str, sizes: tuple[int, ...] = (10, 13)) -> bool:
    text = value.replace("-", "").replace(" ", "")
    if (
        len(value) > 32
        or len(text) not in sizes
        or re.fullmatch(r"[0-9]{9}[0-9X]|[0-9]{13}", text) is None
    ):
        return False
    if len(text) == 10:
        return sum((10 - i) * (10 if c == "X" else int(c)) for i, c in enumerate(text)) % 11 == 0
    return sum((3 if i % 2 else 1) * int(c) for i, c in enumerate(text)) % 10 == 0


FORMATS: dict[str, Callable[[str], bool]] = {
    "bsonobjectid": _pattern(r"[0-9a-fA-F]{24}"),
    "byte": is_base64,
    "cidr": lambda v: re.fullmatch(r".+/[0-9]{1,3}", v[:64]) is not None and _is_interface(v),
    "creditcard": _is_card,
    "date": _is_date,
    "date-time": is_moment,
    "datetime": is_moment,
    "duration": _pattern(rf"[-+]?({_SPAN}\s*)+|[-+]?0"),
    "email": _pattern(r'([^<>]*<)?[^\s@<>"(),:;]+@[^\s@<>"(),:;]+>?'),
    "hexcolor": _pattern(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "hostname": lambda v: len(v) <= 255 and _is_host(v),
    "ipv4": _reads(ipaddress.IPv4Address),
    "ipv6": lambda v: "%" not in v and _is_ipv6(v),
    "isbn": _is_isbn,
    "isbn10": lambda v: _is_isbn(v, (10,)),
    "isbn13": lambda v: _is_isbn(v, (13,)),
    "mac": _pattern(
        r"[0-9a-fA-F]{2}((:[0-9a-fA-F]{2})+|(-[0-9a-fA-F]{2})+)|[0-9a-fA-F]{4}(\.[0-9a-fA-F]{4})+"
    ),
    "rgbcolor": _pattern(r"rgb\(\s*[0-9]{1,3}\s*,\s*[0-9]{1,3}\s*,\s*[0-9]{1,3}\s*\)"),
    "ssn": _pattern(r"[0-9]{3}[- ]?[0-9]{2}[- ]?[0-9]{4}"),
    "uri": _pattern(r"(/|[a-zA-Z][a-zA-Z0-9+.-]*:)[^\s\x00-\x1f\x7f]*"),
    "uuid": _uuid(_ANY, _ANY),
    "uuid3": _uuid("3", _ANY),
    "uuid4": _uuid("4", _VARIANT),
    "uuid5": _uuid("5", _VARIANT),
}
