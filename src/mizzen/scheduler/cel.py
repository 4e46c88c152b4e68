# pyright: basic
"""The CEL environment of DRA device selectors, on Google's C++ runtime (`cel-expr-python`).

`device.driver`, `device.attributes[domain].name`, `device.capacity[domain].name`; quantities and
semantic versions with upstream's functions. An expression runs once per distinct device
shape: the device cut to what the expression can see of it.

Outside the core because the runtime is a compiled library without types. Lacks upstream's cost
limit (expressions are bounded in length instead) and `allowMultipleAllocations`.
Sources: k8s.io/dynamic-resource-allocation/cel, k8s.io/apiserver/pkg/cel/library
(quantity.go, semverlib.go), v1.36.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_optional, ext_strings

from mizzen.base import quantity
from mizzen.scheduler.core.dra.model import AttributeValue, Device, SelectorError

EXPRESSION_CHARS_MAX = 10 * 1024  # resource.k8s.io/v1 CELSelectorExpressionMaxLength
REMEMBERED_MAX = 100_000  # answers kept; beyond, all are forgotten at once

_STRING = cel.Type.STRING
_BOOL = cel.Type.BOOL
_INT = cel.Type.INT
_TAGGED = cel.Type.Map(_STRING, cel.Type.DYN)  # {"quantity": …} or {"semver": …}
_SEMVER = re.compile(
    r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+([0-9A-Za-z.-]+))?$"
)
# What an expression reads when it names attributes one by one; anything else may read them all.
_READS = re.compile(
    r"""(?:attributes|capacity)\s*\[\s*(["'])([^"']*)\1\s*\]\s*\.\s*\??\s*([A-Za-z_]\w*)\b(?!\s*\()"""
)
_ACCESS = re.compile(r"\b(?:attributes|capacity)\b")
_DOMAIN = re.compile(r"""["']([^"']*)["']""")


class CelSelectors:
    """`Selectors` for the core; remembers compiled expressions and answers."""

    def __init__(self) -> None:
        self._env = cel.NewEnv(
            variables={"device": cel.Type.Map(_STRING, cel.Type.DYN)},
            functions=_functions(),
            extensions=[
                ext_bindings.ExtBindings(),
                ext_optional.ExtOptional(),
                ext_strings.ExtStrings(),
            ],
        )
        self._compiled: dict[str, Any] = {}
        self._answers: dict[tuple[str, object], bool | str] = {}
        self.evaluations = 0

    def statistics(self) -> Mapping[str, int]:
        return {
            "expressions": len(self._compiled),
            "answers": len(self._answers),
            "evaluations": self.evaluations,
        }

    def matches(self, expression: str, device: Device) -> bool:
        """Whether the device satisfies the expression. Errors: SelectorError."""
        key = (expression, _visible(expression, device))
        answer = self._answers.get(key)
        if answer is None:
            if len(self._answers) >= REMEMBERED_MAX:
                self._answers.clear()
            answer = self._answers[key] = self._evaluate(expression, device)
        if isinstance(answer, str):
            raise SelectorError(answer)
        return answer

    def _evaluate(self, expression: str, device: Device) -> bool | str:
        """The answer, or why there is none."""
        self.evaluations += 1
        where = f"CEL selector {expression!r}"
        if len(expression) > EXPRESSION_CHARS_MAX:
            return f"CEL selector is longer than {EXPRESSION_CHARS_MAX} characters; shorten it"
        try:
            program = self._compiled.get(expression)
            if program is None:
                program = self._compiled[expression] = self._env.compile(expression)
        except RuntimeError as error:
            return f"{where} does not compile: {_first_line(error)}"
        try:
            value = program.eval(data={"device": _activation(expression, device)})
        except (RuntimeError, ValueError, TypeError) as error:
            return f"{where} failed on device {device.id}: {_first_line(error)}"
        if value.type() == cel.Type.ERROR:
            return f"{where} failed on device {device.id}: {_first_line(value.value())}"
        result = value.plain_value()
        if not isinstance(result, bool):
            return f"{where} yields {value.type().name()}; it must yield a bool"
        return result


def _first_line(error: object) -> str:
    return str(error).strip().split("\n", 1)[0].replace(" [INVALID_ARGUMENT]", "")


# -- what an expression sees of a device ----------------------------------------------------


def _visible(expression: str, device: Device) -> object:
    """A hashable value equal for devices that the expression cannot tell apart."""
    reads = [(domain, name) for _, domain, name in _READS.findall(expression)]
    if len(_ACCESS.findall(expression)) == len(reads):
        names = sorted({f"{domain}/{name}" for domain, name in reads})
        return (
            device.id.driver,
            tuple(_typed(device.attributes.get(name)) for name in names),
            tuple(device.capacity.get(name) for name in names),
        )
    return (
        device.id.driver,
        tuple(sorted((name, *_typed(value)) for name, value in device.attributes.items())),
        tuple(sorted(device.capacity.items())),
    )


def _typed(value: AttributeValue | None) -> tuple[str, str]:
    """Told apart by type: 1, true and "1" are different attributes."""
    return (type(value).__name__, str(value))


def _activation(expression: str, device: Device) -> dict[str, Any]:
    """The `device` variable. Unknown domains are empty maps, unknown names in them errors."""
    domains = _DOMAIN.findall(expression)
    attributes: dict[str, dict[str, Any]] = {domain: {} for domain in domains}
    capacity: dict[str, dict[str, Any]] = {domain: {} for domain in domains}
    for qualified, value in device.attributes.items():
        domain, _, name = qualified.partition("/")
        tagged = {"semver": value[1]} if isinstance(value, tuple) else value
        attributes.setdefault(domain, {})[name] = tagged
    for qualified, text in device.capacity.items():
        domain, _, name = qualified.partition("/")
        capacity.setdefault(domain, {})[name] = _quantity(text)
    return {"driver": device.id.driver, "attributes": attributes, "capacity": capacity}


# -- quantity() and semver() --------------------------------------------------------------------


def _functions() -> list[Any]:
    def function(name: str, *overloads: Any) -> Any:
        return cel.FunctionDecl(name, list(overloads))

    def method(name: str, result: Any, impl: Callable[..., Any], *more: Any) -> Any:
        return function(name, cel.Overload(f"{name}_tagged", result, [_TAGGED, *more], True, impl))

    def free(name: str, result: Any, impl: Callable[..., Any]) -> Any:
        return function(name, cel.Overload(f"{name}_string", result, [_STRING], False, impl))

    return [
        free("quantity", _TAGGED, _quantity),
        free("isQuantity", _BOOL, _is_quantity),
        free("semver", _TAGGED, _semver),
        free("isSemver", _BOOL, lambda text: _SEMVER.match(text) is not None),
        method("isGreaterThan", _BOOL, lambda a, b: _compare(a, b) > 0, _TAGGED),
        method("isLessThan", _BOOL, lambda a, b: _compare(a, b) < 0, _TAGGED),
        method("compareTo", _INT, _compare, _TAGGED),
        method("add", _TAGGED, lambda a, b: _exact(_number(a) + _number(b)), _TAGGED),
        method("sub", _TAGGED, lambda a, b: _exact(_number(a) - _number(b)), _TAGGED),
        method("sign", _INT, lambda a: (_number(a) > 0) - (_number(a) < 0)),
        method("isInteger", _BOOL, lambda a: _number(a).denominator == 1),
        method("asInteger", _INT, _as_integer),
        method("asApproximateFloat", cel.Type.DOUBLE, lambda a: float(_number(a))),
        method("major", _INT, lambda a: _parts(a)[0]),
        method("minor", _INT, lambda a: _parts(a)[1]),
        method("patch", _INT, lambda a: _parts(a)[2]),
    ]


def _quantity(text: str) -> dict[str, str]:
    """Canonical, so that equal amounts are equal maps: a fraction in lowest terms."""
    return _exact(quantity.parse(text))


def _exact(value: Fraction) -> dict[str, str]:
    return {"quantity": f"{value.numerator}/{value.denominator}"}


def _is_quantity(text: str) -> bool:
    try:
        quantity.parse(text)
    except ValueError:
        return False
    return True


def _number(tagged: Mapping[str, Any]) -> Fraction:
    if "quantity" not in tagged:
        raise ValueError("not a quantity")
    return Fraction(str(tagged["quantity"]))


def _as_integer(tagged: Mapping[str, Any]) -> int:
    value = _number(tagged)
    if value.denominator != 1:
        raise ValueError(f"quantity {value} is not an integer")
    return value.numerator


def _semver(text: str) -> dict[str, str]:
    if _SEMVER.match(text) is None:
        raise ValueError(f"{text!r} is not a semantic version such as 1.2.3")
    return {"semver": text}


def _parts(tagged: Mapping[str, Any]) -> tuple[int, int, int, tuple[tuple[int, int, str], ...]]:
    """Sorts as semver.org orders versions: a pre-release before its release, build ignored."""
    match = _SEMVER.match(str(tagged.get("semver") or ""))
    if match is None:
        raise ValueError("not a semantic version such as 1.2.3")
    major, minor, patch, pre, _ = match.groups()
    if pre is None:
        return int(major), int(minor), int(patch), ((2, 0, ""),)
    marks = tuple((0, int(p), "") if p.isdecimal() else (1, 0, p) for p in pre.split("."))
    return int(major), int(minor), int(patch), marks


def _compare(left: Mapping[str, Any], right: Mapping[str, Any]) -> int:
    if "semver" in left or "semver" in right:
        a, b = _parts(left), _parts(right)
    else:
        a, b = _number(left), _number(right)
    return (a > b) - (a < b)  # type: ignore[operator]
