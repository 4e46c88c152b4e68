"""The interface of pickers, which choose the replicas of a request, found by name in `pickers`.

A picker is a pure function, asked once for each request that wants a place: what it needs to know
is in its arguments. (Filter, score and pick of an endpoint picker are one function here.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from mizzen.base.registry import by_name
from mizzen.gateway.core.engine_metrics import EngineMetrics

DEFAULT_PICKER = "prefix-affinity"


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request as routing and the record of decisions know it.

    `hashes`: its prompt's whole blocks (`prefixes.prefix_hashes`).
    """

    id: str
    arrived_ns: int
    hashes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ready replica; `cached` is the share of the prompt it has read before, 0 to 1.

    `in_flight` counts this gateway's requests there, of `capacity`; `turn` is the number of the
    last request it was given. `metrics` is what its engine said last, None where it says nothing or
    the picker does not read it.
    """

    name: str
    in_flight: int
    capacity: int
    cached: float = 0.0
    turn: int = 0
    metrics: EngineMetrics | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """Names of candidates: the one that answers, and those that work for it besides.

    `others` hold a place of theirs for as long as the request runs (a prefill replica beside its
    decode replica); most pickers name none.
    """

    primary: str
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picker:
    """`pick` answers None when no candidate has room: the request waits in the queue.

    With `reads_metrics` engines are asked for theirs again and again (`scraper.SCRAPE_S`).
    """

    name: str
    pick: Callable[[RequestContext, Iterable[Candidate]], Pick | None]
    reads_metrics: bool = False


@cache
def find_pickers() -> Mapping[str, Picker]:
    """Every module of `pickers` with a `PICKER`, by its name."""
    return by_name(f"{__package__}.pickers", "PICKER")
