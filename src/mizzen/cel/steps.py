"""The parts of a planned expression: constants, logic, calls, literals, folds.

Evaluation order, short circuits and what an error does to the rest are upstream's, since the
cost counts every step that was made.
Source: google/cel-go interpreter/interpretable.go and decorators.go, v0.26.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from mizzen.cel import bounds, cost, values
from mizzen.cel.attributes import Scope, Step
from mizzen.cel.cost import Run
from mizzen.cel.values import Built, Err, Growing, Map, Optional, no_overload

Implementation = Callable[[list[object]], object]


class Panic(Exception):
    """Upstream's evaluation breaks off here; nothing absorbs this."""


class Root:
    """The variables of the whole expression."""

    __slots__ = ("_names", "run")

    def __init__(self, run: Run, names: dict[str, object]) -> None:
        self.run = run
        self._names = names

    def lookup(self, name: str) -> object:
        return self._names[name] if name in self._names else Err(f"no such attribute: {name}")


@dataclass(slots=True)
class Const:
    id: int
    value: object

    def eval(self, scope: Scope) -> object:
        scope.run.add(self.id, self.value, 0)
        return self.value


@dataclass(slots=True)
class Logic:
    """`||` stops at the first true, `&&` at the first false; errors only count if none does."""

    id: int
    stops_at: bool
    terms: list[Step]

    def eval(self, scope: Scope) -> object:
        result: object = not self.stops_at
        for term in self.terms:
            value = term.eval(scope)
            if value is self.stops_at:
                result = value
                break
            if not isinstance(value, bool) and not isinstance(result, Err):
                result = no_overload(value)
        scope.run.drop(*(term.id for term in self.terms))
        scope.run.add(self.id, result, 0)
        return result


@dataclass(slots=True)
class Equality:
    id: int
    negated: bool
    left: Step
    right: Step

    def eval(self, scope: Scope) -> object:
        left, right = self.left.eval(scope), self.right.eval(scope)
        result: object
        if isinstance(left, Err):
            result = left
        elif isinstance(right, Err):
            result = right
        else:
            bounds.compared(scope.run, left, right)
            result = values.equal(left, right)
            if self.negated:
                result = result is not True
        name, overload = ("_!=_", "not_equals") if self.negated else ("_==_", "equals")
        charge(scope.run, self.id, name, overload, [self.left.id, self.right.id], result)
        return result


def charge(
    run: Run, number: int, function: str, overload: str, args: list[int], result: object
) -> None:
    taken = run.take(args)
    price = 0 if taken is None else cost.of_call(function, overload, taken, result)
    run.add(number, result, price)


@dataclass(slots=True)
class CallStep:
    id: int
    function: str
    overload: str  # "": several are possible
    args: list[Step]
    implementation: Implementation
    eager: bool  # evaluates all arguments even when one failed: one or two of them
    strict: bool = True

    def compute(self, scope: Scope) -> object:
        """The value of a constant expression: its bill is not read."""
        made, failed = self._arguments(scope)
        return failed if failed is not None else self.implementation(made)

    def eval(self, scope: Scope) -> object:
        """Paid for before it is made, but where only the result tells the price."""
        made, failed = self._arguments(scope)
        run = scope.run
        taken = run.take([arg.id for arg in self.args])
        bound = bounds.BOUNDS.get(self.function) if failed is None else None
        owed = bound(run, made) if bound is not None else 0
        if taken is None or self.function in cost.AFTERWARDS:
            price = 0
        else:
            price = cost.of_call(self.function, self.overload, taken, None)
        run.pay(price)
        run.spend(owed)
        result = failed if failed is not None else self.implementation(made)
        price = 0
        if taken is not None and self.function in cost.AFTERWARDS:
            price = cost.of_call(self.function, self.overload, taken, result)
        run.add(self.id, result, price)
        return result

    def _arguments(self, scope: Scope) -> tuple[list[object], Err | None]:
        made: list[object] = []
        failed: Err | None = None
        for arg in self.args:
            value = arg.eval(scope)
            made.append(value)
            if self.strict and isinstance(value, Err):
                failed = failed or value
                if not self.eager:
                    break
        return made, failed


@dataclass(slots=True)
class Membership:
    """`x in [constants]`, which upstream turns into a set: free of charge."""

    id: int
    arg: Step
    among: list[object]

    def eval(self, scope: Scope) -> object:
        value = self.arg.eval(scope)
        if isinstance(value, Err):
            result: object = value
        elif not values.is_hashable(value):
            raise Panic(f"{values.type_name(value)} cannot be looked up in a set")
        else:
            result = values.contains(self.among, value) if _is_plain(value) else False
        scope.run.add(self.id, result, 0)
        return result


def _is_plain(value: object) -> bool:
    return isinstance(value, (bool, int, float, str, values.UInt))


@dataclass(slots=True)
class OrElse:
    """`or` and `orValue` of optionals."""

    id: int
    unwraps: bool
    left: Step
    right: Step

    def eval(self, scope: Scope) -> object:
        left = self.left.eval(scope)
        if not isinstance(left, Optional):
            result = left
        elif left.present:
            result = left.value if self.unwraps else left
        else:
            result = self.right.eval(scope)
        scope.run.add(self.id, result, 0)
        return result


@dataclass(slots=True)
class MakeList:
    id: int
    elements: list[Step]
    optional: frozenset[int]

    def compute(self, scope: Scope) -> object:
        scope.run.spend(bounds.POINTER * len(self.elements))
        made: list[object] = []
        for at, element in enumerate(self.elements):
            value = element.eval(scope)
            if isinstance(value, Err):
                return value
            if at in self.optional:
                if not isinstance(value, Optional):
                    return Err("cannot initialize optional list element from non-optional value")
                if not value.present:
                    continue
                value = value.value
            made.append(value)
        return made

    def eval(self, scope: Scope) -> object:
        result = self.compute(scope)
        scope.run.take([element.id for element in self.elements])
        scope.run.add(self.id, result, cost.LIST_COST)
        return result


@dataclass(slots=True)
class MakeMap:
    id: int
    entries: list[tuple[Step, Step, bool]]

    def compute(self, scope: Scope) -> object:
        scope.run.spend(bounds.ENTRY * len(self.entries))
        made: list[tuple[object, object]] = []
        for key_step, value_step, optional in self.entries:
            key = key_step.eval(scope)
            if isinstance(key, Err):
                return key
            value = value_step.eval(scope)
            if isinstance(value, Err):
                return value
            if not values.is_hashable(key):
                raise Panic(f"{values.type_name(key)} cannot be the key of a map")
            if optional:
                if not isinstance(value, Optional):
                    return Err("cannot initialize optional entry from non-optional value")
                if not value.present:
                    made = [entry for entry in made if values.equal(entry[0], key) is not True]
                    continue
                value = value.value
            made.append((key, value))
        return Map(made)

    def eval(self, scope: Scope) -> object:
        result = self.compute(scope)
        scope.run.take([part.id for key, value, _ in self.entries for part in (key, value)])
        scope.run.add(self.id, result, cost.MAP_COST)
        return result


@dataclass(slots=True)
class MakeMessage:
    id: int
    name: str
    fields: list[tuple[str, Step, bool]]

    def eval(self, scope: Scope) -> object:
        scope.run.spend(bounds.ENTRY * len(self.fields))
        made: dict[str, object] = {}
        for name, step, optional in self.fields:
            value = step.eval(scope)
            if isinstance(value, Err):
                return value
            if optional:
                if not isinstance(value, Optional):
                    return Err(f"cannot initialize optional entry {name!r} from non-optional value")
                if not value.present:
                    continue
                value = value.value
            made[name] = value
        result = Built(self.name, made)
        scope.run.take([step.id for _, step, _ in self.fields])
        scope.run.add(self.id, result, cost.STRUCT_COST)
        return result


@dataclass(slots=True)
class FoldStep:
    id: int
    range: Step
    variable: str
    variable2: str
    accumulator: str
    initial: Step
    condition: Step
    step: Step
    result: Step

    def eval(self, scope: Scope) -> object:
        result = self._compute(scope)
        scope.run.drop(self.range.id)
        scope.run.add(self.id, result, 0)
        return result

    def _compute(self, scope: Scope) -> object:
        over = self.range.eval(scope)
        if isinstance(over, Err):
            return over
        if not values.is_list(over) and not isinstance(over, Map):
            return Err(f"unsupported comprehension range type {values.type_name(over)}")
        inner = _Loop(self, scope)
        for first, second in self._entries(over):
            inner.first, inner.second = first, second
            going_on = self.condition.eval(inner)
            if isinstance(going_on, bool) and not going_on:
                break
            inner.value = self.step.eval(inner)
            inner.started = True
        inner.done = True
        result = self.result.eval(inner)
        if isinstance(result, Growing):
            return list(result)
        if isinstance(result, Map):
            result.growing = False
        return result

    def _entries(self, over: list[object] | Map) -> Iterable[tuple[object, object]]:
        if isinstance(over, Map):
            return over.items()
        if self.variable2:
            return enumerate(over)
        return ((each, None) for each in over)


class _Loop:
    """The variables inside a fold; the accumulator starts when first asked for."""

    __slots__ = ("_fold", "_outer", "done", "first", "run", "second", "started", "value")

    def __init__(self, fold: FoldStep, outer: Scope) -> None:
        self._fold = fold
        self._outer = outer
        self.run = outer.run
        self.first: object = None
        self.second: object = None
        self.value: object = None
        self.started = False
        self.done = False

    def lookup(self, name: str) -> object:
        fold = self._fold
        if name == fold.accumulator:
            if not self.started:
                self.started = True
                self.value = _growing(fold.initial.eval(self._outer))
            return self.value
        if not self.done:
            if name == fold.variable:
                return self.first
            if name == fold.variable2:
                return self.second
        return self._outer.lookup(name)


def _growing(value: object) -> object:
    if values.is_list(value) and not value:
        return Growing()
    if isinstance(value, Map) and not len(value):
        made = Map()
        made.growing = True
        return made
    return value
