"""The kinds that are built in: whatever the modules below this package define as KIND or KINDS."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from mizzen.base.registry import collect
from mizzen.kinds.kind import Kind


@cache
def builtin_kinds() -> Mapping[tuple[str, str], Kind]:
    """(group, plural) -> kind, in module name order."""
    kinds: dict[tuple[str, str], Kind] = {}
    found = [kind for _, kind in collect("mizzen.kinds", "KIND")]
    for _, several in collect("mizzen.kinds", "KINDS"):
        found.extend(several)
    for kind in found:
        key = (kind.resource.group, kind.resource.plural)
        assert key not in kinds, f"two kinds are called {key}"
        kinds[key] = kind
    return kinds
