"""Limits of a pod as a whole."""

from __future__ import annotations

from collections.abc import Callable

from mizzen.base import quantity
from mizzen.base.objects import Obj
from mizzen.base.reading import part


def memory_limit(pod: Obj) -> int | None:
    """Bytes the whole pod may use; None when nothing limits all of it."""
    return _limit(pod, "memory", quantity.to_int)


def cpu_limit(pod: Obj) -> int | None:
    """Milli-CPU the whole pod may use; None when nothing limits all of it."""
    return _limit(pod, "cpu", quantity.to_milli)


def _limit(pod: Obj, resource: str, amount: Callable[[str], int]) -> int | None:
    """The pod's own limit, else the sum of its containers', unless one of them has none."""
    own: str | None = part(pod, "spec", "resources", "limits").get(resource)
    if own is not None:
        return amount(own)
    total = 0
    for container in pod["spec"]["containers"]:
        text: str | None = part(container, "resources", "limits").get(resource)
        if text is None:
            return None
        total += amount(text)
    return total
