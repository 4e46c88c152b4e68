"""Kubernetes quantities as the API server keeps them: amount, how it is held, how it is written.

`mizzen.base.quantity` is enough to count; here two equal amounts may differ in format ("1Ki", "1024"),
as upstream's allocator compares structures in one place and prints what it was given.
Source: k8s.io/apimachinery/pkg/api/resource (quantity.go, amount.go, suffix.go), v0.36.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

INT64_MAX = 2**63 - 1
_INT64_SPAN = 2**64
_FACTORS_MAX = 18  # decimal digits that surely fit 64 bits
_NANO = -9
_UNCHECKED = frozenset({1, 2, 3, 6, 9})  # scales at which upstream hands on what overflowed
_EXPONENT_MAX = 1000  # "1e1000"; ours, so that no text makes arithmetic run away
_FULL = re.compile(r"^([+-]?)(0*)([0-9]*)(?:\.([0-9]*))?([eEinumkKMGTP]*(?:[-+]?[0-9]*))$")
_DECIMAL = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX = {0: "", **{exponent: suffix for suffix, exponent in _BINARY.items()}}

DECIMAL_SI, BINARY_SI, DECIMAL_EXPONENT = "DecimalSI", "BinarySI", "DecimalExponent"


@dataclass(frozen=True, slots=True)
class Quantity:
    """`value` x 10^`scale`; `big` when upstream holds it beyond 64 bits; `text` when kept as given.

    Equality is structural, as Go's `==` on the same struct, but for big ones, which upstream
    compares by address: see `same`.
    """

    value: int
    scale: int = 0
    form: str = DECIMAL_SI
    text: str = ""
    big: bool = False

    def compare(self, other: Quantity) -> int:
        """-1, 0 or 1 by amount."""
        return (self.nano > other.nano) - (self.nano < other.nano)

    def same(self, other: Quantity) -> bool:
        """True if Go's `==` holds between two independent copies."""
        return not self.big and not other.big and self == other

    def beside(self, other: Quantity) -> Quantity:
        """Itself, held big after being compared with a big one (upstream converts in place)."""
        if other.big and not self.big:
            return Quantity(self.value, self.scale, self.form, self.text, True)
        return self

    def whole(self) -> int:
        """Upstream's `Value()`: rounded up to a whole number, in 64 bits."""
        if self.big:
            return _whole_of_big(self.value, -self.scale)
        if self.scale >= 0:
            result = self.value * 10**self.scale
            if wrap(result) == result:
                return result
            return wrap(result) if self.scale in _UNCHECKED else 0
        return _away_from_zero(self.value, -self.scale)

    @property
    def nano(self) -> int:
        """Billionths: an integer, as no quantity that was read is finer."""
        return self.value * 10 ** (self.scale - _NANO)

    def __str__(self) -> str:
        return self.text or _canonical(self)


def wrap(value: int) -> int:
    """As 64-bit arithmetic leaves it."""
    return (value + INT64_MAX + 1) % _INT64_SPAN - INT64_MAX - 1


def parse(text: object) -> Quantity:
    """Errors: ValueError naming the text when it is not a quantity."""
    if text is None:
        return Quantity(0, form="")
    if isinstance(text, bool) or not isinstance(text, str | int | float):
        raise ValueError(f"quantity {text!r} is not a number with a unit such as 500m or 2Gi")
    return _parse(str(text).strip())


@lru_cache(4096)
def _parse(text: str) -> Quantity:
    if text == "0":
        return Quantity(0, text="0")
    match = _FULL.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"quantity {text!r} is not a number with a unit such as 500m or 2Gi")
    sign, _, number, fraction, suffix = match.groups()
    number, fraction = number or "0", fraction or ""
    if not match.group(3) and match.group(4) is None and not suffix:
        return Quantity(0)  # nothing but zeros
    exponent, form = _unit(text, suffix)
    negative = sign == "-"
    quick = _quick(text, number, fraction, exponent, form, negative)
    if quick is not None:
        return quick
    if not any(match.group(2, 3, 4)):
        raise ValueError(f"quantity {text!r} has no digits")
    return _slow(number, fraction, exponent, form, negative)


def _unit(text: str, suffix: str) -> tuple[int, str]:
    if suffix in _DECIMAL:
        return _DECIMAL[suffix], DECIMAL_SI
    if suffix in _BINARY:
        return _BINARY[suffix], BINARY_SI
    if len(suffix) > 1 and suffix[0] in "eE":
        try:
            exponent = int(suffix[1:])
        except ValueError:
            exponent = None
        if exponent is not None and abs(exponent) <= _EXPONENT_MAX:
            return exponent, DECIMAL_EXPONENT
    raise ValueError(f"quantity {text!r} has the unknown unit {suffix!r}")


def _quick(
    text: str, number: str, fraction: str, exponent: int, form: str, negative: bool
) -> Quantity | None:
    """Read as upstream reads what surely fits 64 bits; it keeps the text when it is canonical."""
    scale, mantissa = exponent, 1
    if form == BINARY_SI:
        if fraction:
            return None
        scale, mantissa = 0, 1 << exponent
        precision = 15 - len(number) - exponent * 3 // 10 - 1
    else:
        precision = _FACTORS_MAX - len(number) - len(fraction)
    scale -= len(fraction)
    if precision < 0 or scale < _NANO:
        return None
    shifted = number + fraction
    value = int(shifted)
    result = value * mantissa
    if abs(result) > INT64_MAX:
        return None
    if form == BINARY_SI:
        kept = exponent % 10 == 0 and value & 7 != 0
    else:
        kept = scale % 3 == 0 and not shifted.endswith("000") and shifted[0] != "0"
    return Quantity(-result if negative else result, scale, form, text if kept else "")


def _slow(number: str, fraction: str, exponent: int, form: str, negative: bool) -> Quantity:
    """Any size: rounded up to nano, capped at 64 bits when binary."""
    value, scale = int(number + fraction), -len(fraction)
    if form == BINARY_SI:
        value <<= exponent
    else:
        scale += exponent
    if not value:
        scale = 0
    elif scale < _NANO:
        value, scale = -(-value // 10 ** (_NANO - scale)), _NANO
    else:
        value, scale = value * 10 ** (scale - _NANO), _NANO
    if form == BINARY_SI:
        one = 10**-scale
        if value > INT64_MAX * one:
            value, scale = INT64_MAX, 0
        elif 0 < value < one:
            form = DECIMAL_SI
    return Quantity(-value if negative else value, scale, form, "", True)


def _away_from_zero(value: int, digits: int) -> int:
    result = -(-abs(value) // 10**digits)
    return -result if value < 0 else result


def _whole_of_big(value: int, digits: int) -> int:
    """Upstream's `scaledValue`, which truncates towards zero and adds one."""
    if digits <= 0:
        power = 10**-digits if digits > -19 else -INT64_MAX - 1
        return wrap(wrap(value) * power)
    power = 10**digits
    if value < INT64_MAX and digits < 19:
        value = wrap(value)  # upstream does not ask how far below zero it is
        result = abs(value) // power * (1 if value >= 0 else -1)
        return result + (1 if value % power else 0)
    return wrap(value // power + (1 if value % power else 0))


def _canonical(quantity: Quantity) -> str:
    """The text upstream writes: no fraction, no digit lost, the largest unit that does."""
    if quantity.value == 0:
        return "0"
    form, value, scale = quantity.form, quantity.value, quantity.scale
    if form == BINARY_SI:
        low = min(scale, 0)
        amount = value * 10 ** (scale - low)
        one = 10**-low
        if -1024 * one < amount < 1024 * one or amount % one:
            form = DECIMAL_SI
        else:
            return _binary(amount // one)
    while value % 10 == 0 and (abs(value) >= 10 or quantity.big):
        value, scale = value // 10, scale + 1
    while scale % 3:
        value, scale = value * 10, scale - 1
    if form == DECIMAL_SI:
        return f"{value}{_DECIMAL_SUFFIX.get(scale, '')}"
    return f"{value}e{scale}" if scale else str(value)


def _binary(amount: int) -> str:
    exponent = 0
    while amount % 1024 == 0 and amount >= -INT64_MAX:
        amount, exponent = amount // 1024, exponent + 10
    return f"{amount}{_BINARY_SUFFIX.get(exponent, '')}"
