"""An expression ready to run.

Source: k8s.io/dynamic-resource-allocation/cel/compile.go, v0.36.3.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from mizzen.cel import checker, parser, planner, reads
from mizzen.cel.attributes import Step
from mizzen.cel.checker import Checked
from mizzen.cel.cost import LIMIT, CostExceeded, Run
from mizzen.cel.environment import DEVICES, DEVICES_WITH_LISTS, Environment
from mizzen.cel.estimate import SizeOf, cost_max
from mizzen.cel.reads import Reads
from mizzen.cel.steps import Panic, Root
from mizzen.cel.tree import CompileError, Ident, Node, walk
from mizzen.cel.types import Steps, Type
from mizzen.cel.values import Err, Optional, type_name

EXPRESSION_BYTES_MAX = 10 * 1024  # resource.k8s.io/v1 CELSelectorExpressionMaxLength
_TYPE_NAMES = {"null": "null_type"}
_FRAMES = 20_000  # of Python, for the deepest expression that the parser lets through


@dataclass(frozen=True, slots=True)
class Program:
    step: Step
    names: frozenset[str]  # of the variables that it reads, its own among them

    def evaluate(self, variables: dict[str, object], bill: Run) -> object:
        """The value, or an Err. Errors: CostExceeded, once the bill is beyond its limits."""
        try:
            with _room_to_nest():
                value = self.step.eval(Root(bill, variables))
        except (Panic, RecursionError) as error:
            return Err(str(error))
        except MemoryError:
            return Err("there is too little memory to evaluate it")
        while isinstance(value, Optional) and value.present:
            value = value.value
        return value


@dataclass(frozen=True, slots=True)
class Selector(Program):
    """A program that chooses devices."""

    reads: Reads | None  # None: it may look at everything

    def run(self, device: object, limit: int = LIMIT) -> tuple[bool | Err, int]:
        """The answer for a device (see device_values.py) and what it cost."""
        bill = Run(limit)
        try:
            value = self.evaluate({"device": device}, bill)
        except CostExceeded as error:
            return Err(str(error)), bill.cost
        if isinstance(value, (bool, Err)):
            return value, bill.cost
        return Err(f"the result is a {type_name(value)}, it must be a bool"), bill.cost


def compile_selector(expression: str, lists: bool, steps: Steps | None = None) -> Selector:
    """The program of a selector; attributes of devices may be `lists`.

    `steps`: what comparing its types may take. Errors: CompileError.
    """
    environment = DEVICES_WITH_LISTS if lists else DEVICES
    wanted = ("bool", "any", "dyn") if lists else ("bool", "any")
    checked, step = _compile(
        expression, environment, wanted, "bool or the unknown type, not", steps
    )
    return Selector(step, _names(checked.root), reads.of(checked.root))


def compile_expression(
    expression: str, environment: Environment, wanted: str, steps: Steps | None = None
) -> Program:
    """The program of an expression whose type is `wanted`, the name of a scalar.

    `steps`: what comparing its types may take. Errors: CompileError.
    """
    checked, step = _compile(expression, environment, (wanted,), f"{wanted} but got", steps)
    return Program(step, _names(checked.root))


@dataclass(frozen=True, slots=True)
class TypedProgram(Program):
    """A program with the type of its values."""

    type: Type


@dataclass(frozen=True, slots=True)
class RatedProgram(Program):
    """A program with the most that evaluating it can cost."""

    cost_max: int


def compile_rated(
    expression: str, environment: Environment, wanted: str, size_of: SizeOf,
    steps: Steps | None = None,
) -> RatedProgram:  # fmt: skip
    """As `compile_expression`; `size_of` says how large what its variables hold can be."""
    checked, step = _compile(expression, environment, (wanted,), f"{wanted} but got", steps)
    return RatedProgram(step, _names(checked.root), cost_max(checked, size_of))


def compile_typed(
    expression: str, environment: Environment, wanted: tuple[str, ...] = (),
    steps: Steps | None = None,
) -> TypedProgram:  # fmt: skip
    """As `compile_expression`, for several types or, without `wanted`, for any."""
    names = [_TYPE_NAMES.get(each, each) for each in wanted]
    shown = f"one of [{' '.join(names)}]" if len(names) > 1 else "".join(names)
    checked, step = _compile(expression, environment, wanted, f"{shown} but got", steps)
    return TypedProgram(step, _names(checked.root), checked.result)


def _compile(
    expression: str, environment: Environment, kinds: tuple[str, ...], wanted: str,
    steps: Steps | None,
) -> tuple[Checked, Step]:  # fmt: skip
    if len(expression.encode("utf-8", "surrogatepass")) > EXPRESSION_BYTES_MAX:
        raise CompileError(f"it is longer than {EXPRESSION_BYTES_MAX} bytes; shorten it")
    try:
        with _room_to_nest():
            parsed = parser.parse(expression, environment.without)
            checked = checker.check(parsed, environment, steps)
            if kinds and checked.result.kind not in kinds:
                raise CompileError(f"must evaluate to {wanted} {checked.result}", is_result=True)
            return checked, planner.plan(checked)
    except (RecursionError, Panic, CostExceeded) as error:
        raise CompileError(str(error)) from error


def _names(root: Node) -> frozenset[str]:
    return frozenset(n.name.removeprefix(".") for n in walk(root) if isinstance(n, Ident))


@contextmanager
def _room_to_nest() -> Generator[None]:
    """Frames for the deepest expression; afterwards the limit is what others count on."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
