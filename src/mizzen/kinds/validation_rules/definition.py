"""Checks the rules of a definition when it is written.

Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go, v0.36.
"""

from __future__ import annotations

from typing import Any, cast

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.cel.tree import CompileError
from mizzen.kinds import causes as words
from mizzen.kinds.names import invalid_value
from mizzen.kinds.reading import entries, part
from mizzen.kinds.report import quoted
from mizzen.kinds.validation_rules.compiling import RULES, Place, Rule, has_rules, rules_of
from mizzen.kinds.validation_rules.field_paths import field_path

REASONS = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
# Of all rules and message expressions of one schema: compiling them takes a third of a second.
SOURCES_BYTES_MAX = 32 * 1024
_COMBINATIONS = ("allOf", "anyOf", "oneOf")


def check_rules(schema: Obj, path: str, *, is_compiled: bool = True) -> list[Cause]:
    """Causes to refuse the rules of a schema of whole objects. `is_compiled`: it is right otherwise,
    so that they can be."""
    causes: list[Cause] = []
    size = _check_written(schema, path, causes)
    if size > SOURCES_BYTES_MAX:
        message = (
            f"Too long: its rules have {size} bytes together, of at most {SOURCES_BYTES_MAX}; "
            "write fewer or shorter ones"
        )
        causes.append(Cause(path, message, "FieldValueTooLong"))
    if causes or not is_compiled:  # what does not stand is not compiled
        return causes
    rules = rules_of(schema)
    if rules is not None:
        _check_place(rules.root, schema, path, "", causes)
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


def _check_place(place: Place, node: Obj, path: str, unrelated: str, causes: list[Cause]) -> None:
    """`unrelated`: the list above whose elements have no old ones; "" where there is none."""
    for index, rule in enumerate(place.rules):
        _check_compiled(rule, f"{path}.{RULES}[{index}]", unrelated, causes)
    for name, child in part(node, "properties").items():
        at = f"{path}.properties[{name}]"
        _check_below(place.fields.get(name), child, at, unrelated, causes)
    if node.get("type") == "array" and node.get("x-kubernetes-list-type") != "map":
        unrelated = unrelated or path
    for word in ("items", "additionalProperties"):
        if isinstance(node.get(word), dict):
            _check_below(place.each, node[word], f"{path}.{word}", unrelated, causes)


def _check_below(
    place: Place | None, node: Obj, path: str, unrelated: str, causes: list[Cause]
) -> None:
    if place is None and node.get(RULES):
        message = "Forbidden: rules here would never run: nothing is declared of the values above"
        causes.append(Cause(f"{path}.{RULES}", message, "FieldValueForbidden"))
    elif place is not None or has_rules(node):
        _check_place(place or Place("", ()), node, path, unrelated, causes)


def _check_compiled(rule: Rule, path: str, unrelated: str, causes: list[Cause]) -> None:
    if isinstance(rule.program, CompileError):
        what = f"compilation failed: {rule.program.located(rule.source)}"
        causes.append(words.invalid(f"{path}.rule", rule.shown_whole, what))
    elif rule.uses_old and unrelated:
        what = (
            f"oldSelf cannot be used on the uncorrelatable portion of the schema within {unrelated}"
        )
        _invalid(f"{path}.rule", rule.source, what, causes)
    if rule.optional_given and not rule.uses_old:
        what = "may not be set if oldSelf is not used in rule"
        causes.append(words.invalid(f"{path}.optionalOldSelf", rule.optional, what))
    is_right = not isinstance(rule.program, CompileError)
    if is_right and rule.message_source and isinstance(rule.message_program, CompileError):
        problem = rule.message_program.located(rule.message_source)
        what = f"messageExpression compilation failed: {problem}"
        if rule.message_program.is_result:
            what = "messageExpression must evaluate to a string"
        causes.append(words.invalid(f"{path}.messageExpression", rule.shown_whole, what))
