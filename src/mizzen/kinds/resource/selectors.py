"""Selectors are compiled when they are written, so that what can never work is refused at once.

Source: pkg/apis/resource/validation `validateCELSelector`, Kubernetes 1.36.
"""

from __future__ import annotations

from collections import OrderedDict

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.cel.program import EXPRESSION_BYTES_MAX, compile_selector
from mizzen.cel.tree import CompileError
from mizzen.cel.types import Steps, TooManySteps
from mizzen.kinds.report import quoted
from mizzen.kinds.resource.rules import required

_REMEMBERED_MAX = 256


class Allowance:
    """The budget for compiling new selectors of one request, be it a plan of a thousand claims:
    about a tenth of a second. The scheduler compiles the rest when a pod needs them, and reports
    their errors.
    """

    BYTES_MAX = (
        EXPRESSION_BYTES_MAX  # of expressions: one of the longest, or dozens of the usual length
    )
    STEPS_MAX = 20_000  # of comparing types

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()  # expression -> what is wrong with it
        self.renew()

    def renew(self) -> None:
        """Another request begins."""
        self._bytes = self.BYTES_MAX
        self._steps = Steps(self.STEPS_MAX)

    def problem(self, expression: str) -> str:
        """The error in the expression; "" also if the budget did not suffice to find one."""
        known = self._known.get(expression)
        if known is not None:
            self._known.move_to_end(expression)
            return known
        self._bytes -= min(len(expression), EXPRESSION_BYTES_MAX)  # longer ones are not read
        if self._bytes < 0 or self._steps.left < 0:
            return ""
        try:
            compile_selector(expression, lists=False, steps=self._steps)
            found = ""
        except TooManySteps:
            return ""
        except CompileError as error:
            found = error.told(expression)
        self._known[expression] = found
        if len(self._known) > _REMEMBERED_MAX:
            self._known.popitem(last=False)
        return found


# One for the process: whoever serves requests renews it with each. Nobody else compiles so much.
ALLOWANCE = Allowance()


class Selectors:
    """Collects what is wrong with the selectors of one object."""

    def __init__(self, stored: frozenset[str] = frozenset()) -> None:
        self._seen: set[str] = set()
        self._stored = stored  # expressions that are there already

    def check(self, selectors: list[Obj], path: str) -> list[Cause]:
        """Causes to refuse selectors that are no expressions, or none that could hold."""
        causes: list[Cause] = []
        for index, selector in enumerate(selectors):
            at = f"{path}[{index}].cel"
            if selector.get("cel") is None:
                causes.append(required(at))
                continue
            expression: str = selector["cel"]["expression"]
            at = f"{at}.expression"
            if not expression.strip():
                causes.append(required(at))
            elif expression not in self._seen and expression not in self._stored:
                self._seen.add(expression)
                causes += self._compile(expression, at)
        return causes

    def _compile(self, expression: str, path: str) -> list[Cause]:
        problem = ALLOWANCE.problem(expression)
        if not problem:
            return []
        shown = quoted(expression)
        return [Cause(path, f"Invalid value: {shown}: {problem}")]


def expressions_of(selectors: list[Obj]) -> frozenset[str]:
    return frozenset(s["cel"]["expression"] for s in selectors if s.get("cel"))
