"""An expression ready to run on devices.

Source: k8s.io/dynamic-resource-allocation/cel/compile.go, v0.36.3.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from mizzen.cel import checker, parser, planner, reads
from mizzen.cel.attributes import Step
from mizzen.cel.cost import LIMIT, CostExceeded, Run
from mizzen.cel.reads import Reads
from mizzen.cel.steps import Panic, Root
from mizzen.cel.tree import CompileError
from mizzen.cel.types import Steps
from mizzen.cel.values import Err, Optional, type_name

EXPRESSION_BYTES_MAX = 10 * 1024  # resource.k8s.io/v1 CELSelectorExpressionMaxLength
_FRAMES = 20_000  # of Python, for the deepest expression that the parser lets through


@dataclass(frozen=True, slots=True)
class Program:
    step: Step
    reads: Reads | None  # None: it may look at everything

    def run(self, device: object, limit: int = LIMIT) -> tuple[bool | Err, int]:
        """The answer for a device (see device.py) and what it cost."""
        bill = Run(limit)
        try:
            with _room_to_nest():
                value = self.step.eval(Root(bill, {"device": device}))
        except (CostExceeded, Panic, RecursionError) as error:
            return Err(str(error)), bill.cost
        except MemoryError:
            return Err("there is too little memory to evaluate it"), bill.cost
        while isinstance(value, Optional) and value.present:
            value = value.value
        if isinstance(value, (bool, Err)):
            return value, bill.cost
        return Err(f"the result is a {type_name(value)}, it must be a bool"), bill.cost


def compile_expression(expression: str, lists: bool, steps: Steps | None = None) -> Program:
    """The program of an expression; attributes may be `lists`.

    `steps`: what comparing its types may take. Errors: CompileError.
    """
    if len(expression.encode("utf-8", "surrogatepass")) > EXPRESSION_BYTES_MAX:
        raise CompileError(f"it is longer than {EXPRESSION_BYTES_MAX} bytes; shorten it")
    try:
        with _room_to_nest():
            checked = checker.check(parser.parse(expression), lists, steps)
            result = checked.result
            if result.kind not in ("bool", "any") and not (lists and result.kind == "dyn"):
                raise CompileError(f"it must evaluate to bool or the unknown type, not {result}")
            return Program(planner.plan(checked), reads.of(checked.root))
    except (RecursionError, Panic, CostExceeded) as error:
        raise CompileError(str(error)) from error


@contextmanager
def _room_to_nest() -> Generator[None]:
    """Frames for the deepest expression; afterwards the limit is what others count on."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, _FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
