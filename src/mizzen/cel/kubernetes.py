"""Quantities, semantic versions and named formats.

Source: k8s.io/apiserver/pkg/cel/library/{quantity,semverlib,format}.go, v0.36;
k8s.io/apimachinery/pkg/api/resource; github.com/blang/semver/v4; go-openapi/strfmt.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable
from datetime import date
from functools import lru_cache

from mizzen.cel import cost, network
from mizzen.cel.values import (
    INT_MAX,
    INT_MIN,
    NOTHING,
    UINT_MAX,
    Err,
    Format,
    Optional,
    Quantity,
    Semver,
    no_overload,
)

TEXT_MAX = 4096  # characters of a quantity or version; what was read is remembered

# -- quantity -----------------------------------------------------------------------------------

_QUANTITY = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*(?:[+-]?[0-9]*))\Z")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)\Z")
_NANO = -9
_DIGITS = 18  # of an int64


def parse_quantity(text: str) -> Quantity | Err:
    """The amount, in the form that upstream would hold."""
    if len(text) > TEXT_MAX:
        return Err(f"{text[:100]!r}… is longer than the {TEXT_MAX} characters that one may have")
    return _parsed_quantity(text)


@lru_cache(maxsize=4096)
def _parsed_quantity(text: str) -> Quantity | Err:
    match = _QUANTITY.match(text)
    if not text or match is None:
        return Err(
            "quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        )
    sign, whole, part, suffix = match.groups()
    scientific = _EXPONENT.match(suffix)
    binary = suffix in _BINARY
    if scientific is None and not binary and suffix not in _DECIMAL:
        return Err(f"{text[:100]!r} has no suffix of a quantity")
    if scientific is not None and len(scientific[1]) > 10:
        return Err(f"{text[:100]!r} has too large an exponent")
    whole, fraction = whole or "0", part or ""
    if binary:
        made = _binary(whole, fraction, _BINARY[suffix])
    else:
        exponent = int(scientific[1]) if scientific else _DECIMAL[suffix]
        made = _decimal(whole, fraction, exponent)
    return Quantity(-made.unscaled, made.exponent, made.big) if sign == "-" else made


def _decimal(whole: str, fraction: str, exponent: int) -> Quantity:
    unscaled, scale = int(whole + fraction), exponent - len(fraction)
    short = len(whole) + len(fraction) <= _DIGITS
    if short and scale >= _NANO:
        return Quantity(unscaled, scale)
    return _rounded(unscaled, scale)


def _binary(whole: str, fraction: str, power: int) -> Quantity:
    unscaled = int(whole + fraction) << power
    if not fraction and 15 - len(whole) - int(power * 3 / 10) - 1 >= 0:
        return Quantity(unscaled, 0)
    made = _rounded(unscaled, -len(fraction))
    return made if made.value <= INT_MAX else Quantity(INT_MAX, 0, big=True)


def _rounded(unscaled: int, scale: int) -> Quantity:
    """In nanos, away from zero."""
    if unscaled == 0 or scale > 1000:
        return Quantity(unscaled, scale, big=True)
    if scale >= _NANO:
        return Quantity(unscaled * 10 ** (scale - _NANO), _NANO, big=True)
    if scale < -1000:
        return Quantity(1, _NANO, big=True)
    return Quantity(-(-unscaled // 10 ** (_NANO - scale)), _NANO, big=True)


def quantity(args: list[object]) -> object:
    return parse_quantity(str(args[0]))


def is_quantity(args: list[object]) -> object:
    return not isinstance(parse_quantity(str(args[0])), Err)


def _as_int(q: Quantity) -> int | None:
    if q.big or q.exponent < 0 or (q.exponent > _DIGITS and q.unscaled):
        return None
    value = q.unscaled * 10**q.exponent if q.unscaled else 0
    return value if INT_MIN <= value <= INT_MAX else None


def as_integer(args: list[object]) -> object:
    value = _as_int(args[0])  # type: ignore[arg-type]
    return Err("cannot convert value to integer") if value is None else value


def is_integer(args: list[object]) -> object:
    return _as_int(args[0]) is not None  # type: ignore[arg-type]


def approximate(args: list[object]) -> object:
    q = args[0]
    assert isinstance(q, Quantity)
    if q.exponent == 0:
        return float(q.unscaled)
    try:
        return float(q.unscaled) * math.pow(10, q.exponent)
    except OverflowError:
        return float("inf") if q.exponent > 0 else 0.0


def sign(args: list[object]) -> object:
    q = args[0]
    assert isinstance(q, Quantity)
    unscaled = q.unscaled
    return (unscaled > 0) - (unscaled < 0)


def combine(factor: int) -> Callable[[list[object]], object]:
    """Adds or subtracts a quantity or an int."""

    def of(args: list[object]) -> object:
        left, right = args
        assert isinstance(left, Quantity)
        other = right if isinstance(right, Quantity) else Quantity(int(right), 0)  # type: ignore[call-overload]
        return _sum(left, factor * other.unscaled, other)

    return of


def _sum(left: Quantity, amount: int, other: Quantity) -> Quantity:
    if not left.big and not other.big:
        if amount > INT_MAX:
            amount = INT_MIN  # upstream negates the least number to itself
        if amount == 0:
            return Quantity(left.unscaled, left.exponent, plain=False)
        if left.unscaled == 0:
            return Quantity(amount, other.exponent, plain=False)
    low = min(left.exponent, other.exponent)
    if max(left.exponent, other.exponent) - low > 2000:
        return Quantity(left.unscaled or amount, max(left.exponent, other.exponent), True, False)
    total = left.unscaled * 10 ** (left.exponent - low) + amount * 10 ** (other.exponent - low)
    big = left.big or other.big or not INT_MIN <= total <= INT_MAX
    return Quantity(total, low, big, plain=False)


# -- semver -------------------------------------------------------------------------------------

_MARK = re.compile(r"[0-9A-Za-z-]+\Z")


def parse_semver(text: str) -> Semver | Err:
    """A semantic version, strictly."""
    if len(text) > TEXT_MAX:
        return Err(f"{text[:100]!r}… is longer than the {TEXT_MAX} characters that one may have")
    return _parsed_semver(text)


@lru_cache(maxsize=4096)
def _parsed_semver(text: str) -> Semver | Err:
    bad = Err(f"{text[:100]!r} is not a semantic version such as 1.2.3")
    parts = text.split(".", 2)
    if len(parts) != 3:
        return bad
    rest, plus, build = parts[2].partition("+")
    patch, dash, pre = rest.partition("-")
    numbers = [_number(part) for part in (parts[0], parts[1], patch)]
    marks = [_mark(part) for part in pre.split(".")] if dash else [(2, 0, "")]
    builds_fit = not plus or all(_MARK.match(part) for part in build.split("."))
    if None in numbers or None in marks or not builds_fit:
        return bad
    major, minor, low = numbers
    return Semver(major, minor, low, tuple(marks))  # type: ignore[arg-type]


def _number(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()) or (len(text) > 1 and text[0] == "0"):
        return None
    return int(text) if len(text) <= 20 and int(text) <= UINT_MAX else None


def _mark(text: str) -> tuple[int, int, str] | None:
    """One identifier of a pre-release; numbers come before words, none at all last."""
    if text.isascii() and text.isdigit():
        number = _number(text)
        return None if number is None else (0, number, "")
    return (1, 0, text) if _MARK.match(text) else None


def _normalized(text: str) -> str:
    """Without a leading v and zeros, with three numbers; "" when it cannot be shortened so."""
    parts = text.removeprefix("v").split(".", 2)
    for at, part in enumerate(parts):
        if len(part) > 1:
            short = part.lstrip("0")
            parts[at] = short if short[:1] in tuple("0123456789") and short else f"0{short}"
    if len(parts) < 3 and any(mark in parts[-1] for mark in "+-"):
        return ""
    return ".".join(parts + ["0"] * (3 - len(parts)))


def semver(args: list[object]) -> object:
    text = str(args[0])
    return parse_semver(_normalized(text) if len(args) > 1 and args[1] else text)


def is_semver(args: list[object]) -> object:
    return not isinstance(semver(args), Err)


def version_part(name: str) -> Callable[[list[object]], object]:
    def of(args: list[object]) -> object:
        value: int = getattr(args[0], name)
        return value if value <= INT_MAX else value - 2**64  # upstream lets it wrap

    return of


def _order(value: object) -> object:
    if isinstance(value, Semver):
        return (value.major, value.minor, value.patch, value.pre)
    return value.value  # type: ignore[attr-defined]


def ordered(decide: Callable[[int], object]) -> Callable[[list[object]], object]:
    def of(args: list[object]) -> object:
        a, b = args
        if isinstance(a, Quantity) and isinstance(b, Quantity) and a.exponent == b.exponent:
            return decide((a.unscaled > b.unscaled) - (a.unscaled < b.unscaled))
        a, b = _order(a), _order(b)
        return decide((a > b) - (a < b))  # type: ignore[operator]

    return of


# -- formats ------------------------------------------------------------------------------------

_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_DNS1123 = re.compile(rf"{_LABEL}\Z")
_DNS1123_SUBDOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\Z")
_DNS1035 = re.compile(r"[a-z](?:[-a-z0-9]*[a-z0-9])?\Z")
_QUALIFIED = re.compile(r"(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
_UUID = re.compile(
    r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}\Z", re.IGNORECASE
)
_TIME = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[^\n][0-9]+)?(?:z|[+-][0-9]{2}:[0-9]{2})\Z")


def _sized(pattern: re.Pattern[str], most: int) -> Callable[[str], bool]:
    return lambda text: len(text) <= most and pattern.match(text) is not None


def _prefix(check: Callable[[str], bool]) -> Callable[[str], bool]:
    """A check of a generated name's prefix: a last dash stands for the part to come."""
    return lambda text: check(text[:-2] + "a" if text.endswith("-") and len(text) > 1 else text)


def _qualified(text: str) -> bool:
    prefix, slash, name = text.rpartition("/")
    fits = 0 < len(name) <= 63 and _QUALIFIED.match(name) is not None
    return fits and (not slash or _sized(_DNS1123_SUBDOMAIN, 253)(prefix))


def _is_base64(text: str) -> bool:
    try:
        return bool(base64.b64decode(text, validate=True)) and len(text) % 4 == 0
    except (binascii.Error, ValueError):
        return False


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def _is_date_time(text: str) -> bool:
    day, _, rest = text.lower().partition("t")
    match = _TIME.match(rest.partition("t")[0])
    return (
        _is_date(day) and match is not None and match[1] <= "23" and max(match[2], match[3]) <= "59"
    )


_CHECKS: dict[str, tuple[int, Callable[[str], bool]]] = {
    "dns1123Label": (30, _sized(_DNS1123, 63)),
    "dns1123Subdomain": (60, _sized(_DNS1123_SUBDOMAIN, 253)),
    "dns1035Label": (30, _sized(_DNS1035, 63)),
    "qualifiedName": (60, _qualified),
    "dns1123LabelPrefix": (30, _prefix(_sized(_DNS1123, 63))),
    "dns1123SubdomainPrefix": (60, _prefix(_sized(_DNS1123_SUBDOMAIN, 253))),
    "dns1035LabelPrefix": (30, _prefix(_sized(_DNS1035, 63))),
    "labelValue": (40, lambda t: not t or (len(t) <= 63 and _QUALIFIED.match(t) is not None)),
    "uri": (1103, lambda t: not isinstance(network.parse_url(t), Err)),
    "uuid": (70, lambda t: _UUID.match(t) is not None),
    "byte": (84, _is_base64),
    "date": (71, _is_date),
    "datetime": (71, _is_date_time),
}
FORMATS = tuple(_CHECKS)
cost.FORMAT_SIZES.update({name: length for name, (length, _) in _CHECKS.items()})


def named_format(args: list[object]) -> object:
    name = str(args[0])
    return Optional(Format(name)) if name in _CHECKS else NOTHING


def validate(args: list[object]) -> object:
    """Nothing, or a list of one complaint; upstream words and counts them otherwise."""
    chosen, text = args
    if not isinstance(chosen, Format) or not isinstance(text, str):
        return no_overload(chosen, text)
    return NOTHING if _CHECKS[chosen.name][1](text) else Optional([f"does not match {chosen.name}"])
