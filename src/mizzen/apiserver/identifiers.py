"""Random identifiers: uids of objects, ids of requests. The kernel is asked for many at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator

_AT_ONCE = 256  # identifiers, of 16 bytes each
# By a hexadecimal digit: RFC 9562's two bits, and two random ones.
_VARIANTS = dict(zip("0123456789abcdef", "89ab89ab89ab89ab", strict=True))


def _random() -> Iterator[str]:
    while True:
        digits = os.urandom(16 * _AT_ONCE).hex()
        for at in range(0, len(digits), 32):
            x = digits[at : at + 32]
            yield f"{x[:8]}-{x[8:12]}-4{x[13:16]}-{_VARIANTS[x[16]]}{x[17:20]}-{x[20:]}"


_next = _random().__next__


def new_id() -> str:
    """A random UUID (version 4), as `str(uuid.uuid4())` is one."""
    return _next()
