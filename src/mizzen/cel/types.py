"""Static types of CEL and when one can stand for another.

Source: google/cel-go checker/types.go and common/types/types.go, v0.26.
"""

from __future__ import annotations

import re
from collections import ChainMap
from dataclasses import dataclass
from functools import cache

from mizzen.cel import values


@dataclass(frozen=True, slots=True)
class Type:
    kind: str  # dyn, any, error, null, list, map, type, opaque, struct, param, or a scalar's name
    name: str
    params: tuple[Type, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.params))})" if self.params else self.name


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
    """What free types stand for, so far."""

    def apply(self, t: Type, to_dyn: bool = False) -> Type:
        if t.kind == "param":
            if t.name in self:
                return self.apply(self[t.name], to_dyn)
            return DYN if to_dyn else t
        if t.params and (self or to_dyn):
            return Type(t.kind, t.name, tuple(self.apply(p, to_dyn) for p in t.params))
        return t

    def assign(self, froms: tuple[Type, ...], tos: tuple[Type, ...]) -> bool:
        """Whether every left type can stand for its right one; remembers what that takes."""
        trial: _Trial = ChainMap({}, self)
        if len(froms) != len(tos) or not all(
            _assignable(trial, a, b) for a, b in zip(froms, tos, strict=True)
        ):
            return False
        self.update(trial.maps[0])
        return True


_Trial = ChainMap[str, Type]  # what would be added comes first: what is known is not copied


def _assignable(m: _Trial, a: Type, b: Type) -> bool:
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
    if t == free:
        return True, True
    known = m.get(free.name)
    if known is not None:
        if t == known:
            return True, True
        if not _assignable(m, t, known):
            return False, True
        general = most_general(t, known)
        if _absent(m, free, general):
            m[free.name] = general
        return True, True
    if _absent(m, free, t):
        m[free.name] = t
        return True, False
    return False, False


def _absent(m: _Trial, free: Type, within: Type) -> bool:
    if free == within:
        return False
    if within.kind == "param":
        return within.name not in m or _absent(m, free, m[within.name])
    return all(_absent(m, free, p) for p in within.params)


def most_general(a: Type, b: Type) -> Type:
    return a if _less_specific(a, b) else b


def _less_specific(a: Type, b: Type) -> bool:
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
            and all(_less_specific(x, y) for x, y in zip(a.params, b.params, strict=True))
        )
    return a == b


def accepts(t: Type, value: object) -> bool:
    """Whether a value has the type at run time; of a list or map the first element tells."""
    if t.kind in ("dyn", "any", "param"):
        return True
    if t.name != values.type_name(value):
        return False
    if values.is_list(value) and value:
        return accepts(t.params[0], value[0])
    if isinstance(value, values.Map) and len(value):
        key, first = value.first()
        return accepts(t.params[0], key) and accepts(t.params[1], first)
    return True
