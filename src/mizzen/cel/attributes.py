"""Names with their selections and indices (`device.attributes["d"].name`), resolved in one go.

Upstream resolves such a chain as one step and bills one unit for the name and one for every
selection on the way. Conditions (`c ? a : b`) are such chains too, for either branch.
Source: google/cel-go interpreter/attributes.go and interpretable.go, v0.26.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isnan
from typing import Protocol

from mizzen.cel import values
from mizzen.cel.cost import Run
from mizzen.cel.values import NOTHING, Err, Map, Optional, UInt


class Scope(Protocol):
    """Variables of one place in the expression, and the bill."""

    run: Run

    def lookup(self, name: str) -> object: ...


class Step(Protocol):
    """A planned part of an expression."""

    @property
    def id(self) -> int: ...

    def eval(self, scope: Scope) -> object:
        """The value, or an Err. Errors: CostExceeded, Panic."""
        ...


@dataclass(slots=True)
class Qualifier:
    """One `.name` or `[index]`; the index is a constant or computed."""

    id: int
    key: object = None
    attribute: Attribute | None = None
    optional: bool = False
    test_only: bool = False
    drops: bool = False  # upstream takes the computed index off the stack

    def _key(self, scope: Scope) -> object:
        if self.attribute is None:
            return self.key
        key = self.attribute.resolve(scope)
        if isinstance(key, Err):
            return key
        return key if is_key(key) else Err(f"invalid qualifier type {values.type_name(key)}")

    def qualify(self, scope: Scope, of: object) -> object:
        """The selected value, or an Err."""
        key = self._key(scope)
        found = key if isinstance(key, Err) else _select(of, key, self.test_only)
        value: object = found
        if not isinstance(found, Err):
            value = found[1] if self.test_only else found[0]
        self._observe(scope, value)
        return value

    def qualify_if_present(self, scope: Scope, of: object) -> tuple[object, bool] | Err:
        key = self._key(scope)
        found = key if isinstance(key, Err) else _select(of, key, presence=True)
        if isinstance(found, Err):
            return found
        if found[1]:
            self._observe(scope, found[0])
        return found

    def _observe(self, scope: Scope, value: object) -> None:
        if self.drops:
            scope.run.drop(self.id)
        scope.run.add(self.id, value, 1)


def is_key(value: object) -> bool:
    return isinstance(value, (str, int, float, UInt))


def _select(of: object, key: object, presence: bool) -> tuple[object, bool] | Err:
    """(value, whether it is there). Absence is an Err unless presence is asked."""
    if isinstance(of, Err):
        return of
    if isinstance(of, Map):
        found = of.find(key)
        if found is not None:
            return found[1], True
        return (None, False) if presence else Err(f"no such key: {key}")
    if values.is_list(of):
        index = as_index(key)
        if isinstance(index, Err):
            return index
        if 0 <= index < len(of):
            return of[index], True
        return (None, False) if presence else Err(f"index out of bounds: {index}")
    return (None, False) if presence else Err(f"no such key: {key}")


def as_index(key: object) -> int | Err:
    """An int from any lossless number."""
    if isinstance(key, UInt):
        return key.value if key.value <= values.INT_MAX else Err("index out of range")
    if type(key) not in (int, float):
        return Err(f"unsupported index type {values.type_name(key)!r} in list")
    if isinstance(key, float):
        if isnan(key) or abs(key) >= 2.0**63 or not key.is_integer():
            return Err("unsupported index value in list")
        return int(key)
    return key if isinstance(key, int) else Err("unsupported index type")


@dataclass(slots=True)
class Attribute:
    """A chain that starts at a variable, at the value of a step, or at one of two chains."""

    own_id: int
    name: str = ""
    operand: Step | None = None
    condition: Step | None = None
    branches: tuple[Attribute, Attribute] | None = None
    qualifiers: list[Qualifier] = field(default_factory=list[Qualifier])
    _known_id: int = 0  # of one with branches, which may have branches, and so on

    @property
    def id(self) -> int:
        if self.branches is not None:
            if not self._known_id:
                yes, no = self.branches
                self._known_id = yes.id if yes.id == no.id else self.own_id
            return self._known_id
        return self.qualifiers[-1].id if self.qualifiers else self.own_id

    def add(self, qualifier: Qualifier) -> None:
        self._known_id = 0
        if self.branches is None:
            self.qualifiers.append(qualifier)
            return
        for branch in self.branches:
            branch.add(qualifier)

    def resolve(self, scope: Scope) -> object:
        """The value at the end of the chain, or an Err."""
        if self.branches is not None:
            assert self.condition is not None
            chosen = self.condition.eval(scope)
            if not isinstance(chosen, bool):
                return values.no_overload(chosen)
            return self.branches[0 if chosen else 1].resolve(scope)
        start = scope.lookup(self.name) if self.operand is None else self.operand.eval(scope)
        return start if isinstance(start, Err) else self._follow(scope, start)

    def _follow(self, scope: Scope, value: object) -> object:
        optional = isinstance(value, Optional)
        if isinstance(value, Optional):
            if not value.present:
                return value
            value = value.value
        for qualifier in self.qualifiers:
            optional = optional or qualifier.optional
            if optional:
                found = qualifier.qualify_if_present(scope, value)
                if isinstance(found, Err):
                    return found
                if not found[1]:
                    return NOTHING
                value = found[0]
            else:
                value = qualifier.qualify(scope, value)
                if isinstance(value, Err):
                    return value
        return Optional(value) if optional else value


@dataclass(slots=True)
class AttributeStep:
    """A chain as a part of the expression."""

    attribute: Attribute
    test_only: int = 0  # number of the `has` that it is the argument of; 0: of none

    @property
    def id(self) -> int:
        return self.test_only or self.attribute.id

    def eval(self, scope: Scope) -> object:
        value = self.attribute.resolve(scope)
        if self.test_only and isinstance(value, Optional):
            value = value.present
        chain = self.attribute
        if chain.branches is not None and chain.condition is not None:
            scope.run.drop(chain.branches[1].id, chain.branches[0].id, chain.condition.id)
            scope.run.add(self.id, value, 0)
        else:
            scope.run.drop(chain.id)
            scope.run.add(self.id, value, 0 if self.test_only else 1)
        return value
