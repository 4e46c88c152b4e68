"""Label and field selectors, parsed once (`selector_parser.py`) and asked often.

Source: apimachinery `labels/selector.go`, `fields/selector.go`, meta/v1 LabelSelector.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Operator = Literal["in", "notin", "exists", "absent", "gt", "lt"]

LABEL_VALUE_LENGTH_MAX = 63
_INTEGER = re.compile(r"[+-]?[0-9]+")


def int64(text: str) -> int | None:
    """The number that Gt and Lt see in a label, None where Go's ParseInt sees none."""
    if len(text) > LABEL_VALUE_LENGTH_MAX or _INTEGER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if -(2**63) <= number < 2**63 else None


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":  # an absent label is not in any set
            return value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "absent":
            return value is None
        have, bound = int64(value or ""), int64(next(iter(self.values)))
        if have is None or bound is None:
            return False
        return have > bound if self.operator == "gt" else have < bound


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; without any, everything matches."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        have = labels or {}
        return all(requirement.matches(have) for requirement in self.requirements)

    @property
    def is_everything(self) -> bool:
        return not self.requirements

    def exact(self, key: str) -> str | None:
        """The one value this label must have, None where several or none would do: for indexes."""
        for requirement in self.requirements:
            single = requirement.operator == "in" and len(requirement.values) == 1
            if requirement.key == key and single:
                return next(iter(requirement.values))
        return None


@dataclass(frozen=True, slots=True)
class FieldTerm:
    path: str
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All terms must hold. `matches` asks for a field's text, "" where it is absent."""

    terms: tuple[FieldTerm, ...] = ()

    def matches(self, field: Callable[[str], str]) -> bool:
        return all((field(term.path) == term.value) != term.negated for term in self.terms)

    @property
    def is_everything(self) -> bool:
        return not self.terms

    @property
    def paths(self) -> frozenset[str]:
        return frozenset(term.path for term in self.terms)

    def exact(self, path: str) -> str | None:
        """The one value this field must have, None where there is no such term: for indexes."""
        for term in self.terms:
            if term.path == path and not term.negated:
                return term.value
        return None


def labels_equal(labels: Mapping[str, str]) -> LabelSelector:
    """Selects objects that have all of these labels."""
    return LabelSelector(
        tuple(Requirement(k, "in", frozenset((v,))) for k, v in sorted(labels.items()))
    )


def from_object(selector: Mapping[str, Any] | None) -> LabelSelector | None:
    """A meta/v1 LabelSelector; None stays None, which by convention selects nothing.

    Errors: ValueError for an unknown operator or values that do not belong.
    """
    if selector is None:
        return None
    found = list(labels_equal(selector.get("matchLabels") or {}).requirements)
    for entry in selector.get("matchExpressions") or ():
        operator, values = entry.get("operator"), frozenset[str](entry.get("values") or ())
        key = str(entry.get("key") or "")
        if operator in ("In", "NotIn"):
            if not values:
                raise ValueError(f"label {key}: for operator {operator}, values must not be empty")
            found.append(Requirement(key, "in" if operator == "In" else "notin", values))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                raise ValueError(f"label {key}: operator {operator} takes no values")
            found.append(Requirement(key, "exists" if operator == "Exists" else "absent"))
        else:
            raise ValueError(f"label {key}: {operator!r} is not a valid label selector operator")
    return LabelSelector(tuple(found))


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """A meta/v1 LabelSelector in the words of `parse_labels`, by key; "" for none or all.

    Source: apimachinery `labels.Selector.String` of LabelSelectorAsSelector.
    """
    if selector is None:
        return ""
    labels: Mapping[str, str] = selector.get("matchLabels") or {}
    found = [(key, f"{key}={value}") for key, value in labels.items()]
    for entry in selector.get("matchExpressions") or ():
        key, operator = str(entry.get("key")), str(entry.get("operator"))
        values = ",".join(sorted(entry.get("values") or ()))
        words = {"Exists": key, "DoesNotExist": f"!{key}"}
        found.append((key, words.get(operator) or f"{key} {operator.lower()} ({values})"))
    return ",".join(text for _, text in sorted(found, key=lambda each: each[0]))
