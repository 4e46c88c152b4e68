"""Functions over strings, `format` among them.

Source: google/cel-go ext/strings.go (version 2) and ext/formatting.go, v0.26;
k8s.io/apiserver/pkg/cel/library/regex.go, v0.36.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from mizzen.cel import arithmetic, clock, formats, network, regex
from mizzen.cel.values import (
    CIDR,
    IP,
    Duration,
    Err,
    Map,
    Timestamp,
    TypeValue,
    UInt,
    no_overload,
    type_name,
)

_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def _out_of_range(index: int) -> Err:
    return Err(f"index out of range: {index}")


def char_at(args: list[object]) -> object:
    text, at = str(args[0]), int(args[1])  # type: ignore[call-overload]
    return text[at : at + 1] if 0 <= at <= len(text) else _out_of_range(at)


def index_of(args: list[object]) -> object:
    text, part = str(args[0]), str(args[1])
    offset = int(args[2]) if len(args) > 2 else 0  # type: ignore[call-overload]
    if not part:
        return offset
    return _out_of_range(offset) if offset < 0 else text.find(part, offset)


def last_index_of(args: list[object]) -> object:
    text, part = str(args[0]), str(args[1])
    if len(args) == 2:
        return text.rfind(part)
    offset = int(args[2])  # type: ignore[call-overload]
    if not part:
        return offset
    if offset < 0:
        return _out_of_range(offset)
    return -1 if offset >= len(text) else text.rfind(part, 0, offset + len(part))


def _ascii(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(c) if c.isascii() else c for c in text)


def lower_ascii(args: list[object]) -> object:
    return _ascii(str(args[0]), str.lower)


def upper_ascii(args: list[object]) -> object:
    return _ascii(str(args[0]), str.upper)


def escape_key(args: list[object]) -> object:
    return str(args[0]).replace("~", "~0").replace("/", "~1")


def replace(args: list[object]) -> object:
    text, old, new = str(args[0]), str(args[1]), str(args[2])
    count = int(args[3]) if len(args) > 3 else -1  # type: ignore[call-overload]
    return text.replace(old, new, max(count, -1))


def split(args: list[object]) -> object:
    text, separator = str(args[0]), str(args[1])
    count = int(args[2]) if len(args) > 2 else -1  # type: ignore[call-overload]
    if count == 0:
        return []
    if separator:
        return list[object](text.split(separator, count - 1 if count > 0 else -1))
    if count < 0 or count >= len(text):
        return list[object](text)
    return [*text[: count - 1], text[count - 1 :]]


def substring(args: list[object]) -> object:
    text, start = str(args[0]), int(args[1])  # type: ignore[call-overload]
    end = int(args[2]) if len(args) > 2 else len(text)  # type: ignore[call-overload]
    if not 0 <= start <= len(text):
        return _out_of_range(start)
    if start > end or not 0 <= end <= len(text):
        return Err(f"invalid substring range. start: {start}, end: {end}")
    return text[start:end]


def trim(args: list[object]) -> object:
    return str(args[0]).strip(_SPACE)


def join(args: list[object]) -> object:
    parts = args[0]
    assert isinstance(parts, list)
    if not all(isinstance(part, str) for part in parts):  # type: ignore[misc]
        return Err("join: a value of the list is no string")
    return (str(args[1]) if len(args) > 1 else "").join(parts)  # type: ignore[arg-type]


_QUOTED = str.maketrans(
    {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
     "\\": "\\\\", '"': '\\"'}
)  # fmt: skip


def quote(args: list[object]) -> object:
    return f'"{str(args[0]).translate(_QUOTED)}"'


def contains(args: list[object]) -> object:
    a, b = args
    return b in a if isinstance(a, str) and isinstance(b, str) else no_overload(a, b)


def starts_with(args: list[object]) -> object:
    a, b = args
    return a.startswith(b) if isinstance(a, str) and isinstance(b, str) else no_overload(a, b)


def ends_with(args: list[object]) -> object:
    a, b = args
    return a.endswith(b) if isinstance(a, str) and isinstance(b, str) else no_overload(a, b)


def _machine(pattern: object) -> regex.Regex | Err:
    if not isinstance(pattern, str):
        return no_overload(pattern)
    try:
        return regex.compiled(pattern)
    except regex.RegexError as error:
        return Err(f"illegal regex: {error}")


def matches(args: list[object]) -> object:
    text, machine = args[0], _machine(args[1])
    if isinstance(machine, Err) or not isinstance(text, str):
        return no_overload(machine, text)
    return machine.matches(text)


def find(args: list[object]) -> object:
    text, machine = args[0], _machine(args[1])
    if isinstance(machine, Err) or not isinstance(text, str):
        return no_overload(machine, text)
    return machine.find(text)


def find_all(args: list[object]) -> object:
    text, machine = args[0], _machine(args[1])
    limit = args[2] if len(args) > 2 else -1
    if isinstance(machine, Err) or not isinstance(text, str) or not isinstance(limit, int):
        return no_overload(machine, text)
    return list[object](machine.find_all(text, limit))


# -- texts of values ----------------------------------------------------------------------------


def to_string(args: list[object]) -> object:
    match args[0]:
        case str() as a:
            return a
        case bool() as a:
            return "true" if a else "false"
        case int() as a:
            return str(a)
        case UInt() as a:
            return str(a.value)
        case float() as a:
            return arithmetic.double_text(a)
        case bytes() as a:
            try:
                return a.decode()
            except UnicodeDecodeError:
                return Err("invalid UTF-8 in bytes, cannot convert to string")
        case Duration() as a:
            return clock.duration_text(a)
        case Timestamp() as a:
            return clock.time_text(a)
        case TypeValue() as a:
            return a.name
        case IP() | CIDR():
            return network.text_of(args)
        case other:
            return no_overload(other)


def format_text(args: list[object]) -> object:
    template, given = str(args[0]), args[1]
    assert isinstance(given, list)
    parts = formats.clauses(template)
    if isinstance(parts, Err):
        return parts
    made = ""
    for at, (before, letter, precision) in enumerate(parts):
        made += before
        if not letter:
            break
        if at >= len(given):  # type: ignore[arg-type]
            return Err(f"index {at} out of range")
        text = _clause(letter, precision, given[at])  # type: ignore[index]
        if isinstance(text, Err):
            return text
        made += text
    return made


def _clause(letter: str, precision: int, value: object) -> str | Err:
    bad = Err(f"%{letter} cannot format a {type_name(value)}")
    number = value.value if isinstance(value, UInt) else value
    whole = isinstance(number, int) and not isinstance(number, bool)
    match letter:
        case "s":
            return _text(value)
        case "d":
            return str(number) if whole else bad
        case "f" | "e":
            return _fixed(letter, precision, value)
        case "b" if isinstance(value, bool):
            return "1" if value else "0"
        case "b" | "o":
            return format(number, letter) if whole else bad  # type: ignore[arg-type]
        case _ if whole:
            return format(number, letter)  # type: ignore[arg-type]
        case _ if isinstance(value, (str, bytes)):
            octets = value.encode() if isinstance(value, str) else value
            return octets.hex() if letter == "x" else octets.hex().upper()
        case _:
            return bad


def _fixed(letter: str, precision: int, value: object) -> str | Err:
    if isinstance(value, str) and value in ("NaN", "Infinity", "-Infinity"):
        value = float(value)
    if not isinstance(value, float):
        return Err(f"%{letter} cannot format a {type_name(value)}")
    if value != value or value in (float("inf"), float("-inf")):
        return "NaN" if value != value else ("∞" if value > 0 else "-∞")
    if letter == "f":
        return f"{value:,.{precision}f}"
    mantissa, _, exponent = f"{value:.{precision}e}".partition("e")
    return f"{mantissa}\u202f×\u202f10{_superscript(int(exponent))}"


def _superscript(number: int) -> str:
    digits = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
    return f"{number:+03d}".replace("+", "").translate(digits)


def _text(value: object) -> str | Err:
    match value:
        case list():
            parts = [_nested(each) for each in value]  # type: ignore[misc]
            return _first_error(parts) or f"[{', '.join(map(str, parts))}]"
        case Map():
            keys = [_key(key) for key, _ in value.items()]
            held = [_nested(each) for _, each in value.items()]
            bad = _first_error([*keys, *held])
            pairs = sorted(zip(keys, held, strict=True), key=lambda pair: str(pair[0]))
            return bad or "{" + ", ".join(f"{key}:{each}" for key, each in pairs) + "}"
        case None:
            return "null"
        case _:
            made = Err("no text") if isinstance(value, (IP, CIDR)) else to_string([value])
            return made if isinstance(made, Err) else str(made)


def _first_error(parts: list[str | Err]) -> Err | None:
    return next((part for part in parts if isinstance(part, Err)), None)


def _key(value: object) -> str | Err:
    if isinstance(value, (str, bool, int, UInt)):
        return _nested(value)
    return Err(f"no formatting function for map key of type {type_name(value)}")


def _nested(value: object) -> str | Err:
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False)
        case bytes():
            return f"b{json.dumps(value.decode('utf-8', 'backslashreplace'), ensure_ascii=False)}"
        case float():
            return f"{value:.{formats.PRECISION}f}"
        case Timestamp() | Duration():
            name = "timestamp" if isinstance(value, Timestamp) else "duration"
            return f'{name}("{_text(value)}")'
        case _:
            return _text(value)
