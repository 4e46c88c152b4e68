"""What a scalar of YAML means, as upstream's parser has it: YAML 1.1 but for what it leaves out.

There are no moments (they are text) and no numbers to the base of sixty.
Source: go.yaml.in/yaml/v2 resolve.go.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

_PREFIX = "tag:yaml.org,2002:"
STR, BOOL, INT, FLOAT, NULL, MERGE, BINARY, TIMESTAMP = (
    _PREFIX + name
    for name in ("str", "bool", "int", "float", "null", "merge", "binary", "timestamp")
)
_RESOLVABLE = frozenset((STR, BOOL, INT, FLOAT, NULL, TIMESTAMP))
_WORDS: dict[str, Any] = {
    **dict.fromkeys(
        ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True
    ),
    **dict.fromkeys(
        ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False
    ),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_BASES = (16, 2, 8, 10)
_STARTS = "+-.0123456789"
_LEAST, _MOST, _MOST_UNSIGNED = -(1 << 63), (1 << 63) - 1, (1 << 64) - 1


class Undecodable(Exception):
    """A scalar that is not what its tag says."""


def plain(text: str) -> Any:
    """The value of a scalar without quotes and tag."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _STARTS:
        return text
    if text[0] == ".":
        return _float(text)
    digits = text.replace("_", "")
    found = _integer(digits)
    if found is not None:
        return found
    value = _float(digits)
    return text if isinstance(value, str) else value


def tagged(tag: str, text: str) -> Any:
    """The value of a scalar with a tag. Errors: Undecodable."""
    if tag == BINARY:
        try:
            return base64.b64decode(text, validate=True).decode(errors="replace")
        except (binascii.Error, ValueError) as error:
            raise Undecodable("!!binary value contains invalid base64 data") from error
    if tag == STR or tag not in _RESOLVABLE:
        return text
    value = plain(text)
    found = _tag_of(value)
    if tag == TIMESTAMP or found == tag:
        return value
    if (tag, found) == (FLOAT, INT):
        return float(value)
    words = [f"!!{each.removeprefix(_PREFIX)}" for each in (found, tag)]
    raise Undecodable(f"cannot decode {words[0]} `{text}` as a {words[1]}")


def _tag_of(value: Any) -> str:
    if value is None:
        return NULL
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int):
        return INT
    return FLOAT if isinstance(value, float) else STR


def _integer(digits: str) -> int | None:
    """Of 64 bits, with or without a sign. None for all else."""
    found = _INTEGER.fullmatch(digits)
    if found is None:
        return None
    sign, *parts = found.groups()
    text, base = next((part, base) for part, base in zip(parts, _BASES, strict=True) if part)
    if len(text) > 64:
        return None
    value = int(f"{sign}{text}", base)
    most = _MOST if sign else _MOST_UNSIGNED
    return value if _LEAST <= value <= most else None


def _float(text: str) -> float | str:
    """The text itself where it is no number, or one that no float is near to."""
    if _FLOAT.fullmatch(text) is None:
        return text
    value = float(text)
    return text if value in (float("inf"), float("-inf")) else value
