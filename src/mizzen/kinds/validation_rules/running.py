"""Runs the rules of a schema on an object.

An object is walked as deep as there are rules. On an update each part knows the old one that it
corresponds to: by name, and in lists of type map by key; elsewhere in lists there is none, and rules
about `oldSelf` are not asked. What a rule says against a part that has not changed since does not
keep the object from being changed (ratcheting), unless the rule is about that change.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go, v0.36; KEP-4008.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from mizzen.base.errors import CAUSES_MAX, Cause
from mizzen.base.objects import Obj
from mizzen.cel import values
from mizzen.cel.bounds import LOOK
from mizzen.cel.cost import CostExceeded, Run
from mizzen.cel.objects import JsonMap
from mizzen.cel.program import Program
from mizzen.cel.tree import CompileError
from mizzen.cel.values import NOTHING, Err, Keyed, Optional
from mizzen.kinds.report import Path, quoted, render
from mizzen.kinds.validation_rules.compiling import OLD_SELF, SELF, Place, Rule, Rules

# Of all rules in one request, be it a plan of many objects: each about a tenth of a second, during
# which the API server serves nobody else. Upstream's limits (1,000,000 a rule, 10,000,000 an
# object) are a second and ten here.
COST_MAX = 20_000
BUILT_BYTES_MAX = 4 << 20
EVALUATION_COST = 5  # of a rule, whatever it says
MESSAGE_BYTES_MAX = 5 * 1024  # upstream's MaxEvaluatedMessageExpressionSizeBytes
_WORDS = {
    "FieldValueForbidden": "Forbidden",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
}


class Budget:
    """The cost that the rules of one request may have."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Another request begins."""
        self.cost = COST_MAX
        self.built = BUILT_BYTES_MAX

    def bill(self) -> Run:
        return Run(max(self.cost, 0), max(self.built, 0))

    def settle(self, bill: Run) -> None:
        self.cost -= bill.cost + EVALUATION_COST
        self.built -= bill.built


# One for the process: whoever serves requests renews it with each.
BUDGET = Budget()


def validator_of(rules: Rules, budget: Budget = BUDGET) -> Callable[[Obj, Obj | None], list[Cause]]:
    """Causes to refuse an object (`old` None: to be created) that breaks rules."""

    def validate(new: Obj, old: Obj | None) -> list[Cause]:
        walk = _Walk(budget)
        adapt = rules.declared.adapt
        before = None if old is None else _Part(old, adapt(old))
        with contextlib.suppress(_Stopped):
            walk.visit(rules.root, None, _Part(new, adapt(new)), before, None)
        return walk.causes

    return validate


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an object, as JSON and as the value that rules see."""

    raw: Any
    value: object


class _Change:
    """From an old part to a new one; whether they are the same is worked out at most once. Whole
    objects never are: there is metadata that no schema declares."""

    __slots__ = ("_new", "_old", "_same")

    def __init__(self, new: _Part, old: _Part, *, is_root: bool) -> None:
        self._new, self._old = new.raw, old.raw
        self._same = False if is_root else None

    def is_none(self) -> bool:
        if self._same is None:
            self._same = bool(self._new == self._old)
        return self._same


class _Stopped(Exception):
    """No more rules are run, as the causes say."""


class _Walk:
    def __init__(self, budget: Budget) -> None:
        self.causes: list[Cause] = []
        self._budget = budget

    def visit(
        self, place: Place, path: Path, new: _Part, old: _Part | None, above: _Change | None
    ) -> None:
        """`above`: of the nearest part above that has an old one. Errors: _Stopped."""
        if new.raw is None:
            return
        self._look_through(place, path, 1)
        change = above if old is None else _Change(new, old, is_root=path is None)
        if place.rules:
            self._check(place, path, new, old, change)
        value, former = new.value, None if old is None else old.value
        if isinstance(value, JsonMap):
            before = former if isinstance(former, JsonMap) else None
            self._visit_map(place, path, value, before, change)
        elif place.each is not None and values.is_list(value):
            others = len(former) if values.is_list(former) else 0
            self._look_through(place, path, len(value) + others)
            find = _finder(former)
            for index, (raw, element) in enumerate(zip(new.raw, value, strict=True)):
                at = (path, index)
                self.visit(place.each, at, _Part(raw, element), find(element), change)

    def _look_through(self, place: Place, path: Path, count: int) -> None:
        """Pays for so many parts. Errors: _Stopped."""
        self._budget.built -= LOOK * count
        if self._budget.built <= 0:
            self._spent(path, place)

    def _visit_map(
        self, place: Place, path: Path, new: JsonMap, old: JsonMap | None, change: _Change | None
    ) -> None:
        for key, raw in new.raw.items():
            below = place.fields.get(key) if place.each is None else place.each
            if below is None:
                continue
            before: _Part | None = None
            if old is not None and old.raw.get(key) is not None:
                before = _Part(old.raw[key], old.part(key))
            at = (path, key if place.each is None else (key,))
            self.visit(below, at, _Part(raw, new.part(key)), before, change)

    def _check(
        self, place: Place, path: Path, new: _Part, old: _Part | None, change: _Change | None
    ) -> None:
        for rule in place.rules:
            program = rule.program
            if isinstance(program, CompileError):  # of a definition that was stored before
                self._wrong(path, place, f"rule compile error: {program}")
                continue
            if rule.uses_old and old is None and not rule.optional:
                continue
            variables = _variables(rule, new, old)
            value = self._evaluate(program, variables, path, place, rule)
            if value is True:
                continue
            if isinstance(value, Err):
                self._wrong(path, place, _failed(value, rule))
            elif rule.uses_old or change is None or not change.is_none():
                message = self._message(rule, variables, path, place)
                self._add(_cause(rule, path, new.raw, message))

    def _evaluate(
        self, program: Program, variables: dict[str, object], path: Path, place: Place, rule: Rule
    ) -> object:
        """Errors: _Stopped."""
        if self._budget.cost <= 0 or self._budget.built <= 0:
            self._spent(path, place)
        bill = self._budget.bill()
        try:
            return program.evaluate(variables, bill)
        except CostExceeded as error:
            self._wrong(
                path, place,
                f"'{error}': no further validation rules will be run due to call cost exceeds limit "
                f"for rule: {rule.shown}",
            )  # fmt: skip
            raise _Stopped from error
        finally:
            self._budget.settle(bill)

    def _message(self, rule: Rule, variables: dict[str, object], path: Path, place: Place) -> str:
        plain = rule.message or f"failed rule: {rule.source.strip()}"
        if not rule.message_source or isinstance(rule.message_program, CompileError):
            return plain
        made = self._evaluate(rule.message_program, variables, path, place, rule)
        text = made.strip() if isinstance(made, str) else ""
        is_fit = text and "\n" not in text and len(text.encode()) <= MESSAGE_BYTES_MAX
        return text if is_fit else plain

    def _spent(self, path: Path, place: Place) -> NoReturn:
        self._wrong(
            path, place,
            "validation failed due to running out of cost budget, no further validation rules will "
            f"be run: those of one request may cost {COST_MAX}, and look through "
            f"{BUILT_BYTES_MAX // LOOK} parts of objects",
        )  # fmt: skip
        raise _Stopped

    def _wrong(self, path: Path, place: Place, problem: str) -> None:
        self._add(Cause(render(path), f'Invalid value: "{place.type}": {problem}'))

    def _add(self, cause: Cause) -> None:
        """Errors: _Stopped, where no more are told."""
        self.causes.append(cause)
        if len(self.causes) > CAUSES_MAX:
            raise _Stopped


def _variables(rule: Rule, new: _Part, old: _Part | None) -> dict[str, object]:
    variables = {SELF: new.value}
    if rule.optional:
        variables[OLD_SELF] = NOTHING if old is None else Optional(old.value)
    elif old is not None:
        variables[OLD_SELF] = old.value
    return variables


def _finder(former: object) -> Callable[[object], _Part | None]:
    """The old element that one of a list corresponds to: only lists of type map know."""
    if not isinstance(former, Keyed):
        return lambda _: None
    known = former.by_mark()

    def find(element: object) -> _Part | None:
        found = known.get(former.mark(element))
        return _Part(found.raw, found) if isinstance(found, JsonMap) else None

    return find


def _failed(error: Err, rule: Rule) -> str:
    if error.reason.startswith("no such overload"):
        return (
            f"'{error.reason}': call arguments did not match a supported operator, function or "
            f"macro signature for rule: {rule.shown}"
        )
    return f"{error.reason} evaluating rule: {rule.shown}"


def _cause(rule: Rule, path: Path, raw: Any, message: str) -> Cause:
    at = (render(path) + rule.field_path).removeprefix(".")
    word = _WORDS.get(rule.reason, "Invalid value")
    shown = "" if isinstance(raw, dict | list) else f": {quoted(raw)}"
    if rule.reason in ("FieldValueForbidden", "FieldValueRequired"):
        return Cause(at, f"{word}: {message}", rule.reason)
    if rule.reason == "FieldValueDuplicate":
        return Cause(at, f"{word}{shown}", rule.reason)
    return Cause(at, f"{word}{shown}: {message}", rule.reason)
