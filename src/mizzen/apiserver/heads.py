"""Headers of requests: a client sends the same ones again and again, so they are read once."""

from __future__ import annotations

from collections.abc import Mapping

HEADS_MAX = 512  # different ones; the oldest go first
HEAD_BYTES_MAX = 2048  # what is longer is read each time

Fields = tuple[tuple[bytes, bytes], ...]


class Heads:
    """The headers that one server's clients have sent lately."""

    def __init__(self) -> None:
        self._known: dict[Fields, Mapping[str, str]] = {}

    def headers(self, fields: Fields) -> Mapping[str, str]:
        """The values by name in lower case, shared by all requests with these very headers."""
        known = self._known
        found = known.get(fields)
        if found is None:
            found = {n.decode("latin-1").lower(): v.decode("latin-1") for n, v in fields}
            if sum(len(name) + len(value) for name, value in fields) <= HEAD_BYTES_MAX:
                if len(known) >= HEADS_MAX:
                    del known[next(iter(known))]
                known[fields] = found
        return found

    def __len__(self) -> int:
        return len(self._known)
