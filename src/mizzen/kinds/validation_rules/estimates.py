"""What the rules of one schema may cost by estimate, and the refusals of what is too much.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go and
cel_validation.go, v0.36.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.cel.estimate_sizes import capped, times
from mizzen.kinds import causes as words
from mizzen.kinds.validation_rules.declared_types import REQUEST_BYTES_MAX

RULE_COST_MAX = 10_000_000  # of one rule, as often as it may be asked of one object
SCHEMA_COST_MAX = 100_000_000  # of all of a schema
_TOLD_MAX = 4  # of the rules that cost most
_HELP = (
    "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, "
    "and strings are declared)"
)


@dataclass(slots=True)
class Estimates:
    """Sums up one schema."""

    total: int = 0
    _most: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def add(self, path: str, what: str, cost: int) -> Iterator[Cause]:
        """Counts an expression; the cause to refuse it, where it costs too much by itself."""
        self.total = capped(self.total + cost)
        if cost >= SCHEMA_COST_MAX // 100:
            self._most = sorted([*self._most, (cost, path)], key=lambda each: -each[0])[:_TOLD_MAX]
        if cost > RULE_COST_MAX:
            yield words.forbidden(path, _exceeded(f"estimated {what} cost", cost, RULE_COST_MAX))

    def check_total(self, path: str) -> Iterator[Cause]:
        """The causes to refuse the schema, where all together cost too much."""
        if self.total <= SCHEMA_COST_MAX:
            return
        for _, at in self._most:
            yield words.forbidden(
                at,
                "contributed to estimated rule cost total exceeding cost limit for entire "
                "OpenAPIv3 schema",
            )
        what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema"
        yield words.forbidden(path, _exceeded(what, self.total, SCHEMA_COST_MAX))


def occurrences_below(node: Obj, here: int | None) -> int | None:
    """How often what is directly below a schema may occur in an object, None without a bound."""
    word = ""
    if node.get("type") == "array":
        word = "maxItems"
    elif node.get("type") == "object" and node.get("additionalProperties") is not None:
        word = "maxProperties"
    if not word or here is None:
        return here
    most = node.get(word)
    return None if most is None else times(here, max(int(most), 0))


def of_all(cost: int, occurrences: int | None, least_json: int) -> int:
    """What an expression costs in all; without a bound a request's size is one."""
    if occurrences is None:
        occurrences = REQUEST_BYTES_MAX // (least_json + 1)
    return times(cost, occurrences)


def _exceeded(what: str, cost: int, limit: int) -> str:
    factor = cost / limit
    shown = f"{factor:.1f}x"
    if factor > 100:
        shown = "more than 100x"
    elif factor < 1.5:
        shown = f"{factor:f}x"
    return f"{what} exceeds budget by factor of {shown} {_HELP}"
