"""How much of the server a request takes: seats while it is answered, and for a moment after.

A get takes one seat. A list takes one for each BYTES_PER_SEAT that it is of, a write one for each
WATCHES_PER_SEAT that are told of it, which happens once it is answered.

Source: apiserver pkg/util/flowcontrol/request, Kubernetes 1.36, feature gate
SizeBasedListCostEstimate. Lists come from memory here, as they do from its cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from mizzen.base import query

BYTES_PER_SEAT = 100_000
LIST_BYTES_MAX = 1_000_000  # that count: what is longer is made piece by piece
WATCHES_PER_SEAT = 10
# What ten watches make of a seat's time. Upstream reckons with 5 ms; here they share what is encoded,
# and docs/api-speed.md has a tenth of a create for it.
EVENT_S = 0.0001
WRITE_SEATS_MAX = 10
_DIGITS_MAX = 18  # of a limit; what is no number is refused later
_WRITES = frozenset(("create", "update", "patch", "delete"))
_MANY = frozenset(("list", "watch"))


class Work(NamedTuple):
    """`seats` while the request is answered, `final_seats` for `final_s` after that."""

    seats: int = 1
    final_seats: int = 0
    final_s: float = 0.0

    @property
    def width(self) -> int:
        """The seats that it holds from its start to its end."""
        return max(self.seats, self.final_seats)


ONE = Work()


def is_of_many(verb: str) -> bool:
    """True where what a request takes depends on how many objects there are."""
    return verb in _MANY


def is_told(verb: str, plural: str, subresource: str) -> bool:
    """True where watches hear of what a request does. A token is no object."""
    return verb in _WRITES and (plural, subresource) != ("serviceaccounts", "token")


def of_list(
    count: int,
    size: int,
    verb: str,
    params: Mapping[str, str],
    *,
    is_single: bool,
    seats_max: int,
) -> Work:
    """Of a list of `count` objects of `size` bytes together, or a watch that begins with one.

    `is_single`: of one name alone.
    """
    if not count or (verb == "watch" and not _begins_with_list(params)):
        return ONE
    limit = params.get("limit", "")
    is_number = limit.isdecimal() and len(limit) <= _DIGITS_MAX
    sent = min(count, int(limit) or count) if is_number else count
    if is_single:
        read = 1
    elif params.get("labelSelector") or params.get("fieldSelector"):
        read = max(sent, count // 2)  # it is looked for
    else:
        read = sent
    seats = ceil(min(read * size / count, LIST_BYTES_MAX) / BYTES_PER_SEAT)
    return Work(max(1, min(seats, seats_max)))


def of_write(watches: int, *, seats_max: int) -> Work:
    """Of a write of one object. The work is the same where fewer seats do it for longer."""
    if watches < WATCHES_PER_SEAT:
        return ONE
    seats = ceil(watches / WATCHES_PER_SEAT)
    final = min(seats, seats_max, WRITE_SEATS_MAX)
    return Work(1, final, seats * EVENT_S / final)


def _begins_with_list(params: Mapping[str, str]) -> bool:
    if query.is_true(params.get("sendInitialEvents")):
        return True
    return params.get("resourceVersion") in (None, "", "0")
