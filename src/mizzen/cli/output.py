"""Data on standard output: as a table for people, as JSON, YAML or names for programs."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, cast

FORMATS = ("table", "json", "yaml", "name")
Row = Mapping[str, Any]
_STEERING = ("Cc", "Cs")
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_TRACEBACK = "Traceback (most recent call last):"


def emit(form: str, data: Sequence[Row], columns: Sequence[tuple[str, str]], name: str) -> None:
    """Prints rows. `columns`: heading and key, for tables; `name`: the key that -o name prints."""
    if form == "table":
        print(table([heading for heading, _ in columns], cells(data, columns)))
    elif form == "name":
        for row in data:
            print(visible(str(row[name])))
    else:
        print(document(form, list(data)))


def write_bytes(data: bytes, flush: bool = False) -> None:
    """Puts bytes on standard output as they are, in whatever encoding their program speaks."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    if flush:
        sys.stdout.buffer.flush()


def document(form: str, value: Any) -> str:
    """JSON or YAML text of any plain value."""
    if form == "json":
        return json.dumps(value, indent=2)
    import yaml

    return yaml.safe_dump(value, sort_keys=False).rstrip()


def cells(data: Sequence[Row], columns: Sequence[tuple[str, str]]) -> list[list[str]]:
    return [[_cell(row.get(key)) for _, key in columns] for row in data]


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest cell, three spaces apart, as kubectl prints them."""
    lines = [list(headings), *[list(row) for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(headings))]
    padded = ("   ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in lines)
    # A terminal would wrap long lines into a mess; files and pipes get them whole.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return "\n".join(line.rstrip()[:width] for line in padded)


def age(seconds: float) -> str:
    """As kubectl says it: 12s, 5m, 3h, 2d."""
    whole = max(0, int(seconds))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if whole >= 2 * size:
            return f"{whole // size}{unit}"
    return f"{whole}s"


def mebibytes(count: int) -> str:
    return f"{count / 2**20:.0f} MiB"


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, list):
        return ", ".join(one_line(str(item)) for item in cast("list[Any]", value))
    return one_line(str(value))


def one_line(text: str) -> str:
    """A message with a traceback in it, as its beginning and the error it ends with."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return visible(text.strip())
    return visible(f"{lines[0].removesuffix(_TRACEBACK).rstrip(' :')}: {lines[-1]}")


def visible(text: str) -> str:
    """Text of others as it may stand on a terminal: what would steer it is shown, not obeyed.

    Control characters (a pod's message may hold ESC sequences that hide or forge lines) and those
    that turn the direction of writing round; halves of characters, which cannot be printed.
    """
    return "".join(
        repr(c)[1:-1] if unicodedata.category(c) in _STEERING or c in _TURNING else c for c in text
    )
