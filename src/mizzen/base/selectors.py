"""Label and field selectors, parsed once and asked often.

Source: apimachinery `labels/selector.go`, `fields/selector.go`, meta/v1 LabelSelector.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Operator = Literal["in", "notin", "exists", "absent", "gt", "lt"]

LABEL_VALUE_LENGTH_MAX = 63
_TOKEN = re.compile(r"\s*(==|=|!=|!|,|\(|\)|>|<|[^\s=!,()<>]+)")
_KEY = re.compile(
    r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]"
)
_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9])?")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_FIELD_ESCAPES = re.compile(r"\\([\\,=])")


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


# -- labels -------------------------------------------------------------------------
def parse_labels(text: str) -> LabelSelector:
    """`a=b,c!=d,e in (x,y),f notin (z),g,!h`. Errors: ValueError that says where."""
    tokens = _tokens(text)
    found: list[Requirement] = []
    position = 0
    while position < len(tokens):
        requirement, position = _requirement(tokens, position, text)
        found.append(requirement)
        if position < len(tokens):
            if tokens[position] != ",":
                raise _unparsable(text, f"found '{tokens[position]}', expected: ','")
            position += 1
            if position == len(tokens):
                raise _unparsable(text, "found '', expected: identifier after ','")
    return LabelSelector(tuple(found))


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


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        assert match is not None, "every character but white space is a token or part of one"
        tokens.append(match.group(1))
        position = match.end()
    return tokens


def _requirement(tokens: list[str], position: int, text: str) -> tuple[Requirement, int]:
    absent = tokens[position] == "!"
    position += absent
    key = tokens[position] if position < len(tokens) else ""
    if _KEY.fullmatch(key) is None:
        raise _unparsable(text, f"'{key}' is not a label's key")
    position += 1
    following = tokens[position] if position < len(tokens) else ","
    if absent or following == ",":
        return Requirement(key, "absent" if absent else "exists"), position
    if following in ("in", "notin"):
        values, position = _value_set(tokens, position + 1, text)
        return Requirement(key, following, values), position
    if following not in ("=", "==", "!=", ">", "<"):
        wanted = "expected: in, notin, =, ==, !=, gt, lt"
        raise _unparsable(text, f"found '{following}', {wanted}")
    position += 1
    value = ""
    if position < len(tokens) and tokens[position] != ",":
        value = tokens[position]
        position += 1
    if _VALUE.fullmatch(value) is None:
        raise _unparsable(text, f"'{value}' is not a label's value")
    operators: dict[str, Operator] = {"!=": "notin", ">": "gt", "<": "lt"}
    operator = operators.get(following, "in")
    if operator in ("gt", "lt") and int64(value) is None:
        raise _unparsable(
            text, f"for 'Gt', 'Lt' operators, the value must be an integer: '{value}'"
        )
    return Requirement(key, operator, frozenset((value,))), position


def _value_set(tokens: list[str], position: int, text: str) -> tuple[frozenset[str], int]:
    if position >= len(tokens) or tokens[position] != "(":
        raise _unparsable(text, "expected: '(' after in, notin")
    values: set[str] = set()
    current = ""
    for index in range(position + 1, len(tokens)):
        token = tokens[index]
        if token in (",", ")"):
            values.add(current)
            current = ""
            if token == ")":
                return frozenset(values), index + 1
        elif current or _VALUE.fullmatch(token) is None:
            raise _unparsable(text, f"found '{token}', expected: ',' or ')'")
        else:
            current = token
    raise _unparsable(text, "found '', expected: ')'")


def _unparsable(text: str, why: str) -> ValueError:
    return ValueError(f"unable to parse label selector {text!r}: {why}")


# -- fields -------------------------------------------------------------------------
def parse_fields(text: str) -> FieldSelector:
    r"""`a=b,c!=d`, with `\,`, `\=` and `\\` escaped in values. Errors: ValueError."""
    terms: list[FieldTerm] = []
    for part in _split_fields(text):
        if not part:
            continue
        match = re.match(r"([^=!]+)(!=|==|=)(.*)", part, re.DOTALL)
        if match is None:
            raise ValueError(
                f"unable to parse field selector {text!r}: {part!r} is not of the form "
                "path=value or path!=value"
            )
        path, operator, raw = match.groups()
        terms.append(FieldTerm(path.strip(), _FIELD_ESCAPES.sub(r"\1", raw), operator == "!="))
    return FieldSelector(tuple(terms))


def _split_fields(text: str) -> list[str]:
    """Parts between commas that are not escaped."""
    parts: list[str] = []
    start = position = 0
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        if text[position] == ",":
            parts.append(text[start:position])
            start = position + 1
        position += 1
    parts.append(text[start:])
    return parts
