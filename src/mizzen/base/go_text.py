"""Values of JSON as Go's `fmt` and `strconv` write them, for messages that clients compare."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import orjson

_ESCAPES = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
    "\\": "\\\\", '"': '\\"',
}  # fmt: skip
_HTML = (("&", "\\u0026"), ("<", "\\u003c"), (">", "\\u003e"))
_TYPES: Mapping[type, str] = {
    dict: "map[string]interface {}", list: "[]interface {}", str: "string", bool: "bool",
    int: "int64", float: "float64", type(None): "%!s(<nil>)",
}  # fmt: skip
_JSON_KINDS: Mapping[type, str] = {
    list: "array", str: "string", bool: "bool", int: "number", float: "number",
    type(None): "null",
}  # fmt: skip


def quoted(text: str) -> str:
    """As `%q` writes a string."""
    if text.isprintable() and "\\" not in text and '"' not in text:
        return f'"{text}"'
    return '"' + "".join(_ESCAPES.get(each) or _shown(each) for each in text) + '"'


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def marshalled(value: Any, *, is_map: bool = False) -> str:
    """As `json.Marshal` writes a value: what HTML would take for markup is escaped, and the keys of
    maps are sorted, where those of structs have an order of their own."""
    return escaped(orjson.dumps(value, option=orjson.OPT_SORT_KEYS if is_map else 0).decode())


def escaped(text: str) -> str:
    """JSON as `json.Marshal` writes it: without what HTML would take for markup."""
    for character, escape in _HTML:
        text = text.replace(character, escape)
    return text


def json_number(value: float) -> str:
    """As `json.Marshal` writes a number: with an exponent below 1e-6 and from 1e21 on."""
    if isinstance(value, int) or not value or 1e-6 <= abs(value) < 1e21:
        return format(Decimal(repr(value)), "f").removesuffix(".0")
    mantissa, _, exponent = _with_exponent(value).partition("e")
    sign, digits = exponent[0], exponent[1:].lstrip("0")
    return f"{mantissa}e{sign}{digits if sign == '-' else exponent[1:]}"


def printed(value: Any) -> str:
    """As `%v` writes a value."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int):
        return str(value) if -(2**63) <= value < 2**63 else _number(float(value))
    if isinstance(value, dict):
        entries = sorted(cast("dict[str, Any]", value).items())
        return f"map[{' '.join(f'{name}:{printed(each)}' for name, each in entries)}]"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{' '.join(map(printed, cast('Sequence[Any]', value)))}]"
    return str(value)


def go_syntax(value: Any) -> str:
    """As `%#v` writes a value that was read from JSON."""
    if value is None:
        return "interface {}(nil)"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        entries = sorted(cast("dict[str, Any]", value).items())
        listed = ", ".join(f"{quoted(name)}:{go_syntax(each)}" for name, each in entries)
        return f"map[string]interface {{}}{{{listed}}}"
    if isinstance(value, Sequence):
        return f"[]interface {{}}{{{', '.join(map(go_syntax, cast('Sequence[Any]', value)))}}}"
    return printed(value)


def as_float(value: Any) -> Any:
    """The value as a decoder reads it that knows no integers."""
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, dict):
        return {name: as_float(each) for name, each in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [as_float(each) for each in cast("list[Any]", value)]
    return value


def _number(value: float) -> str:
    """The shortest digits, with an exponent below 1e-4 and from 1e6 on."""
    if not math.isfinite(value):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return repr(value).removesuffix(".0")
    return _with_exponent(value)


def _with_exponent(value: float) -> str:
    _, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    exponent = Decimal(repr(value)).adjusted()
    written = "".join(map(str, digits))
    rest = f".{written[1:]}" if len(written) > 1 else ""
    return f"{'-' if value < 0 else ''}{written[0]}{rest}e{exponent:+03d}"


def type_name(value: Any) -> str:
    """The Go type of a value that was read from JSON."""
    return _TYPES.get(cast("type[Any]", type(value)), "struct")


def json_kind(value: Any) -> str:
    """What Go's decoder calls a value of JSON."""
    return _JSON_KINDS.get(cast("type[Any]", type(value)), "object")
