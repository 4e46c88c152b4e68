"""Which attributes and capacities an expression may look at, so that others need not tell nodes apart."""

from __future__ import annotations

import re
from functools import lru_cache

# device.attributes["domain"].name, device.capacity["domain"]["name"], device.driver
_PLAIN = re.compile(
    r"""device\s*\.\s*(?:
        (?:attributes|capacity)\s*\[\s*(?:"[^"\\]*"|'[^'\\]*')\s*\]\s*
        (?:\.\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)
          |\[\s*(?:"(?P<double>[^"\\]*)"|'(?P<single>[^'\\]*)')\s*\])
      | driver\b | allowMultipleAllocations\b )""",
    re.VERBOSE,
)


@lru_cache(maxsize=4096)
def names_read(expression: str) -> frozenset[str] | None:
    """Names without their domain that it may read; None: any.

    Whatever is not plainly `device.attributes["d"].name` counts as reading everything, so the
    answer is never too small. A whole domain in question (`"d" in device.attributes`) is everything.
    """
    found = {
        match["name"] or match["double"] or match["single"]
        for match in _PLAIN.finditer(expression)
        if match.lastgroup
    }
    if "device" in _PLAIN.sub("", expression):
        return None
    return frozenset(found)
