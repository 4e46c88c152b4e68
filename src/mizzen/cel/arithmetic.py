"""Operators and conversions of CEL's own types; every overflow is an error.

Source: google/cel-go common/stdlib/standard.go and common/types/{int,uint,double,overflow}.go.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from mizzen.cel import values
from mizzen.cel.values import (
    INT_MAX,
    INT_MIN,
    UINT_MAX,
    Duration,
    Err,
    Growing,
    Keyed,
    Map,
    Timestamp,
    TypeValue,
    UInt,
    no_overload,
)

_SECOND = 10**9
TIME_MIN_S, TIME_MAX_S = -62135596800, 253402300799  # years 1 to 9999
_OVERFLOW = Err("integer overflow")


def _int(value: int) -> int | Err:
    return value if INT_MIN <= value <= INT_MAX else _OVERFLOW


def _uint(value: int) -> UInt | Err:
    return UInt(value) if 0 <= value <= UINT_MAX else Err("unsigned integer overflow")


def duration(ns: int) -> Duration | Err:
    return Duration(ns) if INT_MIN <= ns <= INT_MAX else Err("duration overflow")


def timestamp(ns: int, offset_s: int = 0) -> Timestamp | Err:
    if not TIME_MIN_S <= ns // _SECOND <= TIME_MAX_S:
        return Err("timestamp overflow")
    return Timestamp(ns, offset_s)


def add(args: list[object]) -> object:
    left, right = args
    if values.is_list(left) and values.is_list(right):
        if isinstance(left, Growing):
            left.extend(right)
            return left
        if isinstance(left, Keyed):
            return left.merged(right)
        return [*left, *right]
    match args:
        case [str() as a, str() as b]:
            return a + b
        case [bytes() as a, bytes() as b]:
            return a + b
        case [Duration() as a, Duration() as b]:
            return duration(a.ns + b.ns)
        case [Timestamp() as a, Duration() as b] | [Duration() as b, Timestamp() as a]:
            return timestamp(a.ns + b.ns, a.offset_s)
        case _:
            return _numeric(args, lambda a, b: a + b, lambda a, b: a + b)


def subtract(args: list[object]) -> object:
    match args:
        case [Duration() as a, Duration() as b]:
            return duration(a.ns - b.ns)
        case [Timestamp() as a, Duration() as b]:
            return timestamp(a.ns - b.ns, a.offset_s)
        case [Timestamp() as a, Timestamp() as b]:
            return duration(a.ns - b.ns)
        case _:
            return _numeric(args, lambda a, b: a - b, lambda a, b: a - b)


def multiply(args: list[object]) -> object:
    return _numeric(args, lambda a, b: a * b, lambda a, b: a * b)


def divide(args: list[object]) -> object:
    return _numeric(args, _quotient, _double_quotient)


def modulo(args: list[object]) -> object:
    return _numeric(args, _remainder, None)


def _numeric(
    args: list[object],
    whole: Callable[[int, int], int | Err],
    double: Callable[[float, float], float] | None,
) -> object:
    a, b = args
    if type(a) is int and type(b) is int:
        result = whole(a, b)
        return result if isinstance(result, Err) else _int(result)
    if isinstance(a, UInt) and isinstance(b, UInt):
        result = whole(a.value, b.value)
        return result if isinstance(result, Err) else _uint(result)
    if isinstance(a, float) and isinstance(b, float) and double is not None:
        return double(a, b)
    return no_overload(a, b)


def _quotient(a: int, b: int) -> int | Err:
    if b == 0:
        return Err("division by zero")
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def _remainder(a: int, b: int) -> int | Err:
    if b == 0:
        return Err("modulus by zero")
    if a == INT_MIN and b == -1:
        return _OVERFLOW
    return abs(a) % abs(b) * (-1 if a < 0 else 1)


def _double_quotient(a: float, b: float) -> float:
    if b != 0:
        return a / b
    if a == 0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, math.copysign(1, a) * math.copysign(1, b))


def negate(args: list[object]) -> object:
    match args:
        case [bool()]:
            return no_overload(args[0])
        case [int() as a]:
            return _int(-a)
        case [float() as a]:
            return -a
        case [Duration() as a]:
            return duration(-a.ns)
        case _:
            return no_overload(args[0])


def negation(args: list[object]) -> object:
    return not args[0] if isinstance(args[0], bool) else no_overload(args[0])


def not_strictly_false(args: list[object]) -> object:
    return args[0] if isinstance(args[0], bool) else True


def comparison(*wanted: int) -> Callable[[list[object]], object]:
    def compare(args: list[object]) -> object:
        result = values.compare(args[0], args[1])
        return result if isinstance(result, Err) else result in wanted

    return compare


def membership(args: list[object]) -> object:
    value, among = args
    if isinstance(among, list):
        return values.contains(among, value)  # type: ignore[arg-type]
    if isinstance(among, Map):
        return among.contains(value)
    return no_overload(among)


def size(args: list[object]) -> object:
    value = args[0]
    if isinstance(value, (str, bytes, list, Map)):
        return len(value)  # type: ignore[arg-type]
    if isinstance(value, values.IP):
        return value.address.max_prefixlen // 8
    if isinstance(value, values.CIDR):
        return math.ceil(value.network.network.prefixlen / 8)
    return no_overload(value)


def type_of(args: list[object]) -> object:
    return TypeValue(values.type_name(args[0]))


# -- conversions --------------------------------------------------------------------------------

_DECIMAL = re.compile(r"[+-]?[0-9]+\Z")
_DOUBLE = re.compile(
    r"[+-]?(?:inf(?:inity)?|nan|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?)\Z", re.IGNORECASE
)
_HEX_DOUBLE = re.compile(
    r"[+-]?0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)p[+-]?[0-9]+\Z", re.IGNORECASE
)
_TRUTHS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


def same(args: list[object]) -> object:
    return args[0]


def to_bool(args: list[object]) -> object:
    text = args[0]
    return _TRUTHS.get(str(text), Err(f"cannot convert {text!r} to bool"))


def to_int(args: list[object]) -> object:
    match args[0]:
        case UInt() as a:
            return _int(a.value)
        case float() as a:
            if math.isnan(a) or not -(2.0**63) < a < 2.0**63:
                return _OVERFLOW
            return int(a)
        case Duration() as a:
            return a.ns
        case Timestamp() as a:
            return a.ns // _SECOND
        case str() as a:
            return _int(int(a)) if _DECIMAL.match(a) and len(a) < 40 else _unconvertible("int")
        case other:
            return no_overload(other)


def to_uint(args: list[object]) -> object:
    match args[0]:
        case bool() as a:
            return no_overload(a)
        case int() as a:
            return _uint(a)
        case float() as a:
            if math.isnan(a) or not 0 <= a < 2.0**64:
                return _OVERFLOW
            return UInt(int(a))
        case str() as a:
            fits = a.isascii() and a.isdigit() and len(a) < 40
            return _uint(int(a)) if fits else _unconvertible("uint")
        case other:
            return no_overload(other)


def to_double(args: list[object]) -> object:
    match args[0]:
        case UInt() as a:
            return float(a.value)
        case float() as a:
            return a
        case str() as a:
            if _HEX_DOUBLE.match(a):
                return float.fromhex(a)
            if not _DOUBLE.match(a):
                return _unconvertible("double")
            made = float(a)
            return _unconvertible("double") if math.isinf(made) and "n" not in a.lower() else made
        case int() as a:
            return float(a)
        case other:
            return no_overload(other)


def _unconvertible(name: str) -> Err:
    return Err(f"type conversion error from 'string' to '{name}'")


def to_bytes(args: list[object]) -> object:
    return str(args[0]).encode("utf-8", "surrogatepass")


def unsupported(args: list[object]) -> object:
    return no_overload(args[0])


def double_text(value: float) -> str:
    """As Go's %g: the shortest digits, an exponent from a million up and below 0.0001."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    mantissa, _, exponent = f"{value!r}".lower().partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits.strip("0"):
        return f"{sign}0"
    leading = len(whole + fraction) - len(digits)
    power = len(whole) - leading + int(exponent or 0) - 1
    digits = digits.rstrip("0")
    if power < -4 or power >= 6:
        tail = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{tail}e{'-' if power < 0 else '+'}{abs(power):02d}"
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{digits}"
    if len(digits) <= power + 1:
        return sign + digits.ljust(power + 1, "0")
    return f"{sign}{digits[: power + 1]}.{digits[power + 1 :]}"
