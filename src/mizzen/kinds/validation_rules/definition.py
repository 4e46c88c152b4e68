"""Checks the rules of a definition when it is written.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go, v0.36.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.cel.tree import CompileError
from mizzen.kinds import causes as words
from mizzen.kinds.names import invalid_value
from mizzen.kinds.reading import entries, part
from mizzen.kinds.report import quoted
from mizzen.kinds.validation_rules.compiling import RULES, Place, Rule, has_rules, rules_of
from mizzen.kinds.validation_rules.estimates import Estimates, occurrences_below, of_all
from mizzen.kinds.validation_rules.field_paths import field_path

REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
# Of all rules and message expressions of one schema: compiling them takes a third of a second.
SOURCES_BYTES_MAX = 32 * 1024
_COMBINATIONS = ("allOf", "anyOf", "oneOf")


def check_rules(
    schema: Obj, path: str, wrong: Sequence[Cause] = (), *, is_compiled: bool = True,
) -> list[Cause]:  # fmt: skip
    """Causes to refuse the rules of a schema of whole objects.

    `wrong`: what else is wrong with it; rules at or above such places are not compiled. `is_compiled`:
    its structure lets the others be.
    """
    causes: list[Cause] = []
    size = _check_written(schema, path, causes)
    if size > SOURCES_BYTES_MAX:
        message = (
            f"Too long: its rules have {size} bytes together, of at most {SOURCES_BYTES_MAX}; "
            "write fewer or shorter ones"
        )
        return [*causes, Cause(path, message, "FieldValueTooLong")]
    rules = rules_of(schema) if is_compiled else None
    if rules is not None:
        check = _Check([each.field for each in (*wrong, *causes)])
        check.place(rules.root, schema, path, "", 1)
        causes += [*check.causes, *check.costs.check_total(path)]
    return causes


def _check_written(node: Obj, path: str, causes: list[Cause]) -> int:
    """Adds what can be seen without compiling; bytes of the expressions."""
    size = 0
    for index, rule in enumerate(entries(node, RULES)):
        _check_rule(rule, node, f"{path}.{RULES}[{index}]", causes)
        size += sum(len((rule.get(n) or "").encode()) for n in ("rule", "messageExpression"))
    below: list[tuple[str, Any]] = [
        (f"{path}.properties[{name}]", child) for name, child in part(node, "properties").items()
    ]
    below += [(f"{path}.{word}", node.get(word)) for word in ("items", "additionalProperties")]
    for at, child in below:
        if isinstance(child, dict):
            size += _check_written(cast("Obj", child), at, causes)
    return size


def _check_rule(rule: Obj, node: Obj, path: str, causes: list[Cause]) -> None:
    source, message = (rule.get("rule") or "").strip(), (rule.get("message") or "").strip()
    where: str | None = rule.get("fieldPath")
    if not source:
        _required(f"{path}.rule", "rule is not specified", causes)
    elif rule.get("message") and not message:
        _invalid(f"{path}.message", rule["message"], "must be non-empty if specified", causes)
    elif "\n" in message:
        _invalid(f"{path}.message", rule["message"], "must not contain line breaks", causes)
    elif "\n" in source and not message:
        what = "message must be specified if rule contains line breaks"
        _required(f"{path}.message", what, causes)
    if rule.get("messageExpression") and not rule["messageExpression"].strip():
        what = "messageExpression must be non-empty if specified"
        _required(f"{path}.messageExpression", what, causes)
    if rule.get("reason") and rule["reason"] not in REASONS:
        allowed = ", ".join(f'"{each}"' for each in REASONS)
        what = f"Unsupported value: {quoted(rule['reason'])}: supported values: {allowed}"
        causes.append(Cause(f"{path}.reason", what, "FieldValueNotSupported"))
    if where and not where.strip():
        _invalid(f"{path}.fieldPath", where, "must be non-empty if specified", causes)
    if where and "\n" in where:
        _invalid(f"{path}.fieldPath", where, "must not contain line breaks", causes)
    if where and isinstance(field_path(where, node), ValueError):
        _invalid(f"{path}.fieldPath", where, "must be a valid path", causes)


def _required(path: str, what: str, causes: list[Cause]) -> None:
    causes.append(Cause(path, f"Required value: {what}", "FieldValueRequired"))


def _invalid(path: str, value: Any, what: str, causes: list[Cause]) -> None:
    causes.append(invalid_value(path, value, what))


class _Check:
    """Of what is compiled. `wrong`: fields that are refused already."""

    def __init__(self, wrong: Sequence[str]) -> None:
        self.causes: list[Cause] = []
        self.costs = Estimates()
        self._wrong = wrong

    def place(
        self, place: Place, node: Obj, path: str, unrelated: str, occurrences: int | None
    ) -> None:
        """`unrelated`: the list above whose elements have no old ones; "" where there is none.
        `occurrences`: how often the place may be in an object."""
        if place.rules and not self._is_wrong(path):
            for index, rule in enumerate(place.rules):
                at = f"{path}.{RULES}[{index}]"
                self._compiled(rule, at, unrelated)
                self._estimated(rule, at, occurrences, place.least_json)
        below = occurrences_below(node, occurrences)
        for name, child in part(node, "properties").items():
            at = f"{path}.properties[{name}]"
            self._below(place.fields.get(name), child, at, unrelated, below)
        if node.get("type") == "array" and node.get("x-kubernetes-list-type") != "map":
            unrelated = unrelated or path
        for word in ("items", "additionalProperties"):
            if isinstance(node.get(word), dict):
                self._below(place.each, node[word], f"{path}.{word}", unrelated, below)

    def _is_wrong(self, path: str) -> bool:
        """True if something there or below it is."""
        return any(
            each == path or each.startswith((f"{path}.", f"{path}[")) for each in self._wrong
        )

    def _below(
        self, place: Place | None, node: Obj, path: str, unrelated: str, occurrences: int | None
    ) -> None:
        if place is None and node.get(RULES):
            message = (
                "Forbidden: rules here would never run: nothing is declared of the values above"
            )
            self.causes.append(Cause(f"{path}.{RULES}", message, "FieldValueForbidden"))
        elif place is not None or has_rules(node):
            self.place(place or Place("", ()), node, path, unrelated, occurrences)

    def _estimated(self, rule: Rule, path: str, occurrences: int | None, least_json: int) -> None:
        if isinstance(rule.program, CompileError):
            return
        cost = of_all(rule.program.cost_max, occurrences, least_json)
        self.causes += self.costs.add(f"{path}.rule", "rule", cost)
        if rule.message_source and not isinstance(rule.message_program, CompileError):
            cost = rule.message_program.cost_max
            self.causes += self.costs.add(f"{path}.messageExpression", "messageExpression", cost)

    def _compiled(self, rule: Rule, path: str, unrelated: str) -> None:
        if isinstance(rule.program, CompileError):
            what = rule.program.told(rule.source)
            if rule.program.is_result:
                what = "cel expression must evaluate to a bool"
            self.causes.append(words.invalid(f"{path}.rule", rule.shown_whole, what))
        elif rule.uses_old and unrelated:
            what = (
                "oldSelf cannot be used on the uncorrelatable portion of the schema within "
                f"{unrelated}"
            )
            _invalid(f"{path}.rule", rule.source, what, self.causes)
        if rule.optional_given and not rule.uses_old:
            what = "may not be set if oldSelf is not used in rule"
            self.causes.append(words.invalid(f"{path}.optionalOldSelf", rule.optional, what))
        is_right = not isinstance(rule.program, CompileError)
        if is_right and rule.message_source and isinstance(rule.message_program, CompileError):
            told = rule.message_program.told(rule.message_source).removeprefix("program ")
            what = f"messageExpression {told}"
            if rule.message_program.is_result:
                what = "messageExpression must evaluate to a string"
            self.causes.append(words.invalid(f"{path}.messageExpression", rule.shown_whole, what))
