"""Static types of CEL and when one can stand for another.

Source: google/cel-go checker/types.go and common/types/types.go, v0.26.
"""

from __future__ import annotations

import re
from collections import ChainMap
from dataclasses import dataclass, field
from functools import cache

from mizzen.cel import values
from mizzen.cel.tree import CompileError

STEPS_MAX = 200_000  # that comparing the types of one expression may take: about half a second
_SHOWN_SIZE_MAX = 100


@dataclass(frozen=True, slots=True, eq=False)
class Type:
    """`size`: how many types it is made of, as a tree: some are shared, map(A, A) doubles."""

    kind: str  # dyn, any, error, null, list, map, type, opaque, struct, param, or a scalar's name
    name: str
    params: tuple[Type, ...] = ()
    size: int = field(init=False)
    is_bound: bool = field(init=False)  # nothing in it is free

    def __post_init__(self) -> None:
        size, is_bound = 1, self.kind != "param"
        for each in self.params:
            size += each.size
            is_bound = is_bound and each.is_bound
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "is_bound", is_bound)

    def __str__(self) -> str:
        if not self.params:
            return self.name
        if self.size > _SHOWN_SIZE_MAX:
            return f"{self.name}(...)"
        return f"{self.name}({', '.join(map(str, self.params))})"


_SHOWN = {"any": "any", "duration": "duration", "timestamp": "timestamp", "error": "!error!",
          "null": "null"}  # fmt: skip


def shown(t: Type, own: str = "", instead: str = "") -> str:
    """As cel-go's problems show it; names that begin with `own` begin otherwise.

    Source: google/cel-go checker/format.go, v0.26.
    """
    if t.kind in _SHOWN:
        return _SHOWN[t.kind]
    name = t.name
    if own and t.kind == "struct" and (name == own or name.startswith(f"{own}.")):
        name = instead + name.removeprefix(own)
    if not t.params:
        return name
    if t.size > _SHOWN_SIZE_MAX:
        return f"{name}(...)"
    return f"{name}({', '.join(shown(each, own, instead) for each in t.params)})"


class Steps:
    """The budget for comparing and copying types."""

    __slots__ = ("left",)

    def __init__(self, left: int = STEPS_MAX) -> None:
        self.left = left

    def take(self, count: int = 1) -> None:
        """Before it is done. Errors: TooManySteps."""
        self.left -= count
        if self.left < 0:
            raise TooManySteps("its types are too large to be compared; nest fewer in each other")


class TooManySteps(CompileError):
    """The expression was not looked at to its end."""


def equal(a: Type, b: Type, steps: Steps) -> bool:
    """True if two types are the same. Errors: TooManySteps."""
    if a is b:
        return True
    steps.take()
    if a.kind != b.kind or a.name != b.name or a.size != b.size or len(a.params) != len(b.params):
        return False
    return all(equal(x, y, steps) for x, y in zip(a.params, b.params, strict=True))


def scalar(name: str) -> Type:
    return Type(name, name)


DYN, ANY, ERROR, NULL = (
    Type("dyn", "dyn"),
    Type("any", "any"),
    Type("error", "error"),
    Type("null", "null_type"),
)
BOOL, INT, UINT, DOUBLE = scalar("bool"), scalar("int"), scalar("uint"), scalar("double")
STRING, BYTES = scalar("string"), scalar("bytes")
DURATION = Type("duration", "google.protobuf.Duration")
TIMESTAMP = Type("timestamp", "google.protobuf.Timestamp")
QUANTITY = Type("struct", "kubernetes.Quantity")
DEVICE = Type("struct", "kubernetes.DRADevice")
_NAMED = {
    "dyn": DYN,
    "any": ANY,
    "null": NULL,
    "duration": DURATION,
    "timestamp": TIMESTAMP,
    "google.protobuf.Duration": DURATION,
    "google.protobuf.Timestamp": TIMESTAMP,
    **{t.name: t for t in (BOOL, INT, UINT, DOUBLE, STRING, BYTES)},
}


def list_of(element: Type) -> Type:
    return Type("list", "list", (element,))


def map_of(key: Type, value: Type) -> Type:
    return Type("map", "map", (key, value))


def optional_of(value: Type) -> Type:
    return Type("opaque", "optional_type", (value,))


def type_of(value: Type) -> Type:
    return Type("type", "type", (value,))


def param(name: str) -> Type:
    return Type("param", name)


@cache
def read(text: str) -> Type:
    """The type that a declaration writes as text, such as map(K, list(V)); capitals are free."""
    name, _, rest = text.strip().partition("(")
    params = tuple(read(part) for part in split(rest[:-1])) if rest else ()
    if name in _NAMED:
        return _NAMED[name]
    if re.fullmatch("[A-Z]", name):
        return param(name)
    if name in ("list", "map", "type"):
        return Type(name, name, params)
    return Type("struct" if name.startswith("kubernetes.") else "opaque", name, params)


def split(text: str) -> list[str]:
    """The parts between the commas that no parenthesis encloses."""
    parts: list[str] = []
    depth, start = 0, 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [part for part in [*parts, text[start:]] if part.strip()]


def is_dyn(t: Type) -> bool:
    return t.kind in ("dyn", "any")


def is_optional(t: Type) -> bool:
    return t.kind == "opaque" and t.name == "optional_type"


def unwrapped(t: Type) -> tuple[Type, bool]:
    """The type inside an optional and whether it was one."""
    return (t.params[0], True) if is_optional(t) else (t, False)


class Substitutions(dict[str, Type]):
    """The types assigned to free types so far. Its methods' errors: TooManySteps."""

    def __init__(self, steps: Steps, known: dict[str, Type] | None = None) -> None:
        super().__init__(known or {})
        self.steps = steps

    def apply(self, t: Type) -> Type:
        if t.is_bound:
            return t
        self.steps.take()
        if t.kind == "param":
            if t.name in self:
                return self.apply(self[t.name])
            return t
        if t.params and self:
            return Type(t.kind, t.name, tuple(self.apply(p) for p in t.params))
        return t

    def to_dyn(self, t: Type, done: dict[int, Type]) -> Type:
        """As `apply`, what is free being dyn. `done`: by id, what was made of the types of one
        tree, which share their parts."""
        if t.is_bound:
            return t
        made = done.get(id(t))
        if made is None:
            self.steps.take()
            if t.kind == "param":
                made = self.to_dyn(self[t.name], done) if t.name in self else DYN
            else:
                made = Type(t.kind, t.name, tuple(self.to_dyn(p, done) for p in t.params))
            done[id(t)] = made
        return made

    def assign(self, froms: tuple[Type, ...], tos: tuple[Type, ...]) -> bool:
        """True if every left type can stand for its right one; keeps the assignments."""
        trial = _Trial(self)
        if len(froms) != len(tos) or not all(
            _assignable(trial, a, b) for a, b in zip(froms, tos, strict=True)
        ):
            return False
        self.update(trial.maps[0])
        return True


class _Trial(ChainMap[str, Type]):
    """Tentative assignments before the known ones, which are not copied."""

    def __init__(self, known: Substitutions) -> None:
        super().__init__({}, known)
        self.steps = known.steps


def _assignable(m: _Trial, a: Type, b: Type) -> bool:
    if a is b and a.is_bound:
        return True
    m.steps.take()
    if b.kind == "param":
        valid, known = _substitute(m, a, b)
        if valid or known:
            return valid
    if a.kind == "param":
        return _substitute(m, b, a)[0]
    if is_dyn(a) or is_dyn(b) or "error" in (a.kind, b.kind):
        return True
    if a.kind == "null":
        return b.kind in ("opaque", "struct", "duration", "timestamp", "null")
    if b.kind == "null":
        return a.kind in ("opaque", "struct", "duration", "timestamp")
    if a.kind == "type":
        return b.kind == "type"
    if a.kind != b.kind or a.name != b.name or len(a.params) != len(b.params):
        return False
    return all(_assignable(m, x, y) for x, y in zip(a.params, b.params, strict=True))


def _substitute(m: _Trial, t: Type, free: Type) -> tuple[bool, bool]:
    """Whether `free` can stand for t, and whether it stood for something before."""
    if equal(t, free, m.steps):
        return True, True
    known = m.get(free.name)
    if known is not None:
        if equal(t, known, m.steps):
            return True, True
        if not _assignable(m, t, known):
            return False, True
        general = most_general(t, known, m.steps)
        if _absent(m, free, general):
            m[free.name] = general
        return True, True
    if _absent(m, free, t):
        m[free.name] = t
        return True, False
    return False, False


def _absent(m: _Trial, free: Type, within: Type) -> bool:
    if within.is_bound:
        return True
    m.steps.take()
    if within.kind == "param" and within.name == free.name:
        return False
    if within.kind == "param":
        return within.name not in m or _absent(m, free, m[within.name])
    return all(_absent(m, free, p) for p in within.params)


def most_general(a: Type, b: Type, steps: Steps) -> Type:
    """Errors: TooManySteps."""
    return a if _less_specific(a, b, steps) else b


def _less_specific(a: Type, b: Type, steps: Steps) -> bool:
    steps.take()
    if is_dyn(a) or a.kind == "param":
        return True
    if is_dyn(b) or b.kind == "param" or a.kind != b.kind:
        return False
    if a.kind == "type":
        return True
    if a.kind in ("list", "map", "opaque"):
        return (
            a.name == b.name
            and len(a.params) == len(b.params)
            and all(_less_specific(x, y, steps) for x, y in zip(a.params, b.params, strict=True))
        )
    return equal(a, b, steps)


def accepts(t: Type, value: object) -> bool:
    """True if a value has the type at run time; for a list or map the first element decides."""
    if t.kind in ("dyn", "any", "param"):
        return True
    if t.name != values.type_name(value):
        return False
    if values.is_list(value) and value:
        return accepts(t.params[0], value[0])
    if t.kind == "map" and isinstance(value, values.Map) and len(value):
        key, first = value.first()
        return accepts(t.params[0], key) and accepts(t.params[1], first)
    return True
