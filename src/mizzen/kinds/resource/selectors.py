"""Selectors are compiled when they are written, so that what can never work is refused at once.

Source: pkg/apis/resource/validation `validateCELSelector`, Kubernetes 1.36.
"""

from __future__ import annotations

from functools import lru_cache

from mizzen.base.errors import Cause
from mizzen.base.objects import Obj
from mizzen.cel.program import compile_expression
from mizzen.cel.tree import CompileError
from mizzen.kinds.report import quoted
from mizzen.kinds.resource.rules import required

# Of one object. A claim may have thousands, and the worst take a third of a second each: what is
# beyond is told by the scheduler, which compiles it when a pod needs it.
COMPILED_MAX = 16
_REMEMBERED = 256


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
        problem = _problem(expression) if len(self._seen) <= COMPILED_MAX else ""
        if not problem:
            return []
        shown = quoted(expression)
        return [Cause(path, f"Invalid value: {shown}: compilation failed: {problem}")]


def expressions_of(selectors: list[Obj]) -> frozenset[str]:
    return frozenset(s["cel"]["expression"] for s in selectors if s.get("cel"))


@lru_cache(maxsize=_REMEMBERED)
def _problem(expression: str) -> str:
    try:
        compile_expression(expression, lists=False)
    except CompileError as error:
        return str(error)
    return ""
