"""Parameters of a URL, read as upstream reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_plus

from mizzen.base.errors import BadRequest
from mizzen.base.strconv import INT64_MAX, parse_int

_FALSE = ("false", "0")
_BROKEN = re.compile(r"%(?![0-9a-fA-F]{2})")
_DIGITS_MAX = len(str(INT64_MAX))


def parse(text: str) -> dict[str, str]:
    """Parameters; where one is repeated the first counts, as upstream.

    Errors: BadRequest where that would make a write of what is said to be none.
    """
    params: dict[str, str] = {}
    for name, value in _pairs(text):
        if params.setdefault(name, value) != value and name == "dryRun":
            raise BadRequest(f"dryRun={params[name]} and dryRun={value} contradict each other")
    return params


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Without those that Go does not read: a semicolon or a broken escape is in them."""
    for part in text.split("&"):
        if part and ";" not in part and _BROKEN.search(part) is None:
            name, _, value = part.partition("=")
            yield unquote_plus(name), unquote_plus(value)


def is_true(text: str | None) -> bool:
    """Source: apimachinery `Convert_Slice_string_To_bool`: all but absence, "false" and "0"."""
    return text is not None and text.lower() not in _FALSE


def int64(params: Mapping[str, str], name: str) -> int | None:
    """An option of upstream's that is a whole number, None when absent. Errors: BadRequest.

    Source: apimachinery `runtime.Convert_Slice_string_To_int64`.
    """
    if name not in params:
        return None
    try:
        return parse_int(params[name])
    except ValueError as error:
        raise BadRequest(str(error)) from error


def number(
    params: Mapping[str, str], name: str, *, least: int = 0, most: int = INT64_MAX
) -> int | None:
    """A whole number, None when absent. Errors: BadRequest naming it."""
    text = params.get(name)
    if not text:
        return None
    # The digits are counted first: reading thousands of them takes its time, or fails.
    is_number = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    if not is_number or not least <= int(text) <= most:
        shown = text if len(text) <= 2 * _DIGITS_MAX else f"{text[:_DIGITS_MAX]}..."
        raise BadRequest(f"{name}={shown} is not an integer from {least} to {most}")
    return int(text)
