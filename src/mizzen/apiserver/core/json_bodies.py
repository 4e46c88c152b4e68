"""Bodies in JSON, read as upstream's decoder reads them: what orjson refuses and that one takes is
read in the slow way.

Source: Go's encoding/json, sigs.k8s.io/json.
"""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, cast

import orjson

from mizzen.apiserver.core import json_syntax
from mizzen.apiserver.core.envelope import NoJson, unparsed
from mizzen.base.errors import BadRequest
from mizzen.base.limits import OBJECT_DEPTH_MAX, with_room
from mizzen.kinds.report import Path

_INFINITE = (float("inf"), float("-inf"))
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_BYTE = "mizzen-one-byte"  # the name of an error handler


class NoNumber(NoJson):
    """A body with numbers that no float is near to. `value` is what it says, with infinity in their
    places, and `paths` where those are: names of fields and indexes."""

    def __init__(self, value: Any, literals: list[tuple[tuple[str | int, ...], str]]) -> None:
        _, first = literals[0]
        super().__init__(f"json: cannot unmarshal number {first} into Go value of type float64")
        self.value = value
        self.paths = [path for path, _ in literals]


class TooDeep(BadRequest):
    """A body that could not be written as JSON again; `value`: what it says, None where that could
    not be read either."""

    def __init__(self, value: Any) -> None:
        super().__init__(f"the body of the request is nested deeper than {OBJECT_DEPTH_MAX} levels")
        self.value = value


def parse(body: bytes) -> Any:
    """The value, which can be written as JSON again. Errors: NoJson, TooDeep."""
    value: Any = None
    try:
        value = _loads(body)
        is_deep = len(body) > 2 * OBJECT_DEPTH_MAX
        if is_deep and body.count(b"{") + body.count(b"[") > OBJECT_DEPTH_MAX:
            check_depth(value)  # orjson reads deeper than it writes
    except (TypeError, RecursionError) as error:
        raise TooDeep(value) from error
    return value


def check_depth(value: Any) -> None:
    """Errors: TypeError where it is nested too deeply to be written."""
    orjson.dumps(with_room(value))


def literal(body: bytes, path: Path) -> str:
    """The number at a path as the body writes it, "" where there is none."""
    segments: list[Any] = []
    while path is not None:
        path, segment = path
        segments.append(segment[0] if isinstance(segment, tuple) else segment)
    try:
        value = json.loads(_whole(body), parse_int=_Literal, parse_float=_Literal)
        for segment in reversed(segments):
            value = value[segment]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return str(value) if type(value) is _Literal else ""


class _Literal(str):
    pass


def _loads(body: bytes) -> Any:
    """Errors: NoJson, TypeError, RecursionError."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if json_syntax.problem(body):
            raise unparsed(body, "") from error
    text = _whole(body)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        value = json.loads(text, parse_int=_integer)
    found: list[tuple[tuple[str | int, ...], str]] = []
    _find_infinite(value, (), json.loads(text, parse_int=_Literal, parse_float=_Literal), found)
    if found:
        raise NoNumber(value, found)
    return value


def _whole(body: bytes) -> str:
    """Half of a surrogate pair is replaced, and each byte that is not UTF-8, as in Go."""
    if b"\\ud" in body.lower():
        body = _SURROGATES.sub(_replaced, body)
    return body.decode(errors=_BYTE)


_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}(?:\\u[dD][c-fC-F][0-9a-fA-F]{2})?"
    rb"|\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


def _replaced(found: re.Match[bytes]) -> bytes:
    return found[0] if len(found[0]) != len(rb"\ud800") else rb"\ufffd"


def _replaced_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd", error.start + 1


codecs.register_error(_BYTE, _replaced_byte)


def _integer(text: str) -> int | float:
    is_small = len(text) < 20 and _LEAST <= int(text) <= _MOST
    return int(text) if is_small else float(text)


def _find_infinite(
    value: Any,
    path: tuple[str | int, ...],
    raw: Any,
    found: list[tuple[tuple[str | int, ...], str]],
) -> None:
    """`raw` is the same with its numbers as they are written."""
    if value.__class__ is float and value in _INFINITE:
        found.append((path, raw))
    elif isinstance(value, dict):
        for name, child in cast("dict[str, Any]", value).items():
            _find_infinite(child, (*path, name), raw[name], found)
    elif isinstance(value, list):
        for index, child in enumerate(cast("list[Any]", value)):
            _find_infinite(child, (*path, index), raw[index], found)
